/** Cuts a worker's log stream at line ends, so that lines of several workers never mix within a line. */

const LF = 10;

/** Keeps the unfinished last line until the rest of it comes. */
export class LineCutter {
  readonly #longest: number;
  #rest: Buffer | undefined;
  /** Bytes thrown away because a line was longer than allowed. */
  dropped = 0;
  #dropping = false;

  /** `longest`: bytes of one line; longer ones are dropped and counted, so that a broken worker cannot fill memory. */
  constructor(longest = 1024 * 1024) {
    this.#longest = longest;
  }

  /** Takes bytes as they came; returns whole lines (with their last LF), or undefined when none is complete. */
  push(chunk: Buffer): Buffer | undefined {
    let start = 0;
    if (this.#dropping) {
      const end = chunk.indexOf(LF);
      this.dropped += end < 0 ? chunk.length : end + 1;
      if (end < 0) return undefined;
      this.#dropping = false;
      start = end + 1;
    }
    const last = chunk.lastIndexOf(LF);
    if (last < start) {
      this.#keep(chunk.subarray(start));
      return undefined;
    }
    const lines = chunk.subarray(start, last + 1);
    const whole = this.#rest ? Buffer.concat([this.#rest, lines]) : lines;
    this.#rest = undefined;
    this.#keep(chunk.subarray(last + 1));
    return whole;
  }

  /** The stream has ended: what is left, made into a line. */
  end(): Buffer | undefined {
    const rest = this.#rest;
    this.#rest = undefined;
    return rest ? Buffer.concat([rest, Buffer.from('\n')]) : undefined;
  }

  #keep(tail: Buffer): void {
    if (tail.length === 0) return;
    const size = (this.#rest?.length ?? 0) + tail.length;
    if (size > this.#longest) {
      this.dropped += size;
      this.#dropping = true;
      this.#rest = undefined;
    } else {
      this.#rest = this.#rest ? Buffer.concat([this.#rest, tail]) : Buffer.from(tail);
    }
  }
}
