/** What all connections of one listener share. */
import type { Clock } from '../kernel/clock.ts';
import type { GatehouseError } from '../kernel/error.ts';
import type { Exchange } from '../kernel/exchange.ts';
import type { Deadlines } from '../socket/deadlines.ts';
import type { ListenerConfig } from './config.ts';
import type { Trust } from './peer.ts';

/** What the pipeline does with what comes in. */
export interface ListenerHandler {
  onRequest(exchange: Exchange): void;
  /** A request that could not be parsed; it has an empty head. Must be answered. */
  onRefused(exchange: Exchange, error: GatehouseError): void;
  /** The client has gone before the pipeline took the exchange over. */
  onAborted(exchange: Exchange, error: GatehouseError): void;
}

/** A connection as its listener sees it. */
export interface Drainable {
  /** Since when it has waited for its next request, in monotonic milliseconds; Infinity while it does not. */
  readonly idleSince: number;
  /** Closes now if idle, else after the response under way. */
  drain(): void;
  /** Closes at once, cutting what is under way. */
  destroy(): void;
}

/** Settings, clock and handler of a listener. */
export interface ListenerRuntime extends ListenerHandler {
  readonly name: string;
  readonly scheme: 'http' | 'https';
  readonly limits: ListenerConfig['limits'];
  readonly timeouts: ListenerConfig['timeouts'];
  readonly http2: ListenerConfig['http2'];
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly trusts: Trust;
  draining: boolean;
  /** Counts a condition of FAULTS.md. */
  fault(kind: string): void;
  onClosed(connection: Drainable): void;
  /** A connection speaks HTTP/2 from now on, or has ended. */
  http2Connections(by: 1 | -1): void;
}
