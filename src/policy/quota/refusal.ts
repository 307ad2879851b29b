/** What a caller is told who is over a limit. */
import { GatehouseError } from '../../kernel/error.ts';
import type { Exhausted } from './claim.ts';
import { sayRule } from './compile.ts';
import { UNKNOWN_WAIT } from './counter.ts';

/**
 * The refusal of a request. A client that honours `x-should-retry` does not try again where waiting is useless. `byOutput`: the
 * request would cost less with less output.
 */
export function refusalFor({ rule, retryAfterMs, lost, missing }: Exhausted, byOutput: boolean): GatehouseError {
  const what = sayRule(rule);
  if (rule.budget !== undefined && !lost)
    return spent(rule.name.replace(/^budget:/, ''), retryAfterMs, byOutput ? LESS : '');
  if (lost) {
    const message = `the limit of ${what} (${rule.name}) cannot be checked at the moment`;
    return new GatehouseError('quota_unavailable', message, { rule: rule.name, retryAfterMs });
  }
  if (retryAfterMs === Number.POSITIVE_INFINITY) {
    const message = `this request alone is over the limit of ${what} (${rule.name}); ask for less`;
    return new GatehouseError('rate_limited', message, { rule: rule.name, fields: [['x-should-retry', 'false']] });
  }
  const wait = Math.ceil(retryAfterMs);
  const worth = wait <= WORTH_WAITING;
  const withheld = missing === undefined ? '' : `; of it the part of nodes that are missing (${missing}) is held back`;
  const message = `the limit of ${what} is reached (${rule.name})${withheld}`;
  return new GatehouseError('rate_limited', message, {
    rule: rule.name,
    retryAfterMs: wait,
    fields: [
      ['Retry-After-Ms', String(wait)],
      ['x-should-retry', String(worth)],
    ],
  });
}

/** How a client asks for less. */
const LESS = '; with a smaller max_tokens it may cost less';

/** Said without the amount: it is nobody's business but the owner's. Until the next period a client tries again in vain. */
function spent(budget: string, retryAfterMs: number, less: string): GatehouseError {
  const again = retryAfterMs <= UNKNOWN_WAIT;
  const detail = { rule: budget, fields: [['x-should-retry', String(again)]] as const };
  if (retryAfterMs === Number.POSITIVE_INFINITY)
    return new GatehouseError(
      'insufficient_quota',
      `this request may cost more than the whole budget ${budget}${less}`,
      detail,
    );
  const wait = Math.ceil(retryAfterMs);
  if (again) {
    const message = `what is left of the budget ${budget} is reserved for requests under way`;
    return new GatehouseError('insufficient_quota', message, { ...detail, retryAfterMs: wait });
  }
  const message = `the budget ${budget} is spent, or what is left is less than this request may cost${less}`;
  return new GatehouseError('insufficient_quota', message, { ...detail, retryAfterMs: wait });
}

/** A client library that sleeps for longer looks hung: it had better tell its user. */
const WORTH_WAITING = 60_000;
