/**
 * A worker's leases. A request that claims units of some limits takes them from what is in hand, all or none; when something is
 * missing the authority is asked, in one batch for all requests of a turn. What is not used goes back soon.
 */
import type { Clock, Timer } from '../../kernel/clock.ts';
import { type Claim, type Exhausted, refusalOf } from './claim.ts';
import { Lease, LeaseRule, type Waiter } from './lease.ts';
import type { LeaseAsk, LeaseGrant, RecallNote } from './protocol.ts';
import { mostOf, type Rule, sameRefill } from './rule.ts';

/** Asks the authority; rejects when it cannot be reached. */
export type AskAuthority = (asks: LeaseAsk[]) => Promise<readonly LeaseGrant[]>;

/** How often leases are looked through, in milliseconds. */
const SWEEP_MS = 50;
/** Leases that one rule may have: beyond, those with nothing in hand are dropped at once. */
const MAX_LEASES = 100_000;
/** As many leases are looked at to make room for a new one. */
const LOOK_MOST = 32;
/** A refusal is believed for this long at most: units that others held may have come back (milliseconds). */
const BELIEF_MS = 100;
/** When the authority cannot be reached, ask again after this many milliseconds. */
const UNREACHED_MS = 250;

/** See the file's head. */
export class Leases {
  readonly #clock: Clock;
  readonly #ask: AskAuthority;
  readonly #rules = new Map<string, LeaseRule>();
  /** Leases that need a look: something in hand, or to be told. */
  #listed: Lease[] = [];
  #wanting: Lease[] = [];
  #owed: { lease: Lease; back: number; used: number }[] = [];
  #timer: Timer | undefined;
  #epochs = 0;

  constructor(clock: Clock, ask: AskAuthority) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /** The leases of a rule; those of a rule of this name before go on where only its limit has changed. */
  rule(rule: Rule): LeaseRule {
    const before = this.#rules.get(rule.name);
    if (before !== undefined && sameRefill(before.rule, rule)) return before;
    const made = new LeaseRule(rule);
    this.#rules.set(rule.name, made);
    return made;
  }

  /** The lease of a key. */
  lease(owner: LeaseRule, key: string): Lease {
    let lease = owner.leases.get(key);
    if (lease === undefined) {
      lease = new Lease(owner, key, ++this.#epochs);
      if (owner.leases.size >= MAX_LEASES) this.#dropQuiet(owner);
      owner.leases.set(key, lease);
    }
    return lease;
  }

  /**
   * Takes all claims, or none. Undefined: taken. `Exhausted`: refused. 'wait': `waiter.retry` is called when trying again
   * makes sense; a request that leaves meanwhile calls `forget`.
   */
  take(claims: readonly Claim[], waiter: Waiter): Exhausted | 'wait' | undefined {
    const now = this.#clock.now();
    for (let i = 0; i < claims.length; i++) {
      const claim = claims[i] as Claim;
      const { lease, units } = claim;
      if (lease.idle >= units && lease.expiresAt > now) continue;
      // A key may have a larger budget than others, which the authority knows.
      if (claim.rule.budget === undefined && (claim.least ?? units) > mostOf(claim.rule))
        return { rule: claim.rule, key: lease.key, retryAfterMs: Number.POSITIVE_INFINITY, lost: false };
      const refusal = refusalOf(claim, now);
      if (refusal !== undefined) return refusal;
      lease.waiters.push({ waiter, units, least: claim.least ?? units });
      lease.need += units;
      this.#want(lease);
      return 'wait';
    }
    for (let i = 0; i < claims.length; i++) {
      const { lease, units } = claims[i] as Claim;
      lease.take(units);
      if (!lease.listed) this.#list(lease);
    }
    return undefined;
  }

  /** Units that may be taken of a lease now. */
  inHand(lease: Lease): number {
    return lease.expiresAt > this.#clock.now() ? lease.idle : 0;
  }

  /** A waiting request has gone. */
  forget(claims: readonly Claim[], waiter: Waiter): void {
    for (const { lease } of claims) {
      const at = lease.waiters.findIndex((one) => one.waiter === waiter);
      if (at < 0) continue;
      lease.need -= (lease.waiters[at] as { units: number }).units;
      lease.waiters.splice(at, 1);
    }
  }

  /** Says what became of what was taken; `used` units of `taken`. */
  settle(lease: Lease, taken: number, used: number): void {
    lease.settle(taken, used);
    if (!lease.listed) this.#list(lease);
    const { permits, lump } = lease.owner;
    if (permits || taken - used < lump || lease.plenty) return;
    lease.giveBack(); // Others may be waiting for just that.
    this.#want(lease);
  }

  /** Takes over units that others have in hand and that were granted to nobody here; the authority learns of them. */
  adopt(lease: Lease, units: number): void {
    if (units <= 0) return;
    lease.granted += units;
    lease.flight += units;
    if (!lease.listed) this.#list(lease);
  }

  /** Others want for some of it: what lies idle here goes back at once. */
  recall({ rule, key, number }: RecallNote): void {
    const lease = this.#rules.get(rule)?.leases.get(key);
    if (lease === undefined) return;
    lease.recalled = number;
    lease.giveBack();
    if (!lease.listed) this.#list(lease);
    this.#want(lease);
  }

  /** What is in hand of these rules is not used any more, unless it is granted anew. */
  forgo(which: (rule: Rule) => boolean): void {
    for (const { rule, leases } of this.#rules.values())
      if (which(rule)) for (const lease of leases.values()) lease.expiresAt = 0;
  }

  /** Tells and gives back everything; for a worker that ends. Resolves when the authority has been told. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const all = this.#listed;
    this.#listed = [];
    for (const lease of all) {
      lease.listed = false;
      lease.giveBack();
    }
    const telling = all.filter((lease) => lease.untold);
    if (telling.length > 0) await this.#exchange(telling);
  }

  #list(lease: Lease): void {
    lease.listed = true;
    if (lease.sweptAt === 0) lease.sweptAt = this.#clock.now();
    this.#listed.push(lease);
    this.#timer ??= this.#clock.every(SWEEP_MS, () => this.#sweep());
  }

  #want(lease: Lease): void {
    lease.wanted = lease.asking;
    if (lease.asking) return;
    lease.asking = true;
    if (this.#wanting.push(lease) > 1) return;
    queueMicrotask(() => {
      const wanting = this.#wanting;
      this.#wanting = [];
      void this.#exchange(wanting);
    });
  }

  async #exchange(leases: readonly Lease[]): Promise<void> {
    const sentAt = this.#clock.now();
    // What must not be used any more goes back before anything new comes, which would last longer.
    for (const lease of leases) if (lease.expiresAt <= sentAt) lease.giveBack();
    const asks = leases.map((lease) => lease.question());
    let grants: readonly LeaseGrant[] | undefined;
    try {
      grants = await this.#ask(asks);
    } catch {
      // Said nothing: what was to be told is still to be told.
    }
    const now = this.#clock.now();
    for (let i = 0; i < leases.length; i++) {
      const lease = leases[i] as Lease;
      const ask = asks[i] as LeaseAsk;
      const grant = grants?.[i];
      lease.asking = false;
      lease.lost = grant === undefined || grant.lost === true;
      if (grant === undefined || grant.lost === true) {
        lease.refused = 0;
        // Not all at once.
        lease.emptyUntil = lease.retryAt = now + UNREACHED_MS * (1 + this.#clock.random() / 4);
      } else {
        const expiresAt = sentAt + grant.ttlMs;
        // What a node grants itself gives what it had from the store no more time.
        if (grant.own !== true || lease.idle === 0 || expiresAt < lease.expiresAt) {
          lease.expiresAt = expiresAt;
          lease.renewAt = sentAt + grant.ttlMs / 2;
        }
        lease.idle += grant.granted - lease.granted;
        lease.granted = grant.granted;
        if (grant.own !== true) {
          lease.backTold = ask.back;
          lease.usedTold = ask.used;
          lease.home = grant.home ?? '';
        }
        lease.missing = grant.missing;
        lease.free = grant.free;
        lease.resetAt = now + grant.resetMs;
        lease.refused = ask.least;
        lease.emptyUntil = now + Math.min(grant.retryAfterMs, BELIEF_MS);
        lease.retryAt = now + grant.retryAfterMs;
      }
      if (!lease.listed && !lease.quiet) this.#list(lease);
      lease.wake();
      if (lease.wanted && grant !== undefined) this.#want(lease);
    }
  }

  #sweep(): void {
    const now = this.#clock.now();
    const stay: Lease[] = [];
    const telling: Lease[] = [];
    for (const lease of this.#listed) {
      const renew = now >= lease.renewAt && (lease.idle > 0 || lease.flight > 0);
      const due = now >= lease.sweptAt + lease.restMs;
      if (due) {
        lease.sweptAt = now;
        if (lease.taken === 0 || lease.expiresAt <= now) lease.giveBack();
        else lease.keep(Math.max(lease.taken * 2, lease.owner.change));
        lease.takenBefore = lease.taken;
        lease.taken = 0;
      }
      if (!lease.asking && (renew || (due && (lease.untold || lease.lost)))) telling.push(lease);
      if (lease.quiet && telling.at(-1) !== lease) lease.listed = false;
      else stay.push(lease);
    }
    this.#listed = stay;
    if (stay.length === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
    if (telling.length > 0) {
      for (const lease of telling) lease.asking = true;
      void this.#exchange(telling);
    }
  }

  /**
   * Whether the authority knows all that was to be told when this was last begun (`anew`); what it does not know is told at once. What
   * comes up meanwhile does not count, or who is busy would never be done.
   */
  caughtUp(anew: boolean): boolean {
    if (anew) {
      this.#owed = this.#listed.filter(({ untold }) => untold).map((lease) => ({ lease, ...lease.sums }));
      // It may have been granted by others than the authority.
      for (const lease of this.#listed) if (lease.idle > 0 || lease.flight > 0) this.#want(lease);
    }
    this.#owed = this.#owed.filter(({ lease, back, used }) => lease.backTold < back || lease.usedTold < used);
    for (const { lease } of this.#owed) if (!lease.asking) this.#want(lease);
    return this.#owed.length === 0;
  }

  /** Leases of all rules. */
  get size(): number {
    let size = 0;
    for (const { leases } of this.#rules.values()) size += leases.size;
    return size;
  }

  #dropQuiet({ leases, eldest }: LeaseRule): void {
    for (let looked = 0; looked < LOOK_MOST && leases.size >= MAX_LEASES; looked++) {
      const found = eldest.take();
      if (found === undefined) return;
      // In use: looked at again after all others.
      if (!found[1].quiet) eldest.renew(found);
    }
  }
}
