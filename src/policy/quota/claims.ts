/** Claims of one request that are taken together, or not at all. */
import type { Claim, Exhausted } from './claim.ts';
import { type Demand, type Flexible, unitsFor, unitsOf } from './demand.ts';
import type { Waiter } from './lease.ts';
import type { Leases } from './leases.ts';
import { mostOf } from './rule.ts';

/** Learns what became of claims that had to wait. */
export interface Applicant {
  decided(exhausted: Exhausted | undefined, claims: Claims): void;
}

/** See the file's head. */
export class Claims implements Waiter {
  readonly claims: Claim[] = [];
  flexible: Flexible | undefined = undefined;
  /** Some of them can do with less. */
  bends = false;
  readonly #leases: Leases;
  readonly #applicant: Applicant;
  /** taken: to be settled; over: nothing more to do. */
  #state: 'asking' | 'taken' | 'over' = 'asking';
  /** More that is being asked for: tokens and time each by themselves. */
  readonly #extensions: Claims[] = [];

  constructor(leases: Leases, applicant: Applicant) {
    this.#leases = leases;
    this.#applicant = applicant;
  }

  /** Takes all; 'wait': `decided` tells. */
  begin(): Exhausted | 'wait' | undefined {
    if (this.bends) this.#shrink();
    const verdict = this.#leases.take(this.claims, this);
    if (verdict === 'wait') {
      if (this.bends) this.#noteAsked();
      return verdict;
    }
    this.#state = verdict === undefined ? 'taken' : 'over';
    // A request counts from when it is let in, whatever becomes of it.
    if (verdict === undefined)
      for (const { lease } of this.claims) if (lease.owner.rule.unit === 'requests') this.#leases.settle(lease, 1, 1);
    return verdict;
  }

  /** Where less than was asked for is to be had, but enough, the request makes do with that. */
  #shrink(): void {
    for (const claim of this.claims) {
      const { lease, units, least = units, asked } = claim;
      const have = Math.floor(this.#leases.inHand(lease));
      if (have >= units) continue;
      // Who has some left is asked again.
      if (asked !== true || have < least || lease.free > 0) return;
      const demand = claim.rule.unit === 'bytes' ? undefined : this.flexible?.shrink((have - least) / (units - least));
      if (demand !== undefined)
        for (const one of this.claims) if (one.rule.unit !== 'bytes') one.units = unitsFor(one.rule.unit, demand);
      claim.units = Math.min(claim.units, have);
    }
  }

  /** They are asked for one after the other. */
  #noteAsked(): void {
    const claim = this.claims.find(({ lease, units }) => this.#leases.inHand(lease) < units);
    if (claim !== undefined) claim.asked = true;
  }

  retry(): void {
    if (this.#state !== 'asking') return;
    const verdict = this.begin();
    if (verdict !== 'wait') this.#applicant.decided(verdict, this);
  }

  /** Takes more for some of these claims. */
  extend(more: Partial<Demand>, decided: (granted: boolean) => void): Exhausted | 'wait' | undefined {
    if (this.#state !== 'taken') return 'wait';
    const grown = this.claims.filter(({ lease: { owner } }) => unitsOf(more, owner.rule.unit) > 0);
    const extension = new Claims(this.#leases, {
      decided: (exhausted) => {
        this.#extensions.splice(this.#extensions.indexOf(extension), 1);
        if (exhausted === undefined) this.#adopt(grown, more);
        decided(exhausted === undefined);
      },
    });
    for (const { lease, rule } of grown) extension.claims.push({ lease, units: unitsOf(more, rule.unit), rule });
    const verdict = extension.begin();
    if (verdict === 'wait') this.#extensions.push(extension);
    else if (verdict === undefined) this.#adopt(grown, more);
    return verdict;
  }

  /** What was taken is settled with the rest. */
  #adopt(grown: readonly Claim[], more: Partial<Demand>): void {
    for (const claim of grown) {
      const units = unitsOf(more, claim.lease.owner.rule.unit);
      if (this.claims.includes(claim)) claim.units += units;
      // Another stands in its place by now.
      else this.#leases.settle(claim.lease, units, 0);
    }
  }

  /** Frees its places: it is under way no longer. */
  leave(): void {
    for (const { lease, units } of this.claims) {
      if (this.#state === 'taken' && lease.owner.rule.unit === 'concurrency') this.#leases.settle(lease, units, 0);
    }
    const stay = this.claims.filter(({ lease }) => lease.owner.rule.unit !== 'concurrency');
    this.claims.splice(0, this.claims.length, ...stay);
  }

  /** Nothing of it was used, and nothing will be. */
  release(): void {
    if (this.#state === 'asking') this.#leases.forget(this.claims, this);
    if (this.#state === 'taken')
      for (const { lease, units } of this.claims)
        if (lease.owner.rule.unit !== 'requests') this.#leases.settle(lease, units, 0);
    this.#state = 'over';
  }

  /** Goes on with the claims of `other`, which were taken, instead of these. */
  exchangeFor(before: readonly Claim[], other: Claims): void {
    for (const one of before) {
      const { lease, units } = one;
      if (lease.owner.rule.unit !== 'requests') this.#leases.settle(lease, units, 0);
      this.claims.splice(this.claims.indexOf(one), 1);
    }
    this.claims.push(...other.claims);
    other.#state = 'over';
  }

  end(used: Demand): void {
    for (const extension of this.#extensions) extension.end(used);
    if (this.#state === 'asking') this.#leases.forget(this.claims, this);
    if (this.#state === 'taken') {
      for (const { lease, units } of this.claims) {
        const { unit } = lease.owner.rule;
        if (unit === 'bytes') lease.owner.answers.learn(lease, used.answerBytes ?? 0, used.answerWhole === true);
        if (unit !== 'requests') this.#leases.settle(lease, units, unit === 'concurrency' ? 0 : used[unit]);
      }
    }
    this.#state = 'over';
  }
}

/** Beside the bytes that are known: what a body may have, and what answers have had; as much of it as there is. */
export function claimBytes(claim: Claim, { bytesMost }: Demand): boolean {
  const { units, rule, lease } = claim;
  const most = Math.max(units, bytesMost ?? units) + Math.ceil(lease.owner.answers.of(lease));
  claim.least = units;
  claim.units = Math.max(units, Math.min(most, mostOf(rule)));
  return claim.units > units;
}
