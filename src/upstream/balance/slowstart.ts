/** Slow start: an endpoint that has come back is given its load little by little. */
import type { Clock, Timer } from '../../kernel/clock.ts';

/** Smallest share of the weight while it grows, HAProxy's finest step (BE_WEIGHT_SCALE is 16). */
const LEAST = 1 / 16;
/** How often weights are raised, as a share of the duration; and the least time between, in milliseconds. */
const STEPS = 20;
const STEP_MS = 50;

/**
 * The weight an endpoint counts with at `now`: it grows in a straight line from the moment of recovery over
 * `slowStartMs`, as HAProxy's `slowstart`, and is never less than a sixteenth, so that even a light endpoint is asked.
 * `recoveredAt`: monotonic milliseconds; -Infinity for an endpoint that never failed (it begins at full weight).
 */
export function effectiveWeight(weight: number, recoveredAt: number, slowStartMs: number, now: number): number {
  const elapsed = now - recoveredAt;
  if (slowStartMs <= 0 || elapsed >= slowStartMs) return weight;
  return weight * Math.max(LEAST, elapsed / slowStartMs);
}

/** An endpoint whose weight grows. */
export interface Growing {
  weight: number;
  readonly fullWeight: number;
  /** Monotonic milliseconds; negative: it never failed. */
  readonly recoveredAt: number;
}

/** Raises the weights of a set of endpoints while any of them grows. */
export class Ramp {
  readonly #clock: Clock;
  readonly #slowStart: number;
  readonly #endpoints: readonly Growing[];
  readonly #changed: () => void;
  #timer: Timer | undefined = undefined;

  /** `changed` is told after each later step. `slowStart`: milliseconds, 0: off. */
  constructor(clock: Clock, slowStart: number, endpoints: readonly Growing[], changed: () => void) {
    this.#clock = clock;
    this.#slowStart = slowStart;
    this.#endpoints = endpoints;
    this.#changed = changed;
  }

  /** An endpoint has changed: sets the weights as they are now, and goes on while any of them grows. */
  start(): void {
    if (!this.#step()) this.cancel();
    else if (this.#timer === undefined) {
      this.#timer = this.#clock.every(Math.max(STEP_MS, this.#slowStart / STEPS), () => {
        if (!this.#step()) this.cancel();
        this.#changed();
      });
    }
  }

  /** Stops. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #step(): boolean {
    const now = this.#clock.now();
    let growing = false;
    for (const endpoint of this.#endpoints) {
      const { fullWeight, recoveredAt } = endpoint;
      endpoint.weight = recoveredAt < 0 ? fullWeight : effectiveWeight(fullWeight, recoveredAt, this.#slowStart, now);
      if (endpoint.weight !== fullWeight) growing = true;
    }
    return growing;
  }
}
