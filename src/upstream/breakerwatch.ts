/** The breakers of an upstream's endpoints, all together: whether any is not closed, and which wants a probe. */
import type { Tried } from './balance/balance.ts';
import type { Endpoint } from './endpoint.ts';

/** What clients are told to wait at least, in milliseconds. */
const LEAST_WAIT_MS = 1000;

/** See the file's head. */
export class BreakerWatch {
  readonly #endpoints: readonly Endpoint[];
  /** Endpoints whose breaker is not closed. */
  broken = 0;

  constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints;
  }

  /** An endpoint has changed. */
  count(): void {
    this.broken = 0;
    for (const { standing } of this.#endpoints)
      if (standing.breaker !== undefined && standing.breaker.state !== 'closed') this.broken++;
  }

  /** An endpoint whose breaker lets a request through as its probe. */
  probe(tried: Tried, now: number): Endpoint | undefined {
    for (const endpoint of this.#endpoints) {
      const { standing } = endpoint;
      if (standing.breaker === undefined || standing.breaker.state !== 'open' || endpoint.weight <= 0) continue;
      if (tried?.includes(endpoint.index) || endpoint.inflight >= endpoint.maxInflight) continue;
      if (standing.takeProbe(now)) return endpoint;
    }
    return undefined;
  }

  /** When trying again may find an endpoint, in milliseconds: the shortest time until a breaker lets a probe through. */
  retryAfter(now: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { standing } of this.#endpoints) {
      const { breaker } = standing;
      if (breaker === undefined || breaker.state === 'closed' || breaker.forced) least = Math.min(least, LEAST_WAIT_MS);
      else least = Math.min(least, Math.max(LEAST_WAIT_MS, breaker.openUntil - now));
    }
    return least;
  }
}
