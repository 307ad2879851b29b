/**
 * Breakers from where requests stand: when the next one may pass, and who of those that come at that moment. Another process
 * says which worker may send the probe, so the first request waits until it has said so: otherwise it would be refused, and
 * where requests come seldom, every one of them.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Endpoint } from './endpoint.ts';

/** How long a request waits at most (milliseconds). */
const PROBE_WAIT = 250;

/** The requests of one upstream that wait for the decision. */
export class ProbeDecision {
  #waiting: (() => void)[] = [];

  /** Asks for the probe of every breaker that is due. Resolves with the answer; undefined: there is nothing to wait for. */
  ask(endpoints: readonly Endpoint[], clock: Clock): Promise<undefined> | undefined {
    const now = clock.now();
    let asked = false;
    for (const { standing, weight } of endpoints) asked = (weight > 0 && standing.requestProbe(now)) || asked;
    if (!asked) return undefined;
    return new Promise((resolve) => {
      const late = clock.after(PROBE_WAIT, () => resolve(undefined));
      this.#waiting.push(() => {
        late.cancel();
        resolve(undefined);
      });
    });
  }

  /** Something has been decided: who waits looks again. */
  decided(): void {
    for (const go of this.#waiting.splice(0)) go();
  }
}

/** When trying again may find an endpoint, in milliseconds: the shortest time until a breaker lets a probe through. */
export function soonestAgain(endpoints: readonly Endpoint[], now: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { standing } of endpoints) {
    const { breaker } = standing;
    if (breaker === undefined || breaker.state === 'closed' || breaker.forced) least = Math.min(least, 1000);
    else least = Math.min(least, Math.max(1000, breaker.openUntil - now));
  }
  return least;
}
