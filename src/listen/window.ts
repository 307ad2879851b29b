/** What has arrived on a connection and has not been used yet: a view of the read buffer, or a copy of its rest. */

const EMPTY = Buffer.alloc(0);

/** Unused input. */
export class InputWindow {
  buffer: Buffer = EMPTY;
  at = 0;
  end = 0;

  get empty(): boolean {
    return this.at >= this.end;
  }

  /** How many bytes wait. */
  get size(): number {
    return this.end - this.at;
  }

  /** Adds what has arrived; the slice need be valid only until `keep`. */
  add(buffer: Buffer, start: number, end: number): void {
    if (this.at < this.end) {
      // The rest is small: part of a head, or a pipelined request.
      this.buffer = Buffer.concat([this.buffer.subarray(this.at, this.end), buffer.subarray(start, end)]);
      this.at = 0;
      this.end = this.buffer.length;
    } else {
      this.buffer = buffer;
      this.at = start;
      this.end = end;
    }
  }

  /** Copies what is left if it lies in `borrowed`, which its owner wants back. */
  keep(borrowed: Buffer): void {
    if (this.at >= this.end) this.buffer = EMPTY;
    else if (this.buffer === borrowed) {
      this.buffer = Buffer.from(borrowed.subarray(this.at, this.end));
      this.end -= this.at;
      this.at = 0;
    }
  }

  /** Forgets all of it. */
  drop(): void {
    this.buffer = EMPTY;
    this.at = this.end;
  }
}
