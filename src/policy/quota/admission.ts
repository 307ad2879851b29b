/** One request under its limits: what it has claimed, and what became of that. */
import type { Exchange } from '../../kernel/exchange.ts';
import type { Claim, Exhausted } from './claim.ts';
import { type KeyOf, usageOf } from './key.ts';
import type { LeaseRule, Waiter } from './lease.ts';
import type { Leases } from './leases.ts';
import { mostOf, type Rule, type Unit } from './rule.ts';

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

/** How much of each unit: what a request may use, and in the end what it has used. */
export interface Demand extends Readonly<Record<Exclude<Unit, 'requests' | 'concurrency'>, number>> {
  /** Bytes that the body may have, where it does not say. */
  readonly bytesMost?: number;
  /** In the end: bytes of the answer, and whether that is all of it. */
  readonly answerBytes?: number;
  readonly answerWhole?: boolean;
}

/** A request that can do with less than it would like to have. */
export interface Flexible {
  /** Less than this is of no use. */
  readonly least: Demand;
  /** Makes do with this share of what it has wanted beyond the least so far; gives what it needs then. */
  shrink(share: number): Demand;
}

/** What the room tells of a request that is over a limit. */
export type Report = (exhausted: Exhausted, observed: boolean, exchange: Exchange) => void;

function unitsOf(demand: Partial<Demand>, unit: Unit): number {
  return unit === 'requests' || unit === 'concurrency' ? 0 : (demand[unit] ?? 0);
}

/** An answer has bytes, and a body may have more than it said: none may begin where nothing is left. */
function unitsFor(unit: Unit, demand: Demand): number {
  if (unit === 'requests' || unit === 'concurrency') return 1;
  return unit === 'bytes' ? Math.max(1, demand.bytes) : demand[unit];
}

/** Beside the bytes that are known: what a body may have, and what answers have had; as much of it as there is. */
function claimBytes(claim: Claim, { bytesMost }: Demand): boolean {
  const { units, rule, lease } = claim;
  const most = Math.max(units, bytesMost ?? units) + Math.ceil(lease.owner.answers.of(lease));
  claim.least = units;
  claim.units = Math.max(units, Math.min(most, mostOf(rule)));
  return claim.units > units;
}

/** Learns what became of claims that had to wait. */
interface Applicant {
  decided(exhausted: Exhausted | undefined, claims: Claims): void;
}

/** Claims that are taken together, or not at all. */
class Claims implements Waiter {
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
    for (const claim of grown) claim.units += unitsOf(more, claim.lease.owner.rule.unit);
  }

  /** Frees its places: it is under way no longer. */
  leave(): void {
    for (const { lease, units } of this.claims) {
      if (this.#state === 'taken' && lease.owner.rule.unit === 'concurrency') this.#leases.settle(lease, units, 0);
    }
    const stay = this.claims.filter(({ lease }) => lease.owner.rule.unit !== 'concurrency');
    this.claims.splice(0, this.claims.length, ...stay);
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
