/**
 * One coarse timer for all sockets of a worker. Setting a deadline is one assignment; a sweep looks at every socket
 * a few times a second, which for 20,000 sockets costs about 0.1 % of a core and on the way of a request nothing.
 */
import { atTurnsEnd, type Clock, type Timer } from '../kernel/clock.ts';
import { reportException } from './report.ts';

/** Something with a deadline. */
export interface Timed {
  /** Monotonic milliseconds; Infinity for none. */
  deadline: number;
  /** Position in the sweep; -1 when not in it. Written by Deadlines only. */
  slot: number;
  /** The deadline has passed. Must set a new one, or Infinity. */
  onDeadline(now: number): void;
}

/** How often deadlines are looked at, in milliseconds: they are late by this much at most. */
export const SWEEP_MS = 50;
/** A sweep that comes so much too late says that this process has been held up, and so has its reading (milliseconds). */
const HELD_UP_MS = 250;
/** After that everyone gets as much more time as it was late, but no more than this: what is read has to be answered, too. */
const CATCH_UP_MS = 1000;

/** All deadlines of a worker. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #timed: Timed[] = [];
  #timer: Timer | undefined;
  #sweptAt = 0;
  #patientUntil = Number.NEGATIVE_INFINITY;
  /** Somebody has been judged since it was patient: who is always late would else wait for ever. */
  #mayWait = true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Looks after `timed` from now on. */
  add(timed: Timed): void {
    if (timed.slot >= 0) return;
    timed.slot = this.#timed.length;
    this.#timed.push(timed);
    if (this.#timer !== undefined) return;
    this.#sweptAt = this.#clock.now();
    this.#timer = this.#clock.every(SWEEP_MS, () => this.#sweep());
  }

  /** Forgets `timed`. */
  remove(timed: Timed): void {
    const slot = timed.slot;
    if (slot < 0) return;
    timed.slot = -1;
    const last = this.#timed.pop() as Timed;
    if (last !== timed) {
      this.#timed[slot] = last;
      last.slot = slot;
    }
    if (this.#timed.length === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
  }

  /** How many are looked after. */
  get size(): number {
    return this.#timed.length;
  }

  /**
   * Timers run before sockets are read: whoever was held up (a machine that is overloaded or was stopped, a long pause for
   * garbage) would blame others for what lies there unread. So what lies there is read first.
   */
  #sweep(): void {
    const now = this.#clock.now();
    const late = now - this.#sweptAt - SWEEP_MS;
    this.#sweptAt = now;
    if (late <= HELD_UP_MS) {
      this.#judge();
      return;
    }
    if (this.#mayWait) this.#patientUntil = now + Math.min(late, CATCH_UP_MS);
    this.#mayWait = false;
    atTurnsEnd(() => this.#judge());
  }

  #judge(): void {
    const now = this.#clock.now();
    if (now < this.#patientUntil) return;
    this.#mayWait = true;
    // Backwards, because onDeadline may remove its own entry (which moves the last one into its place).
    for (let i = this.#timed.length - 1; i >= 0; i--) {
      const timed = this.#timed[i];
      if (timed === undefined || timed.deadline > now) continue;
      try {
        timed.onDeadline(now);
      } catch (error) {
        reportException(error);
      }
    }
  }
}
