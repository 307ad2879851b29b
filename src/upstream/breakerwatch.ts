/** The breakers of an upstream's endpoints, all together: whether any is not closed, which wants a probe, and who may send it. */
import { atTurnsEnd, type Clock } from '../kernel/clock.ts';
import type { Tried } from './balance/balance.ts';
import type { Endpoint } from './endpoint.ts';

/** What clients are told to wait at least, in milliseconds. */
const LEAST_WAIT_MS = 1000;
/** How long a request waits at most for the decision whether it is a probe. */
const DECISION_MS = 250;

/** See the file's head. */
export class BreakerWatch {
  readonly #endpoints: readonly Endpoint[];
  /** Endpoints whose breaker is not closed. */
  broken = 0;
  #waiting: (() => void)[] = [];

  constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints;
  }

  /** An endpoint has changed, or the right to its probe. */
  count(): void {
    for (const go of this.#waiting.splice(0)) go();
    this.broken = 0;
    for (const { standing } of this.#endpoints)
      if (standing.breaker !== undefined && standing.breaker.state !== 'closed') this.broken++;
  }

  /** An endpoint whose breaker lets a request through as its probe. */
  probe(tried: Tried, now: number): Endpoint | undefined {
    for (const endpoint of this.#endpoints) {
      const { standing } = endpoint;
      if (standing.breaker === undefined || standing.breaker.state !== 'open' || endpoint.weight <= 0) continue;
      if (tried?.includes(endpoint.index) || !(endpoint.hasRoom || endpoint.inflight === 0)) continue;
      if (standing.takeProbe(now)) return endpoint;
    }
    return undefined;
  }

  /**
   * Asks for the probes that are due, where another process says who sends them. Resolves with its answer: the request that
   * asks is to be the probe, for where requests come seldom there is no other. Undefined: there is nothing to wait for.
   */
  decision(clock: Clock): Promise<undefined> | undefined {
    const now = clock.now();
    let asked = false;
    for (const { standing, weight } of this.#endpoints) asked = (weight > 0 && standing.requestProbe(now)) || asked;
    if (!asked) return undefined;
    return new Promise((resolve) => {
      // Where we have been held up ourselves, it may lie there unread.
      const late = clock.after(DECISION_MS, () => atTurnsEnd(() => resolve(undefined)));
      this.#waiting.push(() => {
        late.cancel();
        resolve(undefined);
      });
    });
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
