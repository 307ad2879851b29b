/** What one holder is granted of one account: what it gives back and has used is settled first. */
import { aheadOf } from './ahead.ts';
import { type Account, type Book, noteEnd } from './book.ts';
import type { Holding } from './holding.ts';
import type { LeaseAsk, LeaseGrant } from './protocol.ts';
import { Told } from './told.ts';

/** Answers a question about `account`, one of `book`. `now`: monotonic milliseconds. */
export function grantOf(book: Book, account: Account, holder: number, ask: LeaseAsk, now: number): LeaseGrant {
  const { counter, extra } = account;
  const holding = holdingOf(account, holder, ask, now);
  if (ask.granted > holding.granted) {
    // By whoever decided before us, or beside us.
    counter.hold(ask.granted - holding.granted, now);
    holding.granted = ask.granted;
  }
  const back = Math.max(0, Math.min(ask.back, holding.granted) - holding.back);
  const used = Math.max(0, ask.used - holding.used);
  if (back > 0 || used > 0) counter.settle(back, used, now, extra);
  holding.back += back;
  holding.used += used;
  if (used > 0 && book.rule.budget !== undefined) {
    book.told ??= new Told();
    book.told.add(ask.key, holder, used);
  }
  const free = Math.floor(counter.free(now)) + extra;
  let units = 0;
  let retryAfterMs = 0;
  if (ask.need > 0 && free < ask.least) {
    retryAfterMs = counter.retryAfter(Math.max(ask.least - extra, 0), now);
    if (book.rule.budget !== undefined) noteEnd(account, retryAfterMs, now);
  } else {
    units = Math.max(0, Math.min(ask.need, free));
    if (units === ask.need) units += aheadOf(ask, book.rule.limit + extra, free - units);
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

/** What it has of the account; anew, where it comes for the first time. */
function holdingOf(account: Account, holder: number, ask: LeaseAsk, now: number): Holding {
  const { counter, holdings } = account;
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
  // Mostly one worker asks for a key: as large as it has to be.
  if (holdings.length === 0) account.holdings = [holding];
  else holdings.push(holding);
  return holding;
}
