/** Learns, for each model, by how much estimates of prompts must be raised or lowered. */

/** How fast a ratio that is too high comes down; one that is too low rises at once. */
const FALL = 0.02;
/** Head room above what has been seen. */
const MARGIN = 1.08;
/** What an estimate is multiplied by while little is known of a model, and how many requests are enough to know. */
const UNKNOWN = 1.2;
const BELIEVED = 8;
const LOWEST = 0.25;
const HIGHEST = 8;
/** Names come from clients where any model is offered. */
const MOST_MODELS = 1000;
/** What a short prompt says is mostly about the template. */
const LEAST_TOKENS = 32;

interface Ratio {
  high: number;
  seen: number;
}

/** See the file's head: a running high quantile of real tokens over estimated ones. */
export class TokenRatios {
  readonly #models = new Map<string, Ratio>();

  /** By how much an estimate for this model is multiplied. */
  of(model: string): number {
    const known = this.#models.get(model);
    if (known === undefined) return UNKNOWN;
    return Math.min(HIGHEST, Math.max(known.seen < BELIEVED ? UNKNOWN : LOWEST, known.high * MARGIN));
  }

  /** A request that was estimated at `estimated` tokens (before `of`) had `real` ones. */
  learn(model: string, estimated: number, real: number): void {
    if (estimated < LEAST_TOKENS || real <= 0) return;
    const ratio = real / estimated;
    const known = this.#models.get(model);
    if (known === undefined) {
      if (this.#models.size < MOST_MODELS) this.#models.set(model, { high: ratio, seen: 1 });
      return;
    }
    known.seen++;
    known.high = ratio > known.high ? ratio : known.high + (ratio - known.high) * FALL;
  }
}
