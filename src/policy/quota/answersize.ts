/** How large the next answer may be, as the latest have been: what is reserved for bytes that nobody knows yet. */

/** As much is expected as long as nothing is known: this part of the limit, and so many bytes at most. */
const BEGIN_PART = 32;
const BEGIN_MOST = 4096;
/** A larger answer raises it by this part of the difference, a smaller one lowers it by the other. */
const RISE = 1 / 2;
const FALL = 1 / 16;

/** See the file's head. It leans to the high side. */
export class AnswerSize {
  bytes: number;
  #known = false;

  constructor(limit: number) {
    this.bytes = Math.min(BEGIN_MOST, limit / BEGIN_PART);
  }

  /** An answer has had so many bytes; one that was cut could have had more. */
  learn(bytes: number, whole: boolean): void {
    if (bytes <= this.bytes && !whole) return;
    if (this.#known) this.bytes += (bytes - this.bytes) * (bytes > this.bytes ? RISE : FALL);
    else this.bytes = bytes;
    this.#known = true;
  }
}
