/** Connections that carry one client's requests only, because a PROXY header has named it. */

import type { Inbound } from '../kernel/exchange.ts';
import type { ProxyAddress } from '../socket/proxy/header.ts';
import type { ClientConnection } from './connection.ts';

const NOBODY: ProxyAddress = { address: 'unknown', port: 0 };

/** Whom the header names. The port is known only of who is connected to us. */
export function clientOf(inbound: Inbound | undefined): ProxyAddress {
  if (inbound === undefined) return NOBODY;
  const { clientAddress, peer } = inbound;
  return { address: clientAddress, port: clientAddress === peer.address ? peer.port : 0 };
}

/**
 * Puts an idle connection of this client at the end, where it is taken from. `full`: there may be no further one; then the
 * one that has waited longest for another client gives place.
 */
export function bringForward(idle: ClientConnection[], client: string, full: boolean): void {
  for (let i = idle.length - 1; i >= 0; i--) {
    const connection = idle[i] as ClientConnection;
    if (connection.client !== client) continue;
    idle.splice(i, 1);
    idle.push(connection);
    return;
  }
  if (full) idle[0]?.close();
}
