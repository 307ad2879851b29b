/** A client connection as the exchange on it sees it. */
import type { Peer } from '../kernel/exchange.ts';
import type { TlsFacts } from '../kernel/identity.ts';
import type { Wire } from '../socket/wire.ts';
import type { ListenerRuntime } from './runtime.ts';
import type { InputWindow } from './window.ts';

/** The connection as an exchange on it sees it. */
export interface Host {
  /** The connection is to end: this response says `Connection: close`, if its head is still to be written. */
  readonly draining: boolean;
  readonly runtime: ListenerRuntime;
  readonly wire: Wire;
  readonly input: InputWindow;
  readonly peer: Peer;
  /** What TLS says about the connection. */
  readonly tls: TlsFacts | undefined;
  /** The client has sent FIN. */
  readonly eof: boolean;
  deadline: number;
  /** The response is out; `reusable`: another request may follow. */
  finished(reusable: boolean): void;
  /** Closes at once. */
  close(): void;
}
