/** What carries one try to a server, whatever version of HTTP is spoken to it. */
import type { BodyLength, Outbound, OutboundSink } from '../kernel/exchange.ts';

/** See the file's head. */
export interface Carrier extends Outbound {
  /** The connection does not stand yet: nothing has been sent. */
  readonly connecting: boolean;
  /**
   * Sends a request head (complete, with its empty line); `totalAt` is the deadline of the whole exchange, `tryAt` that of
   * this try's response head.
   */
  start(sink: OutboundSink, method: string, head: string, length: BodyLength, totalAt: number, tryAt: number): void;
  /** Another one takes the answer from now on. */
  handOver(sink: OutboundSink): void;
}
