/** How fast places become free for those who wait. */

/** Turns are taken together until so much time has passed, in milliseconds: news of them come several at once. */
const TOGETHER_MS = 100;
/** What the newest such time adds to the mean. */
const NEWEST = 0.1;
/** Turns that must have been seen before an estimate is good enough to refuse somebody by it. */
const TRUSTED = 20;

/** See the file's head. Times are monotonic, in milliseconds. */
export class Pace {
  #at = 0;
  #turns = 0;
  // Decaying sums.
  #time = 0;
  #count = 0;
  // Since the last time that was added to them.
  #newTime = 0;
  #newCount = 0;

  /** Somebody waits from now on. */
  begin(now: number): void {
    this.#at = now;
  }

  /** Somebody's turn has come. */
  turn(now: number): void {
    this.#newTime += now - this.#at;
    this.#newCount++;
    this.#at = now;
    this.#turns++;
    if (this.#newTime < TOGETHER_MS) return;
    this.#time = this.#time * (1 - NEWEST) + this.#newTime;
    this.#count = this.#count * (1 - NEWEST) + this.#newCount;
    this.#newTime = 0;
    this.#newCount = 0;
  }

  /** Mean time between two turns; 0: not known. */
  get interval(): number {
    if (this.#count > 0) return this.#time / this.#count;
    return this.#newCount === 0 ? 0 : this.#newTime / this.#newCount;
  }

  /** Enough has been seen to refuse somebody by it. */
  get trusted(): boolean {
    return this.#turns >= TRUSTED;
  }
}
