/** How far the ledger has come, in the time of the store: by what a node had heard of that before the journals were read. */

/** See the file's head. */
export class Progress {
  /** The latest (milliseconds of the store); 0: none. */
  time = 0;
  #written = 0;
  /** What was heard, and when (monotonic). It waits for the ledger to come that far, and what is heard meanwhile is passed over. */
  #waiting: { time: number; at: number } | undefined;

  /** It was heard at `at`. */
  hear(time: number, at: number): void {
    this.time = Math.max(this.time, time);
    this.#waiting ??= { time, at };
  }

  /** The store has begun anew. */
  anew(): void {
    this.time = this.#written = 0;
    this.#waiting = undefined;
  }

  /**
   * Until when all that this node has told the store is in the ledger. `writtenAt` (monotonic): all that it had used by then is. What the store
   * was told before an answer of this time, it was told before the answer came. -1: there are no budgets.
   */
  written(writtenAt: number | undefined): number {
    if (writtenAt === undefined) return -1;
    if (this.#waiting !== undefined && this.#waiting.at < writtenAt) {
      this.#written = Math.max(this.#written, this.#waiting.time);
      this.#waiting = undefined;
    }
    return this.#written;
  }
}
