/** A sliding window of counts in ten slices: no allocation per count, and never more than a tenth of it out of date. */

const SLICES = 10;
/** Counts in each slice: all, errors, slow ones. */
const WIDTH = 3;

/** How many requests ended in the last `windowMs`, and how. */
export class SlidingWindow {
  readonly #sliceMs: number;
  readonly #counts = new Uint32Array(SLICES * WIDTH);
  /** Number of the newest slice since the clock's zero. */
  #newest = 0;
  total = 0;
  errors = 0;
  slow = 0;

  constructor(windowMs: number) {
    this.#sliceMs = Math.max(1, windowMs / SLICES);
  }

  /** One request has ended at `now` (monotonic milliseconds). */
  add(now: number, error: boolean, slow: boolean): void {
    this.move(now);
    const at = (this.#newest % SLICES) * WIDTH;
    const counts = this.#counts;
    counts[at] = (counts[at] as number) + 1;
    this.total++;
    if (error) {
      counts[at + 1] = (counts[at + 1] as number) + 1;
      this.errors++;
    }
    if (slow) {
      counts[at + 2] = (counts[at + 2] as number) + 1;
      this.slow++;
    }
  }

  /** Lets go of what is older than the window. */
  move(now: number): void {
    const slice = Math.floor(now / this.#sliceMs);
    if (slice <= this.#newest) return;
    if (slice - this.#newest >= SLICES) {
      this.clear();
      this.#newest = slice;
      return;
    }
    const counts = this.#counts;
    while (this.#newest < slice) {
      const at = (++this.#newest % SLICES) * WIDTH;
      this.total -= counts[at] as number;
      this.errors -= counts[at + 1] as number;
      this.slow -= counts[at + 2] as number;
      counts.fill(0, at, at + WIDTH);
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#counts.fill(0);
    this.total = 0;
    this.errors = 0;
    this.slow = 0;
  }
}
