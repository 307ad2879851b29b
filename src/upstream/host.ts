/** The endpoint as its connections see it. */
import type { ChunkedLimits } from '../http/chunked.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Deadlines } from '../socket/deadlines.ts';
import type { Dial, DialTarget } from '../socket/dial.ts';
import type { ProxyAddress } from '../socket/proxy/header.ts';
import type { UpstreamConfig } from './config.ts';

/** A connection as its pool sees it. */
export interface Pooled {
  /** Monotonic time after which an idle connection is not used any more. */
  idleUntil: number;
  /** It is free: it closes at `until` (monotonic). */
  rest(until: number): void;
  close(): void;
}

/** The endpoint that a connection belongs to. */
export interface ConnectionHost {
  readonly id: string;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly config: UpstreamConfig;
  readonly bodyLimits: ChunkedLimits;
  /** Starts connecting. */
  readonly dial: Dial;
  /** Where to connect, with a PROXY header that names `from`; undefined while the host name has never been resolved. */
  target(from?: ProxyAddress): DialTarget | undefined;
  /** Counts a condition of FAULTS.md. */
  fault(kind: string): void;
  /** The server says how long it keeps idle connections. */
  hint(keepAliveMs: number): void;
  /** Takes a connection back that is in order and free. */
  release(connection: Pooled): void;
  /** A connection has been closed. */
  closed(connection: Pooled): void;
}
