/** What to say when no server can be used. */
import { GatehouseError } from '../kernel/error.ts';
import type { Upstream } from './upstream.ts';

/** `full`: there are servers, but all connections to them are in use. */
export function nowhere(upstream: Upstream, full: boolean): GatehouseError {
  const why = full
    ? `all connections to the servers of upstream ${upstream.name} are in use (pool.connections)`
    : `no server of upstream ${upstream.name} is available`;
  const retryAfterMs = full ? 1000 : upstream.retryAfter();
  return new GatehouseError(full ? 'overloaded' : 'no_endpoint', why, { retryAfterMs });
}
