/**
 * Least requests of two random choices (Mitzenmacher, "The power of two choices in randomized load balancing", 2001):
 * nearly as even as asking all, in constant time, and workers that know only their own requests do not all run to the
 * same idle endpoint. With equal weights this is what Envoy does.
 *
 * With unequal weights both are drawn by weight, and the one with fewer requests per weight wins; at a tie the first.
 * Envoy instead gives each endpoint a share by weight/(requests + 1). In simulations with endpoints as strong as their
 * weights (8:1, and 20:10:5:1; load 0.5 and 0.9) that gave the weak endpoints up to twice their share, with a p99
 * 1.3 to 3 times as long; this way shares follow the weights at any load.
 */
import type { Clock } from '../../kernel/clock.ts';
import { type Balancer, type Candidate, isEligible, type Tried } from './candidate.ts';
import { drawAmong, WeightedDraw } from './draw.ts';

/** See the file's head. */
export class LeastRequestsBalancer implements Balancer {
  readonly #candidates: readonly Candidate[];
  readonly #clock: Clock;
  readonly #draw: WeightedDraw;

  constructor(candidates: readonly Candidate[], clock: Clock) {
    this.#candidates = candidates;
    this.#clock = clock;
    this.#draw = new WeightedDraw(candidates);
  }

  pick(_key: string | number | undefined, tried: Tried): Candidate | undefined {
    const { eligible, equal } = this.#draw;
    const count = eligible.length;
    if (count > 0) {
      let first: Candidate;
      let second: Candidate;
      if (equal) {
        // Two different ones, without drawing again.
        const a = Math.floor(this.#clock.random() * count);
        const b = count === 1 ? a : (a + 1 + Math.floor(this.#clock.random() * (count - 1))) % count;
        first = eligible[a] as Candidate;
        second = eligible[b] as Candidate;
      } else {
        // Perhaps twice the same: two different ones would give the light ones more than their weight.
        first = this.#draw.draw(this.#clock.random());
        second = this.#draw.draw(this.#clock.random());
      }
      const firstFits = isEligible(first, tried);
      if (isEligible(second, tried)) {
        return firstFits && first.inflight * second.weight <= second.inflight * first.weight ? first : second;
      }
      if (firstFits) return first;
    }
    return drawAmong(this.#candidates, tried, this.#clock.random());
  }

  changed(): void {
    this.#draw.update(this.#candidates);
  }
}
