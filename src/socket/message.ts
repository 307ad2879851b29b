/** Writing one message to a wire: head, framed body, end. The same for requests and responses. */
import { writeChunkSize } from '../http/chunked.ts';
import { type BodyLength, LENGTH_CHUNKED } from '../kernel/exchange.ts';
import { scratchBuffer } from './cork.ts';
import { SCRATCH_BYTES } from './gather.ts';
import type { Wire } from './wire.ts';

/** Room for a chunk's size line and its CRLF. */
const CHUNK_OVERHEAD = 16;
const CR = 13;
const LF = 10;

/** The sending half of a connection. One per connection, used again for each message. */
export class MessageWriter {
  readonly wire: Wire;
  #chunked = false;
  /** Bytes that Content-Length still promises; Infinity where nothing is promised. */
  #left = 0;

  constructor(wire: Wire) {
    this.wire = wire;
  }

  /** Sends a complete head (status or request line, fields, empty line) and remembers the framing it announced. */
  start(head: string, length: BodyLength): void {
    this.#chunked = length === LENGTH_CHUNKED;
    this.#left = length >= 0 ? length : length === -1 ? 0 : Number.POSITIVE_INFINITY;
    this.wire.writeText(head);
  }

  /** Whether all that was promised has been written. */
  get complete(): boolean {
    return this.#left === 0 || this.#left === Number.POSITIVE_INFINITY;
  }

  /** Writes a leading zero of the next chunk's size, which changes nothing (RFC 9112 §7.1). False: the framing has no room. */
  probe(): boolean {
    if (this.#chunked) this.wire.writeText('0');
    return this.#chunked;
  }

  /** Sends payload; the slice may be reused when this returns. False: wait for the wire's drain. */
  write(buffer: Buffer, start: number, end: number): boolean {
    const size = end - start;
    if (size === 0) return true;
    if (!this.#chunked) {
      // More than was promised would be read as the next message: it is dropped here, and counted by the reader's framing.
      if (size > this.#left) return this.write(buffer, start, start + this.#left);
      this.#left -= size;
      return this.wire.write(buffer, start, end);
    }
    const { wire } = this;
    if (size + CHUNK_OVERHEAD <= SCRATCH_BYTES) {
      let at = wire.reserve(size + CHUNK_OVERHEAD);
      const out = scratchBuffer();
      at = writeChunkSize(out, at, size);
      buffer.copy(out, at, start, end);
      at += size;
      out[at++] = CR;
      out[at++] = LF;
      return wire.commit(at);
    }
    const out = Buffer.allocUnsafeSlow(size + CHUNK_OVERHEAD);
    let at = writeChunkSize(out, 0, size);
    buffer.copy(out, at, start, end);
    at += size;
    out[at++] = CR;
    out[at++] = LF;
    return wire.writeOwned(out.subarray(0, at));
  }

  /** From here on bytes pass as they are: the connection has become a tunnel (RFC 9110 §7.8). */
  tunnel(): void {
    this.#chunked = false;
    this.#left = Number.POSITIVE_INFINITY;
  }

  /** Ends the message. `trailers`: lines with CRLF, sent where the framing has room for them. */
  end(trailers: string): void {
    if (this.#chunked) this.wire.writeText(trailers === '' ? '0\r\n\r\n' : `0\r\n${trailers}\r\n`);
    this.#chunked = false;
  }
}
