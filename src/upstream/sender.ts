/** The request half of a connection to a server: what is sent, or kept until the connection stands. */
import type { BodyLength } from '../kernel/exchange.ts';
import { MessageWriter } from '../socket/message.ts';
import type { Wire } from '../socket/wire.ts';
import { EarlyRequest } from './early.ts';

/** See the file's head. One per connection, used again for each request. */
export class RequestSender {
  /** All of the request has been written. */
  done = false;
  #early: EarlyRequest | undefined = undefined;
  #writer: MessageWriter | undefined = undefined;

  /** Begins a request with its complete head. `room`: bytes of body that are kept while there is no connection. */
  start(head: string, length: BodyLength, room: number): void {
    this.done = false;
    if (this.#writer === undefined) this.#early = new EarlyRequest(head, length, room);
    else this.#writer.start(head, length);
  }

  /** Payload; the slice may be reused when this returns. False: wait for the drain. */
  write(buffer: Buffer, start: number, end: number): boolean {
    if (this.#writer !== undefined) return this.#writer.write(buffer, start, end);
    return this.#early === undefined || this.#early.write(buffer, start, end);
  }

  /** The request is complete. */
  end(trailers: string): void {
    if (this.#writer === undefined) {
      this.#early?.end(trailers);
      return;
    }
    this.#writer.end(trailers);
    this.done = true;
  }

  /** The connection stands: sends what was kept. False: there was no request. */
  connected(wire: Wire): boolean {
    const early = this.#early;
    this.#early = undefined;
    if (early === undefined) return false;
    this.#writer = new MessageWriter(wire);
    early.send(this.#writer);
    this.done = early.ended;
    return true;
  }

  /** What follows belongs to a tunnel and has no framing; the request that asked for it had no body. */
  tunnel(): void {
    this.#writer?.tunnel();
  }

  /** Drops what it has, and what comes. */
  stop(): void {
    this.#early = undefined;
    this.#writer = undefined;
  }
}
