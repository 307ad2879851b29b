/** One request under its limits: what it has claimed, and what became of that. */
import type { Exchange } from '../../kernel/exchange.ts';
import type { Claim, Exhausted } from './claim.ts';
import { type Applicant, Claims, claimBytes } from './claims.ts';
import { type Demand, type Flexible, unitsFor } from './demand.ts';
import { type KeyOf, usageOf } from './key.ts';
import type { LeaseRule } from './lease.ts';
import type { Leases } from './leases.ts';
import type { Rule, Unit } from './rule.ts';

/** A limit as a worker applies it. */
export interface ActiveLimit {
  readonly rule: Rule;
  readonly owner: LeaseRule;
  readonly keyOf: KeyOf;
  /** Counts and reports, and refuses nothing. */
  readonly observe: boolean;
  readonly needsBody: boolean;
  /** Output tokens to reserve for a request that does not bound its output. */
  readonly output: number;
  /** Units that can ever be free at once. */
  readonly most: number;
}

/** What the room tells of a request that is over a limit. */
export type Report = (exhausted: Exhausted, observed: boolean, exchange: Exchange) => void;

/** See the file's head. */
export class Admission implements Applicant {
  readonly #enforced: Claims;
  /** Each limit that only watches stands for itself, and makes nobody wait. */
  readonly #observed: Claims[] = [];
  readonly #report: Report;
  readonly #exchange: Exchange;
  readonly #decided: (exhausted: Exhausted | undefined) => void;

  /** `decided` is called once, when `begin` has said 'wait'. `flexible`: where budgets have less than `demand`, less is taken. */
  constructor(
    leases: Leases,
    limits: readonly ActiveLimit[],
    exchange: Exchange,
    demand: Demand,
    report: Report,
    decided: (exhausted: Exhausted | undefined) => void,
    flexible?: Flexible,
  ) {
    this.#report = report;
    this.#exchange = exchange;
    this.#decided = decided;
    this.#enforced = new Claims(leases, this);
    for (const { rule, owner, keyOf, observe } of limits) {
      const { unit } = rule;
      const units = unitsFor(unit, demand);
      const claim: Claim = { lease: leases.lease(owner, keyOf(exchange)), units, rule };
      if (!observe) {
        if (flexible !== undefined && rule.budget !== undefined) {
          claim.least = unitsFor(unit, flexible.least);
          this.#enforced.flexible = flexible;
          this.#enforced.bends = true;
        }
        if (unit === 'bytes' && claimBytes(claim, demand)) this.#enforced.bends = true;
        this.#enforced.claims.push(claim);
        continue;
      }
      const watch = new Claims(leases, this);
      if (unit === 'bytes') watch.bends = claimBytes(claim, demand);
      watch.claims.push(claim);
      this.#observed.push(watch);
    }
  }

  decided(exhausted: Exhausted | undefined, claims: Claims): void {
    if (claims === this.#enforced) {
      this.#enter(exhausted);
      this.#decided(exhausted);
    } else if (exhausted !== undefined) this.#report(exhausted, true, this.#exchange);
  }

  /** Takes what is needed, all or nothing; 'wait': `decided` tells. */
  begin(): Exhausted | 'wait' | undefined {
    const verdict = this.#enforced.begin();
    if (verdict !== 'wait') this.#enter(verdict);
    return verdict;
  }

  /**
   * Reserves more of the units that `more` names, all or nothing; 'wait': `decided` tells, unless the request has ended meanwhile.
   */
  extend(more: Partial<Demand>, decided: (granted: boolean) => void): boolean | 'wait' {
    const verdict = this.#enforced.extend(more, decided);
    return verdict === 'wait' ? verdict : verdict === undefined;
  }

  /** Units of one kind that are reserved; infinite when none are counted. */
  reserved(unit: Unit): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { lease, units } of this.#enforced.claims)
      if (lease.owner.rule.unit === unit) least = Math.min(least, units);
    return least;
  }

  /** Budget → key of those whose key the ledger cannot tell by itself; undefined where there is none. */
  charges(): Readonly<Record<string, string>> | undefined {
    let charges: Record<string, string> | undefined;
    for (const one of [this.#enforced, ...this.#observed]) {
      for (const { lease, rule } of one.claims) {
        if (rule.budget === undefined || usageOf(rule.budget, lease.key) !== undefined) continue;
        charges ??= {};
        charges[rule.name] = lease.key;
      }
    }
    return charges;
  }

  /** The request has ended, and what it has used will be known in a moment: others may take its place already. */
  leave(): void {
    this.#enforced.leave();
    for (const watch of this.#observed) watch.leave();
  }

  /** The request has ended, or was never sent: what it has used is counted, the rest is free again. Calling again does nothing. */
  end(used: Demand): void {
    this.#enforced.end(used);
    for (const watch of this.#observed) watch.end(used);
  }

  /**
   * What is left of the tightest limit of a unit, for fields that tell the client; undefined where nothing limits it. Other
   * workers may have some in hand, so it is a good guess and no promise.
   */
  left(unit: Unit, now: number): { limit: number; remaining: number; resetMs: number } | undefined {
    let found: { limit: number; remaining: number; resetMs: number } | undefined;
    for (const { lease, rule } of this.#enforced.claims) {
      if (rule.unit !== unit) continue;
      const remaining = Math.max(0, Math.floor(lease.free + lease.idle));
      if (found !== undefined && remaining / rule.limit >= found.remaining / found.limit) continue;
      found = { limit: rule.limit, remaining, resetMs: Math.max(0, lease.resetAt - now) };
    }
    return found;
  }

  #enter(exhausted: Exhausted | undefined): void {
    if (exhausted !== undefined) {
      this.#report(exhausted, false, this.#exchange);
      return;
    }
    for (const watch of this.#observed) {
      const verdict = watch.begin();
      if (verdict !== undefined && verdict !== 'wait') this.#report(verdict, true, this.#exchange);
    }
  }
}
