/**
 * An authority that has nothing of its own: what it grants to workers it has leased from a store that several nodes share, or
 * that outlives this process. To the store it is a holder with leases (leases.ts), as workers are to it.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Claim, Exhausted } from './claim.ts';
import { takeOut, type UsedOf, unsaidOf } from './closing.ts';
import { UNKNOWN_WAIT } from './counter.ts';
import type { Holding } from './holding.ts';
import type { Lease, LeaseRule, Waiter } from './lease.ts';
import { type AskAuthority, Leases } from './leases.ts';
import type { Authority, LeaseAsk, LeaseGrant } from './protocol.ts';
import type { Rule } from './rule.ts';
import { Told } from './told.ts';

/** When a worker may ask again about a rule that is not known here (yet), in milliseconds. */
const UNKNOWN_RULE_MS = 50;
/** Keys of budgets of which it is remembered that they are spent. */
const ENDED_MOST = 10_000;

/** A worker's question that waits for the store. */
class Asking implements Waiter {
  readonly #pool: PooledAuthority;
  readonly #claim: Claim & { least: number };
  readonly #holding: Holding;
  readonly #wish: number;
  readonly #done: (grant: LeaseGrant) => void;

  constructor(
    pool: PooledAuthority,
    claim: Claim & { least: number },
    holding: Holding,
    wish: number,
    done: (grant: LeaseGrant) => void,
  ) {
    this.#pool = pool;
    this.#claim = claim;
    this.#holding = holding;
    this.#wish = wish;
    this.#done = done;
  }

  retry(): void {
    const grant = this.#pool.draw(this.#claim, this.#holding, this.#wish, this);
    if (grant !== undefined) this.#done(grant);
  }
}

/** See the file's head. */
export class PooledAuthority implements Authority {
  readonly #clock: Clock;
  readonly #leases: Leases;
  readonly #rules = new Map<string, LeaseRule>();
  /** Of a budget: what workers have said to have used. */
  readonly #told = new Map<string, Told>();
  /** Keys of budgets that are spent, and until when (monotonic milliseconds). */
  readonly #ended = new Map<string, number>();

  /** `ask` reaches the store. */
  constructor(clock: Clock, ask: AskAuthority) {
    this.#clock = clock;
    this.#leases = new Leases(clock, ask);
  }

  /** Goes over to these rules. */
  configure(rules: readonly Rule[]): void {
    this.#rules.clear();
    for (const rule of rules) this.#rules.set(rule.name, this.#leases.rule(rule));
    for (const name of this.#told.keys()) if (!this.#rules.has(name)) this.#told.delete(name);
  }

  /** Whether it counts a rule of this name. */
  has(rule: string): boolean {
    return this.#rules.has(rule);
  }

  exchange(holder: number, asks: readonly LeaseAsk[]): LeaseGrant[] | Promise<LeaseGrant[]> {
    let waits = false;
    const grants = asks.map((ask) => {
      const grant = this.#serve(holder, ask);
      if (grant instanceof Promise) waits = true;
      return grant;
    });
    return waits ? Promise.all(grants) : (grants as LeaseGrant[]);
  }

  gone(holder: number): void {
    for (const { rule, leases, permits } of this.#rules.values()) {
      // What it has used of a budget will be known from what it has written down.
      if (rule.budget !== undefined) continue;
      for (const lease of leases.values()) {
        const held = lease.holdings === undefined ? 0 : takeOut(lease.holdings, holder);
        if (held > 0) this.#leases.settle(lease, held, permits ? 0 : held);
      }
    }
  }

  /** What a holder that has died has used of its budgets is known now: the rest of what it held comes back. */
  closed(holder: number, usedOf: UsedOf): void {
    for (const [name, { rule, leases }] of this.#rules) {
      if (rule.budget === undefined) continue;
      const told = this.#told.get(name);
      for (const [key, lease] of leases) {
        const held = lease.holdings === undefined ? 0 : takeOut(lease.holdings, holder);
        const unsaid = unsaidOf(held, usedOf(name, key), told === undefined ? 0 : told.of(key, holder));
        if (held > 0 || unsaid > 0) this.#leases.settle(lease, held, unsaid);
      }
      told?.forget(holder);
    }
  }

  /** A request was refused because what is left of a budget is less than it needs, in the period that runs. */
  exhausted(rule: string, key: string): boolean {
    return (this.#ended.get(`${rule}\n${key}`) ?? 0) > this.#clock.now();
  }

  /** Whether the store knows all that workers had told when this was last begun (`anew`). */
  caughtUp(anew: boolean): boolean {
    return this.#leases.caughtUp(anew);
  }

  /** The key of a rule that fits, among those that this node holds or has lately held something of. */
  keyNamed(rule: string, fits: (key: string) => boolean): string | undefined {
    for (const key of this.#rules.get(rule)?.leases.keys() ?? []) if (fits(key)) return key;
    return undefined;
  }

  /** Keys of all rules that this node holds or has lately held something of. */
  get size(): number {
    return this.#leases.size;
  }

  /** Units of all rules that this node holds. */
  get held(): number {
    let held = 0;
    for (const { leases } of this.#rules.values())
      for (const { granted, back } of leases.values()) held += granted - back;
    return held;
  }

  /** Tells and gives back everything; what workers hold stays held. */
  close(): Promise<void> {
    return this.#leases.close();
  }

  /** Grants what is in hand, or says why nothing is; undefined: `waiter` is told when there may be some. */
  draw(claim: Claim & { least: number }, holding: Holding, wish: number, waiter: Waiter): LeaseGrant | undefined {
    const { lease, units: need, least } = claim;
    const now = this.#clock.now();
    const some = lease.expiresAt > now ? Math.floor(Math.min(need, lease.idle)) : 0;
    if (some < need && (some < least || some <= 0)) {
      const verdict = this.#leases.take([claim], waiter);
      if (verdict === 'wait') return undefined;
      if (verdict !== undefined && claim.rule.budget !== undefined) this.#noteEnd(lease, verdict, now);
      return grantOf(lease, holding, now, verdict);
    }
    // The other workers' part of what is left stays here.
    const more = some < need ? 0 : Math.max(0, Math.min(wish, Math.floor((lease.idle - some) / 2)));
    holding.granted += some + more;
    this.#leases.take([{ lease, units: some + more, rule: claim.rule }], waiter);
    return grantOf(lease, holding, now, undefined);
  }

  #serve(holder: number, ask: LeaseAsk): LeaseGrant | Promise<LeaseGrant> {
    const owner = this.#rules.get(ask.rule);
    if (owner === undefined)
      return { granted: ask.granted, retryAfterMs: UNKNOWN_RULE_MS, ttlMs: UNKNOWN_RULE_MS, free: 0, resetMs: 0 };
    const lease = this.#leases.lease(owner, ask.key);
    const holding = this.#holding(lease, holder, ask);
    if (ask.granted > holding.granted) {
      // By another process that has decided meanwhile.
      this.#leases.adopt(lease, ask.granted - holding.granted);
      holding.granted = ask.granted;
    }
    const back = Math.max(0, Math.min(ask.back, holding.granted) - holding.back);
    const used = Math.max(0, ask.used - holding.used);
    holding.back += back;
    holding.used += used;
    if (back > 0 || used > 0) this.#leases.settle(lease, back, used);
    if (used > 0 && owner.rule.budget !== undefined) this.#say(ask.rule, ask.key, holder, used);
    if (ask.need <= 0) return grantOf(lease, holding, this.#clock.now(), undefined);
    const claim = { lease, units: ask.need, least: ask.least, rule: owner.rule };
    let done: (grant: LeaseGrant) => void = () => {};
    const later = new Promise<LeaseGrant>((resolve) => {
      done = resolve;
    });
    return this.draw(claim, holding, ask.wish, new Asking(this, claim, holding, ask.wish, done)) ?? later;
  }

  #say(rule: string, key: string, holder: number, used: number): void {
    const told = this.#told.get(rule) ?? new Told();
    this.#told.set(rule, told);
    told.add(key, holder, used);
  }

  /** Not when it will do once what is under way has ended, or would never do. */
  #noteEnd({ owner, key, resetAt }: Lease, { retryAfterMs, lost }: Exhausted, now: number): void {
    if (lost || retryAfterMs <= UNKNOWN_WAIT || retryAfterMs === Number.POSITIVE_INFINITY || resetAt <= now) return;
    if (this.#ended.size >= ENDED_MOST) this.#ended.delete(this.#ended.keys().next().value as string);
    this.#ended.set(`${owner.rule.name}\n${key}`, resetAt);
  }

  #holding(lease: Lease, holder: number, ask: LeaseAsk): Holding {
    lease.holdings ??= [];
    const { holdings } = lease;
    for (let i = holdings.length - 1; i >= 0; i--) {
      const one = holdings[i] as Holding;
      if (one.holder !== holder) continue;
      if (one.epoch === ask.epoch) return one;
      // It began anew, and holds nothing of what it had before.
      if (one.epoch < ask.epoch && one.granted === one.back) holdings.splice(i, 1);
    }
    const { epoch, granted, heardBack: back, heardUsed: used } = ask;
    if (holder < 0) {
      // A worker of the process before us: what it has from there was written down as used when we began.
      const holding = { holder, epoch, granted, back: granted, used: used + granted - back };
      holdings.push(holding);
      return holding;
    }
    const holding = { holder, epoch, granted, back, used };
    holdings.push(holding);
    // What it had from whoever was here before us counts as granted by us.
    this.#leases.adopt(lease, granted - back);
    return holding;
  }
}

function grantOf(lease: Lease, holding: Holding, now: number, exhausted: Exhausted | undefined): LeaseGrant {
  return {
    granted: holding.granted,
    retryAfterMs: exhausted?.retryAfterMs ?? 0,
    ttlMs: Math.max(0, lease.expiresAt - now),
    free: Math.max(0, lease.free + lease.idle),
    resetMs: Math.max(0, lease.resetAt - now),
    ...(exhausted?.lost ? { lost: true } : {}),
    ...(exhausted?.missing === undefined ? {} : { missing: exhausted.missing }),
  };
}
