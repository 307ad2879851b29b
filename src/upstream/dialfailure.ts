/** What a connection that could not be made is called: in the answer, in `Proxy-Status`, in `gatehouse_faults_total`. Pure. */
import { type ErrorCode, GatehouseError } from '../kernel/error.ts';

/** What getaddrinfo says of a name without address. */
export const UNRESOLVED = 'ENOTFOUND';
/** What this machine or process has run out of (connect(2), socket(2)): it must not count against the server. */
const OUR_SHORTAGES: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

/** `code`: an errno name or TLS code; `tls`: it failed in the handshake. */
export function dialFailure(code: string, message: string, tls: boolean): [string, GatehouseError] {
  if (!tls && OUR_SHORTAGES.has(code)) {
    return ['no_socket_left', new GatehouseError('overloaded', `this gateway has no socket left: ${code}`)];
  }
  const what: ErrorCode = tls ? 'upstream_tls' : code === UNRESOLVED ? 'upstream_dns' : 'upstream_refused';
  return [what, new GatehouseError(what, `the server could not be reached: ${tls ? message : code}`)];
}
