/**
 * Limits through an upgrade: what one process has counted, said to the one that goes on. While both serve, that one decides for both
 * (relay.ts). Budgets are left out: what was spent of them both read from the ledger.
 */
import type { Account, Book } from './book.ts';
import type { Counted } from './protocol.ts';

/** A holder of the process before us as it is known here. Ours count from 0 on; that one may know of some before itself. */
export const holderBefore = (holder: number): number => (holder >= 0 ? -2 * (holder + 1) : 2 * holder - 1);

/** What is counted, and who holds some of it. */
export function handOver(books: Iterable<Book>, now: number): Counted[] {
  const all: Counted[] = [];
  for (const { rule, counters, accounts } of books) {
    if (rule.budget !== undefined) continue;
    const whole = counters.make(now).free(now);
    const refill = JSON.stringify(rule.refill);
    for (const [key, { counter, holdings, extra }] of accounts) {
      if (counter.empty(now)) continue;
      const units = Math.ceil(whole - counter.free(now));
      all.push({ rule: rule.name, refill, key, units, limit: whole + extra, holdings });
    }
  }
  return all;
}

/** Goes on for another process: what it has counted of a key counts here, in the account that `open` finds or makes. */
export function takeOver(book: Book, counted: Counted, now: number, open: () => Account): void {
  const { refill, units, limit = units, holdings } = counted;
  if (JSON.stringify(book.rule.refill) !== refill || !(units > 0)) return;
  const account = open();
  let held = 0;
  for (const one of holdings ?? []) {
    held += one.granted - one.back;
    account.holdings.push({ ...one, holder: holderBefore(one.holder) });
  }
  account.counter.hold(held, now);
  const rest = units - held;
  if (rest <= 0 || book.rule.refill.type === 'held') return;
  // Under a lower limit than before nothing more is owed than was.
  const kept = Math.max(0, Math.min(rest, limit - held));
  account.counter.hold(kept, now);
  account.counter.settle(kept, kept, now);
  if (rest > kept) account.counter.settle(0, rest - kept, now, account.extra);
}
