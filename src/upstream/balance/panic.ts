/**
 * Envoy's panic threshold: when so few endpoints are available that they could not bear the load, better all are used. An
 * endpoint whose breaker or agent says that it must be left alone is not.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Candidate, Tried } from './candidate.ts';

/** Told when panic begins and ends: how many of the endpoints that take requests at all are available. */
export type TellPanic = (panic: boolean, available: number, of: number) => void;

/** Whether an upstream, or one level of it, is in panic. */
export class Panic {
  /** Whom panic chooses from (who may not be used even then is left out); undefined when there is none. */
  all: readonly Candidate[] | undefined = undefined;
  readonly #threshold: number;
  readonly #candidates: readonly Candidate[];
  readonly #tell: TellPanic;

  /** `threshold`: share of the endpoints, from 0 (never) to 1. */
  constructor(threshold: number, candidates: readonly Candidate[], tell: TellPanic) {
    this.#threshold = threshold;
    this.#candidates = candidates;
    this.#tell = tell;
  }

  /** An endpoint has changed. `carried`: the load is carried all the same, and then there is no panic. */
  judge(carried: boolean): void {
    if (this.#threshold === 0) return;
    const weighted = this.#candidates.filter(({ fullWeight }) => fullWeight > 0);
    const available = weighted.filter((candidate) => candidate.available).length;
    const panic = !carried && available < weighted.length * this.#threshold;
    const before = this.all !== undefined;
    this.all = panic ? weighted.filter(({ usable }) => usable) : undefined;
    if (panic !== before) this.#tell(panic, available, weighted.length);
  }
}

/** Chooses by weight as if all were available. Balancers never do this by themselves; with nobody available they choose none. */
export function pickInPanic(candidates: readonly Candidate[], tried: Tried, clock: Clock): Candidate | undefined {
  let chosen: Candidate | undefined;
  let total = 0;
  for (const candidate of candidates) {
    if (candidate.weight <= 0 || tried?.includes(candidate.index)) continue;
    // Weighted reservoir of one: each replaces the one before with probability weight / total so far.
    total += candidate.weight;
    if (clock.random() * total < candidate.weight) chosen = candidate;
  }
  return chosen;
}
