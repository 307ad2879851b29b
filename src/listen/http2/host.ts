/** A connection of HTTP/2 as an exchange on it sees it. */

import type { Peer } from '../../kernel/exchange.ts';
import type { HostedStream, StreamHost } from '../../socket/http2/host.ts';
import type { Wire } from '../../socket/wire.ts';
import type { ListenerRuntime } from '../runtime.ts';
import type { Secured } from '../tls.ts';

/** See the file's head. */
export interface Http2Host extends StreamHost {
  readonly runtime: ListenerRuntime;
  readonly peer: Peer;
  readonly wire: Wire;
  /** What TLS says about the connection. */
  readonly secured: Secured | undefined;
  /** The connection has broken: its streams end because of that. */
  readonly gone: boolean;
  /** Sends a head, final or not. `length`: of the body, where it is known. */
  sendHead(id: number, status: number, fields: string, length: number, ended: boolean): void;
  /** Resets a stream; who has it knows. */
  cut(stream: HostedStream, code: number): void;
  /** Resets a stream and tells who has it. */
  reset(stream: HostedStream, code: number, why: string): void;
  /** A client that takes no byte of an answer. */
  tooSlow(stream: HostedStream): void;
}
