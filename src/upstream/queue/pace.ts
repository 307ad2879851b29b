/** How fast places become free for those who wait. */

/** Turns are taken together until so much time has passed, in milliseconds: news of them come several at once. */
const TOGETHER_MS = 100;
/** What the newest such time adds to the mean. */
const NEWEST = 0.1;
/** A class of which so few turns are remembered had none. */
const FORGOTTEN = 0.01;
/** Turns that must have been seen before an estimate is good enough to refuse somebody by it. */
const TRUSTED = 20;

/** See the file's head. Times are monotonic, in milliseconds. */
export class Pace {
  #at = 0;
  #turns = 0;
  // Decaying sums.
  #time = 0;
  #count = 0;
  /** Importance → turns of such requests, decaying alike. */
  readonly #served = new Map<number, number>();
  // Since the last time that was added to them.
  #newTime = 0;
  #newCount = 0;

  /** Somebody waits from now on. */
  begin(now: number): void {
    this.#at = now;
  }

  /** Somebody's turn has come. */
  turn(now: number, priority: number): void {
    this.#served.set(priority, (this.#served.get(priority) ?? 0) + 1);
    this.#newTime += now - this.#at;
    this.#newCount++;
    this.#at = now;
    this.#turns++;
    if (this.#newTime < TOGETHER_MS) return;
    this.#time = this.#time * (1 - NEWEST) + this.#newTime;
    this.#count = this.#count * (1 - NEWEST) + this.#newCount;
    this.#newTime = 0;
    this.#newCount = 0;
    for (const [of, count] of this.#served) {
      if (count < FORGOTTEN) this.#served.delete(of);
      else this.#served.set(of, count * (1 - NEWEST));
    }
  }

  /** The share of the turns that goes to requests which are more important than this: they come while it waits. */
  shareBefore(priority: number): number {
    let [more, all] = [0, 0];
    for (const [of, count] of this.#served) {
      all += count;
      if (of > priority) more += count;
    }
    return more === 0 ? 0 : more / all;
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
