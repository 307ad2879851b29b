/**
 * Who grants leases. There is one for all workers of a node (the supervisor's); it owns the counters, so what it has granted is
 * never more than a limit allows. What a worker held when it died is taken for used, except permits, which come back.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Counter } from './counter.ts';
import type { Holding } from './holding.ts';
import { type Counters, countersOf, type Rule, sameRefill } from './rule.ts';

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
  /** What of `back` and `used` has been heard for certain: where an account was lost, the rest is still counted. */
  heardBack: number;
  heardUsed: number;
  /** Units of the limit that were free when it was last asked. */
  free: number;
  /** `home` of the last answer; '' when there was none. */
  home: string;
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
  /** Nobody could be asked. */
  lost?: boolean;
  /** Granted by a node of its own share, while the store that counts could not be reached: that one has heard nothing. */
  own?: boolean;
  /** Which data the answer is from; another value says that a store has begun anew. */
  home?: string;
}

/** Grants leases to holders. */
export interface Authority {
  /** One batch of a holder; grants in the same order. */
  exchange(holder: number, asks: readonly LeaseAsk[]): LeaseGrant[] | Promise<LeaseGrant[]>;
  /** A holder has died. */
  gone(holder: number): void;
}

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
    account = { counter: book.counters.make(now), holdings: [] };
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
