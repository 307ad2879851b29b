/** Whose failure it is that a connection did not come to stand. */
import type { ErrorCode } from '../kernel/error.ts';

/** What getaddrinfo says of a name without address. */
export const UNRESOLVED = 'ENOTFOUND';

const CODES = new Map<string, ErrorCode>([
  [UNRESOLVED, 'upstream_dns'],
  // Without a descriptor of our own it is not the server's failure.
  ['EMFILE', 'overloaded'],
  ['ENFILE', 'overloaded'],
]);

/** Error code for an errno name; `tls`: it failed in the handshake. */
export function dialFailure(code: string, tls: boolean): ErrorCode {
  return CODES.get(code) ?? (tls ? 'upstream_tls' : 'upstream_refused');
}
