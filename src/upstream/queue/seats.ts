/** What a worker has of one endpoint's places. */

import { sizeClass } from './rest.ts';

/** Whose places they are. */
export interface SeatsOwner {
  /** Times to the first token are wanted. */
  readonly adaptive: boolean;
  /** A request was sent. */
  touched(): void;
  /** A place has become free. Whether it is for somebody who waits. */
  freed(): boolean;
}

/** Times to the first token that are kept until they are told, each with the size of its prompt. */
const MOST_SAMPLES = 128;

/** See the file's head. */
export class Seats {
  readonly endpoint: string;
  /** Places that this worker was granted. */
  held = 0;
  /** Requests that have one. */
  used = 0;
  /** Places that are free and not for everybody: at the end of this turn those get them who wait. */
  spare = 0;
  /** Since they were last told: times to the first token in milliseconds, each followed by the size of its prompt (`sizeClass`). */
  samples: number[] = [];
  /** Requests that the server has turned away or not answered in time, since they were last told. */
  refused = 0;
  /** `used` as it was last told. */
  told = 0;
  readonly #queue: SeatsOwner;

  constructor(endpoint: string, queue: SeatsOwner) {
    this.endpoint = endpoint;
    this.#queue = queue;
  }

  /** A request may be sent now. */
  get room(): boolean {
    return this.used + this.spare < this.held;
  }

  /** A request is sent. */
  take(): void {
    this.used++;
    this.#queue.touched();
  }

  /** It has ended. */
  free(): void {
    this.used--;
    if (this.#queue.freed()) this.spare++;
  }

  /** The first token has come, so many milliseconds after a request of so many bytes was sent. */
  measured(ms: number, bytes: number): void {
    if (this.#queue.adaptive && this.samples.length < MOST_SAMPLES) this.samples.push(ms, sizeClass(bytes));
  }

  /** The server has said that it has too much to do (429, 503), or nothing in time. */
  turnedAway(): void {
    if (this.#queue.adaptive) this.refused++;
  }

  /** Places that nobody uses. More in use than granted (a breaker's probe) is nothing to give back. */
  get idle(): number {
    return Math.max(0, this.held - this.used);
  }
}
