/** Makes the connection that a wire is for: by what was agreed on, or by what comes first. */
import type { Peer } from '../kernel/exchange.ts';
import type { WireOwner } from '../socket/owner.ts';
import type { Wire } from '../socket/wire.ts';
import { ServerConnection } from './connection.ts';
import { Http2Connection } from './http2/connection.ts';
import { Sniffer } from './http2/sniff.ts';
import type { Drainable, ListenerRuntime } from './runtime.ts';
import type { Secured } from './tls.ts';

/** A connection, or who finds out which one it is. */
export type Opened = Drainable & WireOwner;

/** `replace`: who was returned has found out, and gives place to the connection. */
export function openConnection(
  wire: Wire,
  peer: Peer,
  runtime: ListenerRuntime,
  protocols: readonly ('http1' | 'http2')[],
  replace: (old: Opened, by: Opened) => void,
  secured?: Secured,
): Opened {
  if (protocols.length === 1) return make(wire, peer, runtime, protocols[0] === 'http2', secured);
  return new Sniffer(wire, runtime, (sniffer, http2) => {
    const connection = make(wire, peer, runtime, http2, secured);
    replace(sniffer, connection);
    return connection;
  });
}

function make(wire: Wire, peer: Peer, runtime: ListenerRuntime, http2: boolean, secured?: Secured): Opened {
  if (!http2) return new ServerConnection(wire, peer, runtime, secured);
  runtime.http2Connections(1);
  return new Http2Connection(wire, peer, runtime, secured);
}
