/** What a client is told when the connection to a server fails. */
import type { HttpFault } from '../http/fault.ts';
import { GatehouseError } from '../kernel/error.ts';

/** The answer had begun and was not complete. `what`: of the server, which the log names and the client need not know. */
export function cutShort(what: string): GatehouseError {
  return new GatehouseError('upstream_incomplete', `${what} in the middle of its answer`);
}

/** No answer had begun. */
export function unanswered(what: string): GatehouseError {
  return new GatehouseError('upstream_reset', `${what} before it answered`);
}

/** The answer cannot be read without a guess. */
export function invalidAnswer(fault: HttpFault): GatehouseError {
  return new GatehouseError('upstream_protocol', `the server's answer is not valid HTTP: ${fault.message}`);
}
