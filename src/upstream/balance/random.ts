/** Random choice by weight: nothing to keep in step, so many workers need not know of one another. */
import type { Clock } from '../../kernel/clock.ts';
import { type Balancer, type Candidate, isEligible, type Tried } from './candidate.ts';
import { drawAmong, WeightedDraw } from './draw.ts';

/** See the file's head. */
export class RandomBalancer implements Balancer {
  readonly #candidates: readonly Candidate[];
  readonly #clock: Clock;
  readonly #draw: WeightedDraw;

  constructor(candidates: readonly Candidate[], clock: Clock) {
    this.#candidates = candidates;
    this.#clock = clock;
    this.#draw = new WeightedDraw(candidates);
  }

  pick(_key: string | number | undefined, tried: Tried): Candidate | undefined {
    if (this.#draw.eligible.length > 0) {
      const drawn = this.#draw.draw(this.#clock.random());
      if (isEligible(drawn, tried)) return drawn;
    }
    return drawAmong(this.#candidates, tried, this.#clock.random());
  }

  changed(): void {
    this.#draw.update(this.#candidates);
  }
}
