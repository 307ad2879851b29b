/** Which of some versions has its turn: exactly by weight without a key, always the same one with a key. */
import { Split } from './split.ts';

/** See the file's head. One for all classes of requests, or one for each where versions do not serve all. */
export class Draw {
  /** None of the versions has weight: there is nothing to draw. */
  empty = true;
  readonly #start: number;
  #split: Split | undefined = undefined;
  /** Upper end of each version's part of the hash space, 0 … 2³². */
  readonly #upper: Float64Array;

  /** `weights`: of every version, 0 for those that are not to be drawn. `start`: in [0, 1), where in the round to begin. */
  constructor(weights: readonly number[], start: number) {
    this.#start = start;
    this.#upper = new Float64Array(weights.length);
    this.set(weights);
  }

  /** Moves the weights. */
  set(weights: readonly number[]): void {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    this.empty = total === 0;
    if (this.empty) return;
    let sum = 0;
    for (const [i, weight] of weights.entries()) {
      sum += weight;
      // The quotient is 1 exactly at the end, so the last version with weight takes the whole rest.
      this.#upper[i] = (sum / total) * 2 ** 32;
    }
    if (this.#split === undefined) this.#split = new Split(weights, this.#start);
    else this.#split.set(weights);
  }

  /** The version whose turn it is; not to be asked while `empty`. */
  next(): number {
    return (this.#split as Split).next();
  }

  /** The version to which a hash (32 bits) belongs; not to be asked while `empty`. */
  at(hash: number): number {
    const upper = this.#upper;
    let i = 0;
    while (hash >= (upper[i] as number)) i++;
    return i;
  }
}
