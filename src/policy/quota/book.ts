/** What an authority counts of one rule, key by key. */
import type { Counter } from './counter.ts';
import type { Holding } from './holding.ts';
import type { Counters, Rule } from './rule.ts';

/** Accounts looked at for each new one, when a rule has as many as it may. */
const EVICT_STEP = 8;

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
  /** Of a budget: holder → units that it has said to have used since it began. */
  told?: Map<number, number>;
  /** Units that another process grants. */
  given: number;
}

/** One rule with its accounts. */
export interface Book {
  rule: Rule;
  counters: Counters;
  accounts: Map<string, Account>;
}

/**
 * Makes room for one more than `maxKeys` less one: empty accounts among the oldest go first; when there are none, the oldest of
 * which nothing is held. Returns whether one went that was not empty.
 */
export function evict({ accounts }: Book, now: number, maxKeys: number): boolean {
  let oldest: string | undefined;
  let looked = 0;
  for (const [key, { counter, holdings }] of accounts) {
    if (counter.empty(now)) {
      accounts.delete(key);
      if (accounts.size < maxKeys) return false;
    } else if (oldest === undefined && holdings.every(({ granted, back }) => granted === back)) oldest = key;
    if (++looked >= EVICT_STEP) break;
  }
  return oldest !== undefined && accounts.size >= maxKeys && accounts.delete(oldest);
}
