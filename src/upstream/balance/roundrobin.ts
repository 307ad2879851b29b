/**
 * Smooth weighted round robin, as nginx does it (ngx_http_upstream_round_robin.c): each pick, every endpoint gains its
 * weight; the richest is chosen and pays the sum. Weights 5, 1, 1 give a a b a c a a, never five in a row. Over a full
 * round (the sum of whole weights) every endpoint gets exactly its weight.
 */
import { type Balancer, type Candidate, isEligible, type Tried } from './candidate.ts';

/** See the file's head. */
export class RoundRobinBalancer implements Balancer {
  readonly #candidates: readonly Candidate[];
  readonly #current: Float64Array;

  constructor(candidates: readonly Candidate[]) {
    this.#candidates = candidates;
    this.#current = new Float64Array(candidates.length);
  }

  pick(_key: string | number | undefined, tried: Tried): Candidate | undefined {
    const candidates = this.#candidates;
    const current = this.#current;
    let total = 0;
    let best = -1;
    let most = 0;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i] as Candidate;
      if (!isEligible(candidate, tried)) continue;
      const value = (current[i] as number) + candidate.weight;
      current[i] = value;
      total += candidate.weight;
      if (best < 0 || value > most) {
        best = i;
        most = value;
      }
    }
    if (best < 0) return undefined;
    current[best] = most - total;
    return candidates[best];
  }

  changed(): void {
    // An endpoint that comes back starts anew: neither owed for the time it was away nor in debt.
    for (const [i, candidate] of this.#candidates.entries()) {
      if (!isEligible(candidate, undefined)) this.#current[i] = 0;
    }
  }
}
