/** What a client is told when the connection to a server fails. */
import type { HttpFault } from '../http/fault.ts';
import { type ErrorCode, GatehouseError } from '../kernel/error.ts';

/** The answer had begun and was not complete. `what` has happened to the server named `id`. */
export function cutShort(what: string, id: string): GatehouseError {
  return new GatehouseError('upstream_incomplete', `${what} in the middle of its answer: ${id}`);
}

/** No answer had begun. */
export function unanswered(what: string, id: string): GatehouseError {
  return new GatehouseError('upstream_reset', `${what} before it answered: ${id}`);
}

/** The answer cannot be read without a guess. */
export function invalidAnswer(fault: HttpFault): GatehouseError {
  return new GatehouseError('upstream_protocol', `the server's answer is not valid HTTP: ${fault.message}`);
}

/** What getaddrinfo says of a name without address. */
export const UNRESOLVED = 'ENOTFOUND';

const CODES = new Map<string, ErrorCode>([
  [UNRESOLVED, 'upstream_dns'],
  // Without a descriptor of our own it is not the server's failure.
  ['EMFILE', 'overloaded'],
  ['ENFILE', 'overloaded'],
]);

/** Error code for the errno name of a connection that did not come to stand; `tls`: it failed in the handshake. */
export function dialFailure(code: string, tls: boolean): ErrorCode {
  return CODES.get(code) ?? (tls ? 'upstream_tls' : 'upstream_refused');
}
