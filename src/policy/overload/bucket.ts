/** A token bucket of which the less important must leave a part to the others. */

/** How much of a second's rate may come at once: requests come in turns of the event loop. */
const BURST_S = 0.25;
/** Tokens that are left to the most important at least: with fewer, two that come together find one. */
const KEPT = 4;

/** See the file's head. Rates are in tokens a second, times in milliseconds. */
export class Bucket {
  tokens = 0;
  #filledAt = 0;

  /** It is full. */
  begin(now: number, rate: number): void {
    this.tokens = most(rate);
    this.#filledAt = now;
  }

  fill(now: number, rate: number): void {
    this.tokens = Math.min(most(rate), this.tokens + ((now - this.#filledAt) / 1000) * rate);
    this.#filledAt = now;
  }

  /** Whether there is one for who is `less` important (0: the most important, 1: not at all), `reserve` being the part that is theirs. */
  has(rate: number, less: number, reserve: number): boolean {
    const kept = reserve === 0 ? 0 : Math.max(KEPT, (most(rate) - 1) * reserve);
    return this.tokens >= 1 + kept * less;
  }
}

function most(rate: number): number {
  return Math.max(1 + KEPT, rate * BURST_S);
}
