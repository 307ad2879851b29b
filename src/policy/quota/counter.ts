/**
 * How much of a limit is free. One counter stands for one limit and one key; the authority asks it before it grants a lease.
 *
 * Units are **held** from the moment they are granted to a worker until the worker says what became of them: used, or not.
 * Held units count as used. So whatever a worker does with what it has in hand, and however late it tells, what was used is
 * never more than what the limit allows. Times are monotonic milliseconds of the authority.
 */

/** Counts one limit for one key. */
export interface Counter {
  /** Units that may be granted now; negative when more was used than was reserved. */
  free(now: number): number;
  /** Grants `units`; the caller has asked `free`. */
  hold(units: number, now: number): void;
  /** Of what was held, `back` units are held no more, and `used` units have been used. `used > back` leaves a debt. */
  settle(back: number, used: number, now: number): void;
  /** Milliseconds until `units` may be free; infinite when they never are. Held units may come back sooner. */
  retryAfter(units: number, now: number): number;
  /** Milliseconds until everything is free again, if nothing more is used. */
  resetMs(now: number): number;
  /** Nothing is held or counted: it may be forgotten. */
  empty(now: number): boolean;
  /** When the last of what is counted was used, at the latest. */
  lastUse(now: number): number;
}

/** When only held units stand in the way, nobody knows when they come back: ask again after this many milliseconds. */
export const UNKNOWN_WAIT = 1000;

/** As many parts of a window are told apart. What was used is counted for up to one part longer than the window. */
const SLOTS = 64;

/** What all counters of one sliding limit share. */
export class SlidingWindow {
  limit: number;
  readonly windowMs: number;
  readonly slotMs: number;

  constructor(limit: number, windowMs: number) {
    this.limit = limit;
    this.windowMs = windowMs;
    this.slotMs = windowMs / SLOTS;
  }
}

/** At most `limit` units in any interval of `windowMs`, wherever it begins. */
export class SlidingCounter implements Counter {
  readonly #window: SlidingWindow;
  #held = 0;
  #used = 0;
  /** Slot and units by turns, oldest first: a key that is seldom used costs two numbers. */
  #slots: number[] = [];

  constructor(window: SlidingWindow) {
    this.#window = window;
  }

  free(now: number): number {
    this.#expire(now);
    return this.#window.limit - this.#held - this.#used;
  }

  hold(units: number): void {
    this.#held += units;
  }

  settle(back: number, used: number, now: number): void {
    this.#held -= back;
    if (used <= 0) return;
    this.#used += used;
    const slot = Math.floor(now / this.#window.slotMs);
    const slots = this.#slots;
    const last = slots.length - 2;
    if (last >= 0 && (slots[last] as number) >= slot) slots[last + 1] = (slots[last + 1] as number) + used;
    // A literal is as large as it has to be: what grows takes room for more.
    else if (last < 0) this.#slots = [slot, used];
    else slots.push(slot, used);
  }

  retryAfter(units: number, now: number): number {
    const { limit } = this.#window;
    if (units > limit) return Number.POSITIVE_INFINITY;
    let free = this.free(now);
    if (free >= units) return 0;
    for (let i = 0; i < this.#slots.length; i += 2) {
      free += this.#slots[i + 1] as number;
      if (free >= units) return Math.max(1, this.#endOf(this.#slots[i] as number) - now);
    }
    return UNKNOWN_WAIT;
  }

  resetMs(now: number): number {
    const last = this.#slots.length - 2;
    if (this.#held > 0) return this.#window.windowMs;
    return last < 0 ? 0 : Math.max(0, this.#endOf(this.#slots[last] as number) - now);
  }

  empty(now: number): boolean {
    this.#expire(now);
    return this.#held === 0 && this.#used === 0;
  }

  lastUse(now: number): number {
    const last = this.#slots.length - 2;
    return last < 0 ? now : ((this.#slots[last] as number) + 0.5) * this.#window.slotMs;
  }

  /** When the units of a slot are counted no more. */
  #endOf(slot: number): number {
    return (slot + 1) * this.#window.slotMs + this.#window.windowMs;
  }

  #expire(now: number): void {
    const slots = this.#slots;
    let gone = 0;
    while (gone < slots.length && this.#endOf(slots[gone] as number) <= now) {
      this.#used -= slots[gone + 1] as number;
      gone += 2;
    }
    if (gone > 0) slots.splice(0, gone);
    // Fractions of money must not add up to a remainder.
    if (slots.length === 0) this.#used = 0;
  }
}

/** What all counters of one bucket limit share. */
export class Bucket {
  /** Units that may be used at once. */
  burst: number;
  /** Units that come back in a millisecond. */
  perMs: number;

  constructor(limit: number, windowMs: number, burst: number) {
    this.burst = burst;
    this.perMs = limit / windowMs;
  }
}

/** A token bucket: at most `burst + perMs × t` units in any interval of t milliseconds. */
export class BucketCounter implements Counter {
  readonly #bucket: Bucket;
  #held = 0;
  #level: number;
  #at: number;

  constructor(bucket: Bucket, now: number) {
    this.#bucket = bucket;
    this.#level = bucket.burst;
    this.#at = now;
  }

  free(now: number): number {
    this.#refill(now);
    return this.#level;
  }

  hold(units: number, now: number): void {
    this.#refill(now);
    this.#held += units;
    this.#level -= units;
  }

  settle(back: number, used: number, now: number): void {
    this.#refill(now);
    this.#held -= back;
    this.#level = Math.min(this.#bucket.burst - this.#held, this.#level + back - used);
  }

  retryAfter(units: number, now: number): number {
    if (units > this.#bucket.burst) return Number.POSITIVE_INFINITY;
    const missing = units - this.free(now);
    if (missing <= 0) return 0;
    if (units > this.#bucket.burst - this.#held) return UNKNOWN_WAIT;
    return Math.max(1, Math.ceil(missing / this.#bucket.perMs));
  }

  resetMs(now: number): number {
    return (this.#bucket.burst - this.free(now)) / this.#bucket.perMs;
  }

  empty(now: number): boolean {
    return this.#held === 0 && this.free(now) >= this.#bucket.burst;
  }

  lastUse(now: number): number {
    return now;
  }

  /** What is held does not refill: level and held together never exceed the burst, so nothing is saved up twice. */
  #refill(now: number): void {
    const { burst, perMs } = this.#bucket;
    this.#level = Math.min(burst - this.#held, this.#level + (now - this.#at) * perMs);
    this.#at = now;
  }
}

/** At most `limit` units held at once: concurrency. Using one means to hold it. */
export class PermitCounter implements Counter {
  readonly #rule: { limit: number };
  #held = 0;

  constructor(rule: { limit: number }) {
    this.#rule = rule;
  }

  free(): number {
    return this.#rule.limit - this.#held;
  }

  hold(units: number): void {
    this.#held += units;
  }

  settle(back: number): void {
    this.#held -= back;
  }

  retryAfter(units: number): number {
    if (units > this.#rule.limit) return Number.POSITIVE_INFINITY;
    return this.free() >= units ? 0 : UNKNOWN_WAIT;
  }

  resetMs(): number {
    return 0;
  }

  empty(): boolean {
    return this.#held === 0;
  }

  lastUse(now: number): number {
    return now;
  }
}
