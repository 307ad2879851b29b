/**
 * Who grants leases. There is one for all workers of a node (the supervisor's); it owns the counters, so what it has granted is
 * never more than a limit allows. What a worker held when it died is taken for used, except permits, which come back.
 */
import type { Clock } from '../../kernel/clock.ts';
import { spareOf } from './ahead.ts';
import { CalendarCounter, type Counter } from './counter.ts';
import type { Holding } from './holding.ts';
import { KeyLimits } from './keylimits.ts';
import { type Counters, countersOf, type Rule, sameRefill } from './rule.ts';
import { nearestFirst, type Standing, standingOf } from './standing.ts';

/**
 * What a holder says about one key of one rule. Sums run from the beginning of `epoch`, so a message that is lost or comes twice
 * changes nothing: the next one says it again.
 */
export interface LeaseAsk {
  rule: string;
  key: string;
  /** Which of the leases that the holder had for this key, growing. */
  epoch: number;
  /** Sum of what it has been granted, as far as it knows. */
  granted: number;
  /** Sum of the units that it holds no more. */
  back: number;
  /** Sum of the units that were used; more than `back` where more was used than was reserved. */
  used: number;
  /** Units that requests wait for. */
  need: number;
  /** The smallest request that waits: less than this is of no use. */
  least: number;
  /** Units it would like to have beside, for requests to come. */
  wish: number;
}

/** What it is told. */
export interface LeaseGrant {
  /** Sum of what it has been granted in this epoch. */
  granted: number;
  /** When less than `least` could be granted: milliseconds after which asking again makes sense; infinite: never. */
  retryAfterMs: number;
  /** Milliseconds from the question on, after which units in hand must not be used; infinite where one process decides alone. */
  ttlMs: number;
  /** Units of the limit that are free after this, and milliseconds until all of them are. */
  free: number;
  resetMs: number;
}

/** Grants leases to holders. */
export interface Authority {
  /** One batch of a holder; grants in the same order. */
  exchange(holder: number, asks: readonly LeaseAsk[]): LeaseGrant[] | Promise<LeaseGrant[]>;
  /** A holder has died. */
  gone(holder: number): void;
}

interface Account {
  counter: Counter;
  /** Units that this key has beyond the limit of the rule; negative: less. */
  extra: number;
  /** Units that the ledger has and no worker of ours has told, of the period `outsideIn`. */
  outside: number;
  outsideIn: number;
  /** Few workers, so a list. */
  holdings: Holding[];
}

interface Book {
  rule: Rule;
  counters: Counters;
  accounts: Map<string, Account>;
}

/** When a worker may ask again about a rule that is not known here (yet), in milliseconds. */
const UNKNOWN_RULE_MS = 50;
/** Accounts looked at for each new one, when a rule has as many as it may. */
const EVICT_STEP = 8;

/** The authority of one process. */
export class LocalAuthority implements Authority {
  readonly #clock: Clock;
  readonly #books = new Map<string, Book>();
  readonly #maxKeys: number;
  readonly #keyLimits = new KeyLimits();
  /** Accounts that were dropped while something was counted, because strangers made too many. */
  evicted = 0;

  /** `maxKeys`: accounts that one rule may have of keys that strangers can make. */
  constructor(clock: Clock, maxKeys = 200_000) {
    this.#clock = clock;
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
        book.counters.setLimit(rule.limit);
        for (const [key, account] of book.accounts) account.extra = this.#extraOf(rule, key);
      } else {
        this.#books.set(rule.name, { rule, counters: countersOf(rule, this.#clock), accounts: new Map() });
      }
    }
  }

  exchange(holder: number, asks: readonly LeaseAsk[]): LeaseGrant[] {
    const now = this.#clock.now();
    return asks.map((ask) => this.#serve(holder, ask, now));
  }

  gone(holder: number): void {
    const now = this.#clock.now();
    for (const { rule, accounts } of this.#books.values()) {
      for (const { counter, holdings } of accounts.values()) {
        for (let i = holdings.length - 1; i >= 0; i--) {
          if (holdings[i]?.holder !== holder) continue;
          const [{ granted, back }] = holdings.splice(i, 1) as [Holding];
          counter.settle(granted - back, rule.refill.type === 'held' ? 0 : granted - back, now);
        }
      }
    }
  }

  /** Counters that are not empty, those with the smallest share free first. */
  standings(most = 100): Standing[] {
    const now = this.#clock.now();
    const all: Standing[] = [];
    for (const { rule, accounts } of this.#books.values()) {
      for (const [key, { counter, extra }] of accounts) {
        const standing = standingOf(rule, key, counter, extra, now);
        if (standing !== undefined) all.push(standing);
      }
    }
    return nearestFirst(all, most);
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
    account.outside = 0;
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
    if (units <= before) return;
    account.outside = units;
    account.outsideIn = startedAt;
    account.counter.settle(0, units - before, now);
  }

  /** Units of a calendar limit that a key has used in this period, as far as was told. */
  usedOf(rule: string, key: string): number {
    const counter = this.#books.get(rule)?.accounts.get(key)?.counter;
    return counter instanceof CalendarCounter ? counter.used(this.#clock.now()) : 0;
  }

  #extraOf(rule: Rule, key: string): number {
    return this.#keyLimits.of(rule, key) - rule.limit;
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
    if (book === undefined)
      return {
        granted: ask.granted,
        retryAfterMs: UNKNOWN_RULE_MS,
        ttlMs: Number.POSITIVE_INFINITY,
        free: 0,
        resetMs: 0,
      };
    const account = this.#account(book, ask.key, now);
    const { counter, extra } = account;
    const holding = this.#holding(account, holder, ask, now);
    const back = Math.max(0, Math.min(ask.back, holding.granted) - holding.back);
    const used = Math.max(0, ask.used - holding.used);
    if (back > 0 || used > 0) counter.settle(back, used, now);
    holding.back += back;
    holding.used += used;
    const free = Math.floor(counter.free(now)) + extra;
    let units = 0;
    let retryAfterMs = 0;
    if (ask.need > 0 && free < ask.least) retryAfterMs = counter.retryAfter(Math.max(ask.least - extra, 0), now);
    else {
      units = Math.max(0, Math.min(ask.need, free));
      if (units === ask.need) units += Math.max(0, Math.min(ask.wish, spareOf(book.rule.limit + extra, free - units)));
      counter.hold(units, now);
      holding.granted += units;
    }
    return {
      granted: holding.granted,
      retryAfterMs,
      ttlMs: Number.POSITIVE_INFINITY,
      free: Math.max(0, free - units),
      resetMs: counter.resetMs(now),
    };
  }

  #holding({ counter, holdings }: Account, holder: number, ask: LeaseAsk, now: number): Holding {
    const { epoch, granted, back, used } = ask;
    for (let i = holdings.length - 1; i >= 0; i--) {
      const one = holdings[i] as Holding;
      if (one.holder !== holder) continue;
      if (one.epoch === epoch) return one;
      // It began anew, and holds nothing of what it had before.
      if (one.epoch < epoch && one.granted === one.back) holdings.splice(i, 1);
    }
    // Usually all sums are 0. After an account was dropped, or an authority started anew, what a worker holds it holds.
    const holding = { holder, epoch, granted, back, used };
    counter.hold(granted - back, now);
    holdings.push(holding);
    return holding;
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
    if (!book.rule.known && accounts.size >= this.#maxKeys) this.#evict(book, now);
    account = {
      counter: book.counters.make(now),
      extra: this.#extraOf(book.rule, key),
      outside: 0,
      outsideIn: 0,
      holdings: [],
    };
    accounts.set(key, account);
    return account;
  }

  /** Makes room: empty accounts among the oldest first; when there are none, the oldest of which nothing is held. */
  #evict({ accounts }: Book, now: number): void {
    let oldest: string | undefined;
    let looked = 0;
    for (const [key, { counter, holdings }] of accounts) {
      if (counter.empty(now)) {
        accounts.delete(key);
        if (accounts.size < this.#maxKeys) return;
      } else if (oldest === undefined && holdings.every(({ granted, back }) => granted === back)) oldest = key;
      if (++looked >= EVICT_STEP) break;
    }
    if (oldest !== undefined && accounts.size >= this.#maxKeys) {
      accounts.delete(oldest);
      this.evicted++;
    }
  }
}
