/** Candidates made from weights, for the tests of this folder. */
import type { Candidate } from './candidate.ts';

/** One available, idle candidate for each weight, named e0, e1, …, or as `ids` says. */
export function makeCandidates(weights: readonly number[], ids?: readonly string[]): Candidate[] {
  return weights.map((weight, index) => ({
    index,
    id: ids?.[index] ?? `e${index}`,
    weight,
    fullWeight: weight,
    usable: true,
    inflight: 0,
    available: true,
  }));
}
