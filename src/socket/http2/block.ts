/** Header blocks that come in several frames (RFC 9113 §4.3). */
import { FLAG } from '../../http/http2/frame.ts';

/** A block that is being collected. */
export class BlockBuffer {
  /** Stream of the block; 0 while there is none. */
  id = 0;
  /** The block ends its stream. */
  ended = false;
  size = 0;
  readonly #pieces: Buffer[] = [];

  begin(id: number, ended: boolean): void {
    this.id = id;
    this.ended = ended;
    this.size = 0;
  }

  get empty(): boolean {
    return this.#pieces.length === 0;
  }

  /** Frames so far. */
  get frames(): number {
    return this.#pieces.length;
  }

  /** Keeps a copy. */
  add(buffer: Buffer, start: number, end: number): void {
    this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
    this.size += end - start;
  }

  /** The block is complete; returns what was kept of it. */
  end(): Buffer {
    this.id = 0;
    return Buffer.concat(this.#pieces.splice(0));
  }
}

/** Where in the payload of a HEADERS frame its block stands; undefined when padding or priority make no sense. */
export function blockOf(
  flags: number,
  id: number,
  buffer: Buffer,
  start: number,
  end: number,
): [number, number] | undefined {
  let from = start;
  let padding = 0;
  if ((flags & FLAG.PADDED) !== 0) {
    if (from >= end) return undefined;
    padding = buffer[from++] as number;
  }
  if ((flags & FLAG.PRIORITY) !== 0) {
    // A stream that depends on itself (RFC 7540 §5.3.1); priorities are read for nothing else.
    if (end - from < 5 || (buffer.readUInt32BE(from) & 0x7fffffff) === id) return undefined;
    from += 5;
  }
  return from + padding > end ? undefined : [from, end - padding];
}
