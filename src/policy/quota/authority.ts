/**
 * Who grants leases. There is one for all workers of a node (the supervisor's); it owns the counters, so what it has granted is
 * never more than a limit allows. What a worker held when it died is taken for used, except permits, which come back.
 */
import type { Clock } from '../../kernel/clock.ts';
import { type Account, type Book, evict, newAccount, newBook, newCounter, sweep } from './book.ts';
import { CalendarCounter } from './calendarcounter.ts';
import { closeHolder, takeOut } from './closing.ts';
import { grantOf } from './grant.ts';
import { handOver, takeOver } from './handover.ts';
import type { Holding } from './holding.ts';
import { KeyLimits } from './keylimits.ts';
import type { Authority, Counted, LeaseAsk, LeaseGrant } from './protocol.ts';
import { countersOf, type Rule, sameRefill } from './rule.ts';
import { Nearest, type Standing, standingOf } from './standing.ts';

/** When a worker may ask again about a rule that is not known here (yet), in milliseconds. */
const UNKNOWN_RULE = { retryAfterMs: 50, ttlMs: Number.POSITIVE_INFINITY, free: 0, resetMs: 0 };

/** The authority of one process. */
export class LocalAuthority implements Authority {
  readonly #clock: Clock;
  readonly #books = new Map<string, Book>();
  readonly #maxKeys: number;
  readonly #keyLimits: KeyLimits;
  #nodes = 1;
  readonly #random = () => this.#clock.random();
  /** Accounts that were dropped while something was counted, because strangers made too many; what was counted is remembered. */
  evicted = 0;

  /** `maxKeys`: accounts that one rule may have of keys that strangers can make. `keyLimits`: what `limitKey` writes to. */
  constructor(clock: Clock, maxKeys = 200_000, keyLimits = new KeyLimits()) {
    this.#clock = clock;
    this.#keyLimits = keyLimits;
    this.#maxKeys = maxKeys;
  }

  /** Goes over to these rules. Accounts of rules that stay go on, with the new limit. */
  configure(rules: readonly Rule[]): void {
    const names = new Set(rules.map(({ name }) => name));
    // Of rules that are named twice the later one holds: what is about to come in force, after what is.
    for (const name of this.#books.keys()) if (!names.has(name)) this.#books.delete(name);
    for (const rule of rules) {
      const book = this.#books.get(rule.name);
      if (book !== undefined && sameRefill(book.rule, rule)) {
        book.rule = rule;
        book.counters.setLimit(rule.limit, this.#nodes);
        for (const [key, account] of book.accounts) account.extra = this.#extraOf(rule, key);
      } else {
        const counters = countersOf(rule, this.#clock);
        counters.setLimit(rule.limit, this.#nodes);
        this.#books.set(rule.name, newBook(rule, counters));
      }
    }
  }

  /** Grants no more than one of so many nodes may. */
  divide(nodes: number): void {
    this.#nodes = nodes;
    for (const { rule, counters, accounts } of this.#books.values()) {
      counters.setLimit(rule.limit, nodes);
      for (const [key, account] of accounts) account.extra = this.#extraOf(rule, key);
    }
  }

  /** Units of a key that are used or held. */
  counted(rule: string, key: string): number {
    const book = this.#books.get(rule);
    const account = book?.accounts.get(key);
    if (book === undefined || account === undefined) return 0;
    const now = this.#clock.now();
    return Math.max(0, book.counters.make(now).free(now) - account.counter.free(now));
  }

  /** Counts units as used that nobody has reported. */
  spend(rule: string, key: string, units: number): void {
    const book = this.#books.get(rule);
    if (book === undefined || units <= 0) return;
    const now = this.#clock.now();
    const { counter, extra } = this.#account(book, key, now);
    counter.settle(0, units, now, extra);
  }

  exchange(holder: number, asks: readonly LeaseAsk[]): LeaseGrant[] {
    const now = this.#clock.now();
    return asks.map((ask) => this.#serve(holder, ask, now));
  }

  /** What holders have of a key. */
  holdingsOf(rule: string, key: string): readonly Holding[] {
    return this.#books.get(rule)?.accounts.get(key)?.holdings ?? [];
  }

  gone(holder: number): void {
    const now = this.#clock.now();
    for (const { rule, accounts } of this.#books.values()) {
      // What it has used of a budget will be known from what it has written down.
      if (rule.budget !== undefined) continue;
      for (const { counter, holdings } of accounts.values()) {
        const held = takeOut(holdings, holder);
        if (held > 0) counter.settle(held, rule.refill.type === 'held' ? 0 : held, now);
      }
    }
  }

  /** What a holder that has died has used of its budgets is known now; see `closeHolder`. */
  closed(holder: number, usedOf: (rule: string, key: string) => number | undefined): void {
    closeHolder(this.#books.values(), holder, usedOf, this.#clock.now());
  }

  /** Counters that are not empty, those with the smallest share free first. */
  standings(most = 100): Standing[] {
    const now = this.#clock.now();
    const nearest = new Nearest(most);
    for (const { rule, accounts } of this.#books.values()) {
      for (const [key, { counter, extra }] of accounts) {
        if (!nearest.wants(counter.free(now) + extra, rule.limit + extra)) continue;
        const standing = standingOf(rule, key, counter, extra, now);
        if (standing !== undefined) nearest.add(standing);
      }
    }
    return nearest.list();
  }

  /** Forgets what was counted for a key, but not what is held now. Returns whether there was something. */
  release(rule: string, key: string): boolean {
    const book = this.#books.get(rule);
    const account = book?.accounts.get(key);
    if (book === undefined || account === undefined) return false;
    const now = this.#clock.now();
    const counter = book.counters.make(now);
    for (const { granted, back } of account.holdings) counter.hold(granted - back, now);
    account.counter = counter;
    account.outside = account.endedUntil = 0;
    return true;
  }

  /** The key of a rule that fits, among those that were seen. */
  keyNamed(rule: string, fits: (key: string) => boolean): string | undefined {
    for (const key of this.#books.get(rule)?.accounts.keys() ?? []) if (fits(key)) return key;
    return undefined;
  }

  /** Gives one key a limit of its own, or takes it away (undefined); holds at once and through `configure`. */
  limitKey(rule: string, key: string, limit: number | undefined): void {
    this.#keyLimits.set(rule, key, limit);
    const book = this.#books.get(rule);
    const account = book?.accounts.get(key);
    if (book !== undefined && account !== undefined) account.extra = this.#extraOf(book.rule, key);
  }

  /** The limit that a key has now, whether it was seen before or not. */
  limitOf(rule: Rule, key: string): number {
    return this.#keyLimits.of(rule, key);
  }

  /** Of a calendar limit: units that were used in the period that began at `startedAt`, and were told by others than its holders. */
  setOutside(rule: string, key: string, units: number, startedAt: number): void {
    const book = this.#books.get(rule);
    if (book === undefined) return;
    const now = this.#clock.now();
    const account = this.#account(book, key, now);
    const before = account.outsideIn === startedAt ? account.outside : 0;
    if (units === before) return;
    account.outside = units;
    account.outsideIn = startedAt;
    account.counter.settle(0, units - before, now);
  }

  /** Units of a calendar limit that a key has used in this period, as far as was told. */
  usedOf(rule: string, key: string): number {
    const counter = this.#books.get(rule)?.accounts.get(key)?.counter;
    return counter instanceof CalendarCounter ? counter.used(this.#clock.now()) : 0;
  }

  /** A request was refused because what is left of a budget is less than it needs, in the period that runs. */
  exhausted(rule: string, key: string): boolean {
    return (this.#books.get(rule)?.accounts.get(key)?.endedUntil ?? 0) > this.#clock.now();
  }

  #extraOf(rule: Rule, key: string): number {
    return Math.floor((this.#keyLimits.of(rule, key) - rule.limit) / this.#nodes);
  }

  /** Another process is to go on; see `handOver`. */
  handOver(): Counted[] {
    return handOver(this.#books.values(), this.#clock.now());
  }

  /** Goes on for another process; see `takeOver`. */
  takeOver(counted: readonly Counted[]): void {
    const now = this.#clock.now();
    for (const one of counted) {
      const book = this.#books.get(one.rule);
      if (book !== undefined) takeOver(book, one, now, () => this.#account(book, one.key, now));
    }
  }

  /** Accounts of all rules. */
  get size(): number {
    let size = 0;
    for (const { accounts } of this.#books.values()) size += accounts.size;
    return size;
  }

  #serve(holder: number, ask: LeaseAsk, now: number): LeaseGrant {
    const book = this.#books.get(ask.rule);
    // A worker that is ahead of us, or behind, by a configuration: nothing is granted that nobody counts.
    if (book === undefined) return { granted: ask.granted, ...UNKNOWN_RULE };
    return grantOf(book, this.#account(book, ask.key, now), holder, ask, now);
  }

  #account(book: Book, key: string, now: number): Account {
    const { accounts } = book;
    let account = accounts.get(key);
    if (account !== undefined) {
      // When it gets tight, whoever has asked last is last to go.
      if (!book.rule.known && accounts.size > this.#maxKeys / 2) {
        accounts.delete(key);
        accounts.set(key, account);
      }
      return account;
    }
    const { known } = book.rule;
    if (known || accounts.size <= this.#maxKeys / 2) sweep(book, now);
    else if (accounts.size >= this.#maxKeys && evict(book, now, this.#maxKeys, this.#random)) this.evicted++;
    const extra = this.#extraOf(book.rule, key);
    account = newAccount(newCounter(book, key, extra, now), extra);
    accounts.set(key, account);
    return account;
  }
}
