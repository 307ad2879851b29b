/** Now as an HTTP date (RFC 9110 §5.6.7), made once a second. */
import type { Clock } from '../kernel/clock.ts';

/** See the file's head. */
export class HttpDate {
  readonly #clock: Clock;
  #at = -1;
  #text = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get text(): string {
    const second = Math.floor(this.#clock.wall() / 1000);
    if (second !== this.#at) {
      this.#at = second;
      this.#text = new Date(second * 1000).toUTCString();
    }
    return this.#text;
  }
}
