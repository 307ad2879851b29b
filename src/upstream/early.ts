/** A request that waits for its connection: head, and as much of the body as has come. */
import type { BodyLength } from '../kernel/exchange.ts';
import type { MessageWriter } from '../socket/message.ts';

/** What is sent when the connection stands. */
export class EarlyRequest {
  /** The request is complete. */
  ended = false;
  readonly #room: number;
  readonly #head: string;
  readonly #length: BodyLength;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #trailers = '';

  /** `room`: bytes of body that are kept; then the client is told to wait. */
  constructor(head: string, length: BodyLength, room: number) {
    this.#room = room;
    this.#head = head;
    this.#length = length;
  }

  /** Keeps a copy. False: write no more until the drain. */
  write(buffer: Buffer, start: number, end: number): boolean {
    this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
    this.#bytes += end - start;
    return this.#bytes < this.#room;
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
