/** How much of a calendar limit is free. */
import { type Counter, UNKNOWN_WAIT } from './counter.ts';

/** What all counters of one calendar limit share: the period that runs now. */
export interface Period {
  limit: number;
  /** Number of the period, growing; asked with every use. */
  current(now: number): number;
  /** Milliseconds until the next one. */
  left(): number;
}

/** At most `limit` units in each calendar period (hour, day, week, month). What was held at its end counts for the next. */
export class CalendarCounter implements Counter {
  readonly #period: Period;
  #held = 0;
  #used = 0;
  #in: number;

  constructor(period: Period, now: number) {
    this.#period = period;
    this.#in = period.current(now);
  }

  free(now: number): number {
    this.#turn(now);
    return this.#period.limit - this.#held - this.#used;
  }

  hold(units: number): void {
    this.#held += units;
  }

  settle(back: number, used: number, now: number): void {
    this.#turn(now);
    this.#held -= back;
    this.#used += used;
  }

  retryAfter(units: number, now: number): number {
    if (units > this.#period.limit) return Number.POSITIVE_INFINITY;
    const free = this.free(now);
    if (free >= units) return 0;
    return free + this.#held >= units ? UNKNOWN_WAIT : Math.max(1, this.#period.left());
  }

  resetMs(): number {
    return this.#period.left();
  }

  empty(now: number): boolean {
    this.#turn(now);
    return this.#held === 0 && this.#used === 0;
  }

  lastUse(now: number): number {
    return now;
  }

  /** Units that were used in this period. */
  used(now: number): number {
    this.#turn(now);
    return this.#used;
  }

  #turn(now: number): void {
    const current = this.#period.current(now);
    if (current === this.#in) return;
    this.#in = current;
    this.#used = 0;
  }
}
