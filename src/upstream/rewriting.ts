/**
 * The body of an answer that is changed on its way. It may be ended early; and while it is being decided whether more of it may pass,
 * nothing is read: what has come by then waits, and so does the end of the answer.
 */
import type { Rewrite } from '../kernel/exchange.ts';

const NOTHING = Buffer.alloc(0);

/** Whose answer it is. */
export interface RewritingOwner {
  /** Sends bytes to the client. */
  write(buffer: Buffer, start: number, end: number): void;
  /** Reads no more. */
  hold(): void;
  /** Reads on; false: the exchange is over. */
  carryOn(): boolean;
  /** The rest of the answer is not wanted. */
  cutShort(): void;
  /** The answer is complete, and all of it has been sent. */
  complete(trailers: string): void;
}

/** See the file's head. */
export class Rewriting {
  readonly #rewrite: Rewrite;
  readonly #owner: RewritingOwner;
  readonly #pass: (buffer: Buffer, start: number, end: number) => void;
  /** Of an answer that has come whole. */
  #trailers: string | undefined = undefined;

  constructor(rewrite: Rewrite, owner: RewritingOwner) {
    this.#rewrite = rewrite;
    this.#owner = owner;
    this.#pass = (buffer, start, end) => owner.write(buffer, start, end);
  }

  /** Nothing is to be read now. */
  get waits(): boolean {
    return this.#rewrite.waits === true;
  }

  data(buffer: Buffer, start: number, end: number): void {
    this.#rewrite.data(buffer, start, end, this.#pass);
    if (this.#rewrite.done) this.#owner.cutShort();
    else if (this.#rewrite.waits) this.#wait();
  }

  /** The answer has come whole. */
  end(trailers: string): void {
    this.#trailers = trailers;
    if (!this.waits) this.#finish(trailers);
  }

  /** Ends the answer now; false: it cannot be ended here. */
  close(): boolean {
    return this.#rewrite.close?.(this.#pass) === true;
  }

  /** Whoever decides does that in time. */
  #wait(): void {
    this.#owner.hold();
    this.#rewrite.decided = () => {
      if (!this.#owner.carryOn()) return;
      if (this.#trailers === undefined) {
        this.data(NOTHING, 0, 0);
        return;
      }
      this.#rewrite.data(NOTHING, 0, 0, this.#pass);
      if (this.#rewrite.waits) this.#wait();
      else this.#finish(this.#trailers);
    };
  }

  #finish(trailers: string): void {
    this.#rewrite.end(this.#pass);
    this.#owner.complete(this.#rewrite.done ? '' : trailers);
  }
}
