/** Questions and answers of the shared store's script as text. */

import type { CalendarPeriod } from '../period.ts';
import type { LeaseAsk } from '../protocol.ts';
import type { Rule } from '../rule.ts';
import type { StoreAsk, StoreGrant } from './terms.ts';

/** What the ledger says of a key of a budget, in a period. Units of the rule. */
export interface Known {
  /** What was spent, as read lately, with what is reserved for requests of processes that have gone. */
  known: number;
  /** What was spent, as read some time ago. */
  past: number;
  forgiven: number;
  /** When `known` was read (monotonic milliseconds). */
  readAt: number;
  /** See `StoreAsk`. */
  heard: number;
}

/** Of what is no budget the ledger says nothing. */
const NO_BUDGET = { known: -1, past: 0, forgiven: 0, age: -1, heard: 0 };

/** The same as it is said to the store. */
export type Money = Pick<StoreAsk, 'known' | 'past' | 'forgiven' | 'age' | 'heard'>;

/** What was read of a key, or was not, at `now` (monotonic milliseconds). */
export function moneyOf(known: Known | undefined, now: number): Money {
  if (known === undefined) return { known: 0, past: 0, forgiven: 0, age: -1, heard: 0 };
  const { readAt, ...said } = known;
  return { ...said, age: Math.ceil(now - readAt) };
}

/**
 * A worker's or node's question with what the store needs to know of the rule. `again`: see `StoreAsk`. `limit`: of this key, where
 * it is not the rule's; the burst of a bucket is as much larger. `money`: of a budget.
 */
export function storeAsk(
  ask: LeaseAsk,
  rule: Rule,
  period: CalendarPeriod | undefined,
  again: number,
  limit = rule.limit,
  money: Money = NO_BUDGET,
): StoreAsk {
  const { refill } = rule;
  const { epoch, granted, back, used, heardBack, heardUsed, need, least, wish } = ask;
  return {
    type: refill.type === 'sliding' ? 's' : refill.type === 'bucket' ? 'b' : refill.type === 'calendar' ? 'c' : 'h',
    limit,
    windowMs: 'windowMs' in refill ? refill.windowMs : 0,
    burst: refill.type === 'bucket' ? Math.max(1, refill.burst + limit - rule.limit) : 0,
    period: period?.startedAt ?? 0,
    left: period === undefined ? 0 : Math.ceil(period.left()),
    share: rule.onStoreLoss === 'localShare',
    epoch,
    granted,
    back,
    used,
    heardBack,
    heardUsed,
    again,
    need,
    least,
    wish,
    ...money,
  };
}

/** The fields of one question, in the script's order. */
export function askFields(ask: StoreAsk, home: string): string[] {
  const { type, limit, windowMs, burst, period, left, share, epoch, granted, back, used } = ask;
  const { heardBack, heardUsed, again, need, least, wish, known, past, forgiven, age, heard } = ask;
  const numbers = [epoch, granted, back, used, heardBack, heardUsed, again, need, least, wish].map(String);
  const money = [known, past, forgiven, age, heard].map(String);
  return [type, ...[limit, windowMs, burst, period, left].map(String), share ? '1' : '0', ...numbers, home, ...money];
}

/** One line of the script's answer; throws an `Error` when it is none. */
export function readGrant(line: unknown): StoreGrant {
  const text = String(line);
  if (text === 'unread') return { granted: 0, retryAfterMs: 0, free: 0, resetMs: 0, unread: true };
  const parts = text.split(' ');
  const [granted, wait, free, resetMs, used] = parts.map((part) =>
    part === 'inf' ? Number.POSITIVE_INFINITY : Number(part),
  );
  if (parts.length < 4 || !(granted !== undefined && granted >= 0)) throw new Error(`no answer to a lease: ${line}`);
  const grant = { granted, retryAfterMs: wait as number, free: free as number, resetMs: resetMs as number };
  return used === undefined ? grant : { ...grant, used };
}
