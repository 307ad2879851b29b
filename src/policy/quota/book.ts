/** What an authority counts of one rule, key by key. */
import { type Counter, UNKNOWN_WAIT } from './counter.ts';
import { Eldest } from './eldest.ts';
import type { Holding } from './holding.ts';
import { Remains } from './remains.ts';
import type { Counters, Rule } from './rule.ts';
import type { Told } from './told.ts';

/** Accounts looked at for each new one, when a rule has as many as it may. */
const EVICT_STEP = 8;
/** Accounts looked at for each new one otherwise: what is empty goes. */
const SWEEP_STEP = 2;

/** What is counted for one key. */
export interface Account {
  counter: Counter;
  /** Units that this key has beyond the limit of the rule; negative: less. */
  extra: number;
  /** Units that the ledger has and no worker of ours has told, of the period `outsideIn`. */
  outside: number;
  outsideIn: number;
  /** Few workers, so a list. */
  holdings: Holding[];
  /** Of a budget that has refused because it is spent: when its period ends (monotonic milliseconds). */
  endedUntil: number;
}

/** One rule with its accounts. */
export interface Book {
  rule: Rule;
  counters: Counters;
  accounts: Map<string, Account>;
  /** Goes through the accounts, the oldest first; see `eldest.ts`. */
  eldest: Eldest<Account>;
  /** What was counted of keys that had to go; undefined as long as none had. */
  remains: Remains | undefined;
  /** Of a budget: what its holders have said. */
  told: Told | undefined;
}

/** A book with nothing in it. */
export function newBook(rule: Rule, counters: Counters): Book {
  const accounts = new Map<string, Account>();
  return { rule, counters, accounts, eldest: new Eldest(accounts), remains: undefined, told: undefined };
}

/** An account of which nobody holds anything. */
export function newAccount(counter: Counter, extra: number): Account {
  return { counter, extra, outside: 0, outsideIn: 0, holdings: [], endedUntil: 0 };
}

/** A budget has refused: notes it, unless it will do until what is under way has ended, or would never do. */
export function noteEnd(account: Account, retryAfterMs: number, now: number): void {
  if (retryAfterMs > UNKNOWN_WAIT && retryAfterMs !== Number.POSITIVE_INFINITY)
    account.endedUntil = now + account.counter.resetMs(now);
}

/** What is counted of a key at first: nothing, or what was counted when it had to go. */
export function newCounter({ counters, remains }: Book, key: string, extra: number, now: number): Counter {
  if (remains === undefined) return counters.make(now);
  const { units, at } = remains.of(key, counters.generation(now));
  if (units <= 0) return counters.make(now);
  const counter = counters.make(at);
  counter.settle(0, units, at, extra);
  return counter;
}

/** Nobody holds any of it, and no ledger tells of it again. */
const idle = ({ holdings, outside }: Account): boolean =>
  outside === 0 && holdings.every(({ granted, back }) => granted === back);

/** Forgets accounts of which nothing is counted, a few at a time, the oldest first. */
export function sweep({ eldest }: Book, now: number): void {
  for (let looked = 0; looked < SWEEP_STEP; looked++) {
    const found = eldest.take();
    if (found === undefined) return;
    if (!found[1].counter.empty(now)) eldest.renew(found);
  }
}

/**
 * Makes room for one more than `maxKeys` less one: the oldest goes of which nothing is held. What was counted of it is remembered.
 * Returns whether there was something.
 */
export function evict(book: Book, now: number, maxKeys: number, random: () => number): boolean {
  const { accounts, counters, eldest } = book;
  for (let looked = 0; looked < EVICT_STEP; looked++) {
    const found = eldest.take();
    if (found === undefined) return false;
    const [key, account] = found;
    const { counter } = account;
    const empty = counter.empty(now);
    if (!empty && !idle(account)) {
      eldest.renew(found);
      continue;
    }
    if (!empty) {
      const units = counters.make(now).free(now) - counter.free(now);
      book.remains ??= new Remains(random);
      book.remains.keep(key, units, counter.lastUse(now), counters.generation(now));
    }
    if (accounts.size < maxKeys) return !empty;
  }
  return false;
}
