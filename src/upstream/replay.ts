/** The part of a request body that has been sent, kept while another try could still need it. */

/** Bytes that are kept at most. */
const REPLAY_BYTES = 65_536;

/** Sent request bytes. Starts out complete: nothing has been sent. */
export class Replay {
  /** Everything that was sent is kept: the request can be sent again. */
  complete = true;
  #pieces: Buffer[] = [];
  #bytes = 0;

  /** A slice is sent that is not kept. */
  forget(): void {
    this.complete = false;
    this.#pieces = [];
  }

  /** A slice is sent; a copy is kept while there is room. */
  keep(buffer: Buffer, start: number, end: number): void {
    if (!this.complete) return;
    this.#bytes += end - start;
    if (this.#bytes > REPLAY_BYTES) this.forget();
    else this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
  }

  /** What was sent, in order. */
  get pieces(): readonly Buffer[] {
    return this.#pieces;
  }
}
