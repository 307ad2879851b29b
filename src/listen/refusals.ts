/**
 * Tells operators which clients were refused for their certificate, and why: the counter alone helps nobody to find the machine
 * whose certificate has run out. Bounded, for anybody can be refused as often as they like.
 */
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';

/** So many are told within each of these; the rest is counted, and told with the next one. */
const MOST = 10;
const PERIOD_MS = 60_000;

/** See the file's head. */
export class Refusals {
  readonly #listener: string;
  readonly #clock: Clock;
  readonly #notice: (notice: NoticeEvent) => void;
  #since = Number.NEGATIVE_INFINITY;
  #told = 0;
  #untold = 0;

  /** `listener`: its name. */
  constructor(listener: string, clock: Clock, notice: (notice: NoticeEvent) => void) {
    this.#listener = listener;
    this.#clock = clock;
    this.#notice = notice;
  }

  /** A client at this address was refused. `shown`: what is known of its certificate. */
  tell(address: string, reason: string, shown: Readonly<Record<string, string>>): void {
    const now = this.#clock.now();
    if (now - this.#since >= PERIOD_MS) {
      this.#since = now;
      this.#told = 0;
    }
    if (this.#told === MOST) {
      this.#untold++;
      return;
    }
    this.#told++;
    const more = this.#untold === 0 ? {} : { untold: this.#untold };
    this.#untold = 0;
    const message = `listener ${this.#listener}: the client ${address} was refused for its certificate: ${reason}`;
    this.#notice({ level: 'warn', message, attributes: { ...shown, ...more } });
  }
}
