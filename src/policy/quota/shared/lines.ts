/** Questions and answers of the shared store's script as text. */

import type { CalendarPeriod } from '../period.ts';
import type { LeaseAsk } from '../protocol.ts';
import type { Rule } from '../rule.ts';
import type { StoreAsk, StoreGrant } from './account.ts';

/**
 * A worker's or node's question with what the store needs to know of the rule. `again`: see `StoreAsk`. `limit`: of this key, where
 * it is not the rule's; the burst of a bucket is as much larger.
 */
export function storeAsk(
  ask: LeaseAsk,
  rule: Rule,
  period: CalendarPeriod | undefined,
  again: number,
  limit = rule.limit,
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
  };
}

/** The fields of one question, in the script's order. */
export function askFields(ask: StoreAsk, home: string): string[] {
  const { type, limit, windowMs, burst, period, left, share, epoch, granted, back, used } = ask;
  const { heardBack, heardUsed, again, need, least, wish } = ask;
  const numbers = [epoch, granted, back, used, heardBack, heardUsed, again, need, least, wish].map(String);
  return [type, ...[limit, windowMs, burst, period, left].map(String), share ? '1' : '0', ...numbers, home];
}

/** One line of the script's answer; throws an `Error` when it is none. */
export function readGrant(line: unknown): StoreGrant {
  const parts = String(line).split(' ');
  const [granted, wait, free, resetMs] = parts.map((part) =>
    part === 'inf' ? Number.POSITIVE_INFINITY : Number(part),
  );
  if (parts.length !== 4 || !(granted !== undefined && granted >= 0)) throw new Error(`no answer to a lease: ${line}`);
  return { granted, retryAfterMs: wait as number, free: free as number, resetMs: resetMs as number };
}
