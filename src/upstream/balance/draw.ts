/** Random choice by weight. */
import { type Candidate, isEligible, type Tried } from './candidate.ts';

/** The eligible candidates with their summed weights, for drawing in O(log n). Rebuilt when something changed. */
export class WeightedDraw {
  readonly eligible: Candidate[] = [];
  /** All eligible weights are the same. */
  equal = true;
  #sums: Float64Array;
  #total = 0;

  constructor(candidates: readonly Candidate[]) {
    this.#sums = new Float64Array(candidates.length);
    this.update(candidates);
  }

  update(candidates: readonly Candidate[]): void {
    this.eligible.length = 0;
    this.equal = true;
    this.#total = 0;
    for (const candidate of candidates) {
      if (!isEligible(candidate, undefined)) continue;
      this.#total += candidate.weight;
      this.#sums[this.eligible.length] = this.#total;
      this.eligible.push(candidate);
      if (candidate.weight !== this.eligible[0]?.weight) this.equal = false;
    }
  }

  /** One of `eligible` (which must not be empty) by weight, for `random` in [0, 1). */
  draw(random: number): Candidate {
    const { eligible } = this;
    if (this.equal) return eligible[Math.floor(random * eligible.length)] as Candidate;
    const point = random * this.#total;
    let low = 0;
    let high = eligible.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (point < (this.#sums[middle] as number)) high = middle;
      else low = middle + 1;
    }
    return eligible[low] as Candidate;
  }
}

/** One eligible candidate by weight, in O(n): the way out when the quick draw met one that was already tried. */
export function drawAmong(candidates: readonly Candidate[], tried: Tried, random: number): Candidate | undefined {
  let total = 0;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i] as Candidate;
    if (isEligible(candidate, tried)) total += candidate.weight;
  }
  let point = random * total;
  let last: Candidate | undefined;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i] as Candidate;
    if (!isEligible(candidate, tried)) continue;
    last = candidate;
    point -= candidate.weight;
    if (point < 0) return candidate;
  }
  return last;
}
