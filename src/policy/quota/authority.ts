/**
 * Who grants leases. There is one for all workers of a node (the supervisor's); it owns the counters, so what it has granted is
 * never more than a limit allows. What a worker held when it died is taken for used, except permits, which come back.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Counter } from './counter.ts';
import type { Holding } from './holding.ts';
import type { Authority, Counted, LeaseAsk, LeaseGrant } from './protocol.ts';
import { type Counters, countersOf, type Rule, sameRefill } from './rule.ts';

/** State of one rule for one key, for operators. */
export interface Standing {
  rule: string;
  key: string;
  limit: number;
  free: number;
}

interface Account {
  counter: Counter;
  /** Few workers, so a list. */
  holdings: Holding[];
  /** Units that another process grants. */
  given: number;
}

interface Book {
  rule: Rule;
  counters: Counters;
  accounts: Map<string, Account>;
}

/** Share of what is free that one wish may take: the rest is for the others. */
const WISH_SHARE = 4;
/** When a worker may ask again about a rule that is not known here (yet), in milliseconds. */
const UNKNOWN_RULE_MS = 50;
/** Part of a limit that is granted ahead at once; a quarter of it when less than half of the limit is free. */
const AHEAD_SHARE = 32;
/** Accounts looked at for each new one, when a rule has as many as it may. */
const EVICT_STEP = 8;

/** The authority of one process. */
export class LocalAuthority implements Authority {
  readonly #clock: Clock;
  readonly #books = new Map<string, Book>();
  readonly #maxKeys: number;
  #nodes = 1;
  /** Keys that are not known yet are for the process that takes over. */
  #handed = false;
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
        book.counters.setLimit(rule.limit, this.#nodes);
      } else {
        const counters = countersOf(rule, this.#clock);
        counters.setLimit(rule.limit, this.#nodes);
        this.#books.set(rule.name, { rule, counters, accounts: new Map() });
      }
    }
  }

  /** Grants no more than one of so many nodes may. */
  divide(nodes: number): void {
    this.#nodes = nodes;
    for (const { rule, counters } of this.#books.values()) counters.setLimit(rule.limit, nodes);
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
    this.#account(book, key, now).counter.settle(0, units, now);
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
      for (const [key, { counter }] of accounts) {
        if (!counter.empty(now)) all.push({ rule: rule.name, key, limit: rule.limit, free: counter.free(now) });
      }
    }
    return all.sort((a, b) => a.free / a.limit - b.free / b.limit).slice(0, most);
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
    return true;
  }

  /**
   * Another process is to go on. What is counted, and half of what is free, is said and stays with us: we grant of that half and
   * of nothing else, until `takeBack`.
   */
  handOver(): Counted[] {
    const now = this.#clock.now();
    const all: Counted[] = [];
    for (const { rule, counters, accounts } of this.#books.values()) {
      const whole = counters.make(now).free(now);
      for (const [key, account] of accounts) {
        const { counter } = account;
        if (counter.empty(now)) continue;
        const free = Math.max(0, counter.free(now));
        const given = free - Math.floor(free / 2);
        counter.hold(given, now);
        account.given = given;
        const units = Math.ceil(whole - counter.free(now)) - Math.floor(given) + Math.floor(free / 2);
        all.push({ rule: rule.name, refill: JSON.stringify(rule.refill), key, units });
      }
    }
    this.#handed = true;
    return all;
  }

  /** The other process has gone. `served`: it may have granted what was given to it, which counts as used. */
  takeBack(served: boolean): void {
    const now = this.#clock.now();
    this.#handed = false;
    for (const { rule, accounts } of this.#books.values())
      for (const account of accounts.values()) {
        if (account.given === 0) continue;
        account.counter.settle(account.given, served && rule.refill.type !== 'held' ? account.given : 0, now);
        account.given = 0;
      }
  }

  /** Goes on for another process: what it has counted counts here. Permits of its requests come back with `gone(holder)`. */
  takeOver(counted: readonly Counted[], holder: number): void {
    const now = this.#clock.now();
    for (const { rule, refill, key, units } of counted) {
      const book = this.#books.get(rule);
      if (book === undefined || JSON.stringify(book.rule.refill) !== refill || !(units > 0)) continue;
      const account = this.#account(book, key, now);
      account.counter.hold(units, now);
      if (book.rule.refill.type === 'held')
        account.holdings.push({ holder, epoch: 0, granted: units, back: 0, used: 0 });
      else account.counter.settle(units, units, now);
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
    if (book === undefined)
      return {
        granted: ask.granted,
        retryAfterMs: UNKNOWN_RULE_MS,
        ttlMs: Number.POSITIVE_INFINITY,
        free: 0,
        resetMs: 0,
      };
    if (this.#handed && !book.accounts.has(ask.key))
      return { granted: ask.granted, retryAfterMs: 0, ttlMs: 0, free: 0, resetMs: 0, lost: true };
    const account = this.#account(book, ask.key, now);
    const { counter } = account;
    const holding = this.#holding(account, holder, ask, now);
    if (ask.granted > holding.granted) {
      // By whoever decided before us, or beside us.
      counter.hold(ask.granted - holding.granted, now);
      holding.granted = ask.granted;
    }
    const back = Math.max(0, Math.min(ask.back, holding.granted) - holding.back);
    const used = Math.max(0, ask.used - holding.used);
    if (back > 0 || used > 0) counter.settle(back, used, now);
    holding.back += back;
    holding.used += used;
    const free = Math.floor(counter.free(now));
    let units = 0;
    let retryAfterMs = 0;
    if (ask.need > 0 && free < ask.least) retryAfterMs = counter.retryAfter(ask.least, now);
    else {
      units = Math.max(0, Math.min(ask.need, free));
      if (units === ask.need) units += Math.max(0, Math.min(ask.wish, spareOf(book.rule.limit, free - units)));
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
    const { epoch, granted, heardBack: back, heardUsed: used } = ask;
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
    account = { counter: book.counters.make(now), holdings: [], given: 0 };
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

/** What may be granted ahead: of a small limit nothing, for whatever one worker has in hand others cannot use. */
function spareOf(limit: number, spare: number): number {
  const step = spare > limit / 2 ? limit / AHEAD_SHARE : limit / (AHEAD_SHARE * 4);
  return Math.floor(Math.min(step, spare / WISH_SHARE));
}
