/**
 * Limits through an upgrade, while two processes grant. Budgets are left out: what was spent of them both read from the ledger.
 */
import type { Account, Book } from './book.ts';
import type { Counted } from './protocol.ts';

/**
 * Another process is to go on. What is counted, and half of what is free, is said and stays with us: we grant of that half and
 * of nothing else, until `takeBack`.
 */
export function handOver(books: Iterable<Book>, now: number): Counted[] {
  const all: Counted[] = [];
  for (const { rule, counters, accounts } of books) {
    if (rule.budget !== undefined) continue;
    const whole = counters.make(now).free(now);
    for (const [key, account] of accounts) {
      const { counter } = account;
      if (counter.empty(now)) continue;
      const free = Math.max(0, counter.free(now));
      const given = free - Math.floor(free / 2);
      counter.hold(given, now);
      account.given = given;
      const units = Math.ceil(whole - counter.free(now)) - Math.floor(given) + Math.floor(free / 2);
      all.push({ rule: rule.name, refill: JSON.stringify(rule.refill), key, units, limit: whole + account.extra });
    }
  }
  return all;
}

/** The other process has gone. `served`: it may have granted what was given to it, which counts as used. */
export function takeBack(books: Iterable<Book>, served: boolean, now: number): void {
  for (const { rule, accounts } of books)
    for (const account of accounts.values()) {
      if (account.given === 0) continue;
      account.counter.settle(account.given, served && rule.refill.type !== 'held' ? account.given : 0, now);
      account.given = 0;
    }
}

/**
 * Goes on for another process: what it has counted of a key counts here, in the account that `open` finds or makes. Permits of its
 * requests come back when `holder` goes.
 */
export function takeOver(book: Book, counted: Counted, holder: number, now: number, open: () => Account): void {
  const { refill, units, limit = units } = counted;
  if (JSON.stringify(book.rule.refill) !== refill || !(units > 0)) return;
  const account = open();
  // Under a lower limit than before nothing more is owed than was.
  const kept = Math.min(units, limit);
  account.counter.hold(kept, now);
  if (book.rule.refill.type === 'held') {
    account.holdings.push({ holder, epoch: 0, granted: kept, back: 0, used: 0 });
    return;
  }
  account.counter.settle(kept, kept, now);
  if (units > kept) account.counter.settle(0, units - kept, now, account.extra);
}
