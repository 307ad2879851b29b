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
  /** Its key names the version. */
  readonly byVersion: boolean;
  /** Output tokens to reserve for a request that does not bound its output. */
  readonly output: number;
  /** Units that can ever be free at once. */
  readonly most: number;
}

/** What the room tells of a request that is over a limit. */
export type Report = (exhausted: Exhausted, observed: boolean, exchange: Exchange) => void;

/** A limit whose key names the version, and what is claimed of it. */
interface Versioned {
  readonly limit: ActiveLimit;
  claim: Claim;
}

/** What is claimed for another version, instead of `from`. */
interface Moving {
  readonly version: string;
  readonly claims: Claims;
  readonly from: readonly Claim[];
  taken: boolean;
  readonly decided: (exhausted: Exhausted | undefined) => void;
}

/** The key of a request if it went to this version. */
function keyFor({ keyOf }: ActiveLimit, exchange: Exchange, version: string): string {
  const now = exchange.version;
  exchange.version = version;
  const key = keyOf(exchange);
  exchange.version = now;
  return key;
}

/** See the file's head. */
export class Admission implements Applicant {
  readonly #enforced: Claims;
  /** Each limit that only watches stands for itself, and makes nobody wait. */
  readonly #observed: Claims[] = [];
  readonly #report: Report;
  readonly #exchange: Exchange;
  readonly #decided: (exhausted: Exhausted | undefined) => void;
  readonly #leases: Leases;
  /** Limits whose keys name the version; undefined: none. */
  #versioned: Versioned[] | undefined = undefined;
  /** What is claimed for another version, and whom to tell. */
  #moving: Moving | undefined = undefined;

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
    this.#leases = leases;
    this.#report = report;
    this.#exchange = exchange;
    this.#decided = decided;
    this.#enforced = new Claims(leases, this);
    for (const limit of limits) {
      const { rule, owner, keyOf, observe } = limit;
      const { unit } = rule;
      const units = unitsFor(unit, demand);
      const claim: Claim = { lease: leases.lease(owner, keyOf(exchange)), units, rule };
      if (limit.byVersion) {
        this.#versioned ??= [];
        this.#versioned.push({ limit, claim });
      }
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
    const moving = this.#moving;
    if (claims === moving?.claims) {
      if (exhausted === undefined) moving.taken = true;
      else this.#moving = undefined;
      moving.decided(exhausted);
    } else if (claims === this.#enforced) {
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

  /**
   * Before the request goes over to another version: what is counted by version is claimed there, all or nothing, while what it has
   * here stays. 'wait': `decided` tells. `bends`: it may make do with less.
   */
  prepare(
    version: string,
    decided: (exhausted: Exhausted | undefined) => void,
    bends = false,
  ): Exhausted | 'wait' | undefined {
    this.stay();
    if (this.#versioned === undefined) return undefined;
    const claims = new Claims(this.#leases, this);
    const { flexible, claims: taken } = this.#enforced;
    if (bends) claims.flexible = flexible;
    const from: Claim[] = [];
    for (const { limit, claim } of this.#versioned) {
      const key = keyFor(limit, this.#exchange, version);
      if (key === claim.lease.key || !taken.includes(claim)) continue;
      from.push(claim);
      const { units, least, rule } = claim;
      claims.claims.push({
        lease: this.#leases.lease(limit.owner, key),
        units,
        rule,
        ...(least !== undefined && { least }),
      });
      claims.bends ||= bends && least !== undefined;
    }
    const moving: Moving = { version, claims, from, taken: false, decided };
    this.#moving = moving;
    const verdict = from.length === 0 ? undefined : claims.begin();
    if (verdict === undefined) moving.taken = true;
    else if (verdict !== 'wait') this.#moving = undefined;
    return verdict;
  }

  /** It stays with its version after all. */
  stay(): void {
    this.#moving?.claims.release();
    this.#moving = undefined;
  }

  /** The request has gone over to the version that its exchange names: it is charged there from now on; 'wait': `decided` tells. */
  move(decided: (exhausted: Exhausted | undefined) => void): Exhausted | 'wait' | undefined {
    if (this.#versioned === undefined) return undefined;
    const { version } = this.#exchange;
    const moved = (exhausted: Exhausted | undefined) => {
      if (exhausted === undefined) this.#settleMove();
      else this.#report(exhausted, false, this.#exchange);
    };
    if (this.#moving?.taken !== true || this.#moving.version !== version) {
      const verdict = this.prepare(
        version,
        (exhausted) => {
          moved(exhausted);
          decided(exhausted);
        },
        true,
      );
      if (verdict !== 'wait') moved(verdict);
      return verdict;
    }
    moved(undefined);
    return undefined;
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
    this.stay();
    this.#enforced.leave();
    for (const watch of this.#observed) watch.leave();
  }

  /** The request has ended, or was never sent: what it has used is counted, the rest is free again. Calling again does nothing. */
  end(used: Demand): void {
    this.stay();
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

  #settleMove(): void {
    const moving = this.#moving;
    if (moving === undefined) return;
    this.#moving = undefined;
    this.#enforced.exchangeFor(moving.from, moving.claims);
    for (const one of this.#versioned ?? []) {
      const { limit, claim } = one;
      const key = keyFor(limit, this.#exchange, moving.version);
      if (key === claim.lease.key) continue;
      if (!limit.observe) {
        one.claim = moving.claims.claims.find(({ rule }) => rule === claim.rule) ?? claim;
        continue;
      }
      const at = this.#observed.findIndex(({ claims }) => claims.includes(claim));
      if (at < 0) continue;
      this.#observed[at]?.release();
      const watch = new Claims(this.#leases, this);
      one.claim = { ...claim, lease: this.#leases.lease(limit.owner, key) };
      watch.claims.push(one.claim);
      this.#observed[at] = watch;
      this.#watch(watch);
    }
  }

  #watch(watch: Claims): void {
    const verdict = watch.begin();
    if (verdict !== undefined && verdict !== 'wait') this.#report(verdict, true, this.#exchange);
  }

  #enter(exhausted: Exhausted | undefined): void {
    if (exhausted !== undefined) {
      this.#report(exhausted, false, this.#exchange);
      return;
    }
    for (const watch of this.#observed) this.#watch(watch);
  }
}
