/** A request that waits for its connection: head, and as much of the body as has come. */
import type { BodyLength } from '../kernel/exchange.ts';
import type { MessageWriter } from '../socket/message.ts';

/** Bytes of body that are kept; then the client is told to wait. */
const EARLY_BYTES = 65_536;

/** What is sent when the connection stands. */
export class EarlyRequest {
  /** The request is complete. */
  ended = false;
  readonly #head: string;
  readonly #length: BodyLength;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #trailers = '';

  constructor(head: string, length: BodyLength) {
    this.#head = head;
    this.#length = length;
  }

  /** Keeps a copy. False: write no more until the drain. */
  write(buffer: Buffer, start: number, end: number): boolean {
    this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
    this.#bytes += end - start;
    return this.#bytes < EARLY_BYTES;
  }

  end(trailers: string): void {
    this.ended = true;
    this.#trailers = trailers;
  }

  /** Sends all of it. */
  send(writer: MessageWriter): void {
    writer.start(this.#head, this.#length);
    for (const piece of this.#pieces) writer.write(piece, 0, piece.length);
    if (this.ended) writer.end(this.#trailers);
  }
}
