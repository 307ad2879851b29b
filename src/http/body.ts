/** Reading a body off a connection, whatever its framing (RFC 9112 §6.3). */
import { type BodyLength, LENGTH_CHUNKED, LENGTH_CLOSE, LENGTH_TUNNEL } from '../kernel/exchange.ts';
import { ChunkedDecoder, type ChunkedLimits, type PayloadSink } from './chunked.ts';
import type { HttpFault } from './fault.ts';

/** Where in a body a connection is. One per connection, used again for each message. */
export class BodyReader {
  /** The body has been read to its end. */
  done = true;
  #left = 0;
  #decoder: ChunkedDecoder | undefined = undefined;

  /** Starts on a body. */
  begin(length: BodyLength, limits: ChunkedLimits): void {
    this.#decoder = length === LENGTH_CHUNKED ? new ChunkedDecoder(limits) : undefined;
    this.#left = length === LENGTH_CLOSE || length === LENGTH_TUNNEL ? Number.POSITIVE_INFINITY : length;
    this.done = length === 0 || length === -1;
  }

  /** Bytes that are still to come; Infinity where only the end of the body tells. */
  get left(): number {
    return this.#decoder === undefined ? this.#left : Number.POSITIVE_INFINITY;
  }

  /** The body ends with the connection. */
  get closeDelimited(): boolean {
    return this.#left === Number.POSITIVE_INFINITY;
  }

  /** Trailer lines with CRLF, once done. */
  get trailers(): string {
    return this.#decoder === undefined ? '' : this.#decoder.trailers;
  }

  /** Takes bytes in; returns the position behind what belongs to the body. */
  read(buffer: Buffer, start: number, end: number, sink: PayloadSink): number | HttpFault {
    if (this.#decoder !== undefined) {
      const at = this.#decoder.decode(buffer, start, end, sink);
      if (this.#decoder.done) this.done = true;
      return at;
    }
    const take = Math.min(this.#left, end - start);
    this.#left -= take;
    if (this.#left === 0) this.done = true;
    if (take > 0) sink.onPayload(buffer, start, start + take);
    return start + take;
  }
}
