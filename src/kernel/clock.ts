/**
 * Time and chance, passed in. Nothing else in the product reads the clock, sets a timer or throws dice
 * (held by test/tidy.test.ts), so a test can hold both in its hand.
 */

/** A pending timer. */
export interface Timer {
  /** Stops it; calling it twice, or after it fired, does nothing. */
  cancel(): void;
}

/** Time and chance as the rooms see them. */
export interface Clock {
  /** Monotonic time in milliseconds, with fractions. Never jumps; only differences mean anything. */
  now(): number;
  /** Wall-clock time in milliseconds since 1970-01-01 UTC. May jump; for stamps only, never for durations. */
  wall(): number;
  /** Calls `fn` once after `delayMs`. Does not keep the process alive. */
  after(delayMs: number, fn: () => void): Timer;
  /** Calls `fn` every `periodMs` until cancelled. Does not keep the process alive. */
  every(periodMs: number, fn: () => void): Timer;
  /** A number in [0, 1), not for secrets. */
  random(): number;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(delayMs, fn) {
    const timer = setTimeout(fn, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  every(periodMs, fn) {
    const timer = setInterval(fn, periodMs);
    timer.unref();
    return { cancel: () => clearInterval(timer) };
  },
  random: () => Math.random(),
};

interface Pending {
  at: number;
  order: number;
  period: number;
  fn: () => void;
  live: boolean;
}

/** A clock that stands still until told to move: the simulated twin for tests. */
export class ManualClock implements Clock {
  #now = 0;
  #wall: number;
  #order = 0;
  #seed: number;
  #pending: Pending[] = [];

  /** `wall`: milliseconds since 1970; `seed`: start of the repeatable random sequence. */
  constructor(wall = 1_750_000_000_000, seed = 1) {
    this.#wall = wall;
    this.#seed = seed >>> 0 || 1;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#wall;
  }

  /** Moves the wall clock alone, as an administrator or NTP would. */
  jumpWall(byMs: number): void {
    this.#wall += byMs;
  }

  after(delayMs: number, fn: () => void): Timer {
    return this.#add(delayMs, 0, fn);
  }

  every(periodMs: number, fn: () => void): Timer {
    return this.#add(periodMs, periodMs, fn);
  }

  /** xorshift32: repeatable for a seed. */
  random(): number {
    let x = this.#seed;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#seed = x >>> 0;
    return this.#seed / 0x1_0000_0000;
  }

  /** Moves both clocks on by `ms`, firing what falls due, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      let next: Pending | undefined;
      for (const p of this.#pending) {
        if (p.live && p.at <= end && (!next || p.at < next.at || (p.at === next.at && p.order < next.order))) next = p;
      }
      if (!next) break;
      const step = Math.max(0, next.at - this.#now);
      this.#now += step;
      this.#wall += step;
      if (next.period > 0) next.at += next.period;
      else next.live = false;
      next.fn();
      this.#pending = this.#pending.filter((p) => p.live);
    }
    this.#wall += end - this.#now;
    this.#now = end;
  }

  #add(delayMs: number, period: number, fn: () => void): Timer {
    const p: Pending = { at: this.#now + Math.max(0, delayMs), order: this.#order++, period, fn, live: true };
    this.#pending.push(p);
    return {
      cancel: () => {
        p.live = false;
      },
    };
  }
}

/** Runs `what` when all events have been handled that this turn of the event loop has brought: before it waits for others. */
export function atTurnsEnd(what: () => void): void {
  setImmediate(what);
}
