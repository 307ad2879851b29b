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
  /**
   * Of what was held, `back` units are held no more, and `used` units have been used. `used > back` leaves a debt where the limit
   * has no more. `extra`: units that this key has beyond the limit; negative: less.
   */
  settle(back: number, used: number, now: number, extra?: number): void;
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

/** So many windows of debt are remembered; what was used beyond that is forgotten. */
export const DEBT_WINDOWS = 10;

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

/**
 * At most `limit` units in any interval of `windowMs`, wherever it begins. What was used beyond it, because more was used than was
 * reserved, is a debt: it counts as though it was used as soon as the limit would have allowed it. So in any k windows no more is used
 * than k times the limit and what one window's requests had overdrawn.
 */
export class SlidingCounter implements Counter {
  readonly #window: SlidingWindow;
  #held = 0;
  #used = 0;
  /** Used, and in no slot yet. As long as there is some, what is held and in slots is the whole limit. */
  #debt = 0;
  /** Slot and units by turns, oldest first: a key that is seldom used costs two numbers. */
  #slots: number[] = [];

  constructor(window: SlidingWindow) {
    this.#window = window;
  }

  free(now: number): number {
    this.#expire(now);
    return this.#window.limit - this.#held - this.#used - this.#debt;
  }

  hold(units: number): void {
    this.#held += units;
  }

  settle(back: number, used: number, now: number, extra = 0): void {
    this.#held -= back;
    if (used > back || this.#debt > 0) this.#overdraw(used, used - back, now, this.#window.limit + extra);
    else if (used > 0) this.#count(used, now);
  }

  retryAfter(units: number, now: number): number {
    const { limit } = this.#window;
    if (units > limit) return Number.POSITIVE_INFINITY;
    const free = this.free(now);
    return free >= units ? 0 : this.#until(units - free, now);
  }

  resetMs(now: number): number {
    const last = this.#slots.length - 2;
    if (this.#held > 0) return this.#window.windowMs;
    if (this.#debt > 0) return this.#until(this.#used + this.#debt, now);
    return last < 0 ? 0 : Math.max(0, this.#endOf(this.#slots[last] as number) - now);
  }

  empty(now: number): boolean {
    this.#expire(now);
    return this.#held === 0 && this.#used === 0 && this.#debt === 0;
  }

  lastUse(now: number): number {
    const last = this.#slots.length - 2;
    return last < 0 ? now : ((this.#slots[last] as number) + 0.5) * this.#window.slotMs;
  }

  #count(units: number, now: number): void {
    this.#used += units;
    const slot = Math.floor(now / this.#window.slotMs);
    const slots = this.#slots;
    const last = slots.length - 2;
    if (last >= 0 && (slots[last] as number) >= slot) slots[last + 1] = (slots[last + 1] as number) + units;
    // A literal is as large as it has to be: what grows takes room for more.
    else if (last < 0) this.#slots = [slot, units];
    else slots.push(slot, units);
  }

  /** Counts `used` units; of those `beyond` what was reserved, only as many as fit. What fits of older debts is paid. */
  #overdraw(used: number, beyond: number, now: number, limit: number): void {
    this.#expire(now);
    const room = limit - this.#held - this.#used;
    const owed = Math.max(0, Math.min(beyond, used + this.#debt - room));
    const debt = Math.max(0, Math.min(this.#debt + owed, limit * DEBT_WINDOWS));
    const paid = Math.max(0, Math.min(debt, room - (used - owed)));
    this.#debt = debt - paid;
    if (used - owed + paid > 0) this.#count(used - owed + paid, now);
  }

  /** Milliseconds until so many of the units that are counted are no more. A debt is paid out of each slot in turn, window after window. */
  #until(units: number, now: number): number {
    const rounds = this.#debt > 0 && this.#used > 0 ? Math.ceil(units / this.#used) - 1 : 0;
    if (rounds > 0 && units > this.#used + this.#debt) return UNKNOWN_WAIT;
    let gone = rounds * this.#used;
    for (let i = 0; i < this.#slots.length; i += 2) {
      gone += this.#slots[i + 1] as number;
      if (gone >= units) return Math.max(1, this.#endOf((this.#slots[i] as number) + rounds * (SLOTS + 1)) - now);
    }
    return UNKNOWN_WAIT;
  }

  /** When the units of a slot are counted no more. */
  #endOf(slot: number): number {
    return (slot + 1) * this.#window.slotMs + this.#window.windowMs;
  }

  #expire(now: number): void {
    const slots = this.#slots;
    let gone = 0;
    while (gone < slots.length && this.#endOf(slots[gone] as number) <= now) {
      const units = slots[gone + 1] as number;
      this.#used -= units;
      if (this.#debt > 0) {
        const paid = Math.min(units, this.#debt);
        this.#debt -= paid;
        this.#used += paid;
        slots.push((slots[gone] as number) + SLOTS + 1, paid);
      }
      gone += 2;
    }
    if (gone > 0) slots.splice(0, gone);
    if (slots.length > 0) return;
    // Fractions of money must not add up to a remainder.
    this.#used = 0;
    // Only of a limit of nothing.
    if (this.#held <= 0) this.#debt = 0;
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
