/** When it is time to read again what others have spent of a budget. */
import type { Rule } from '../policy/quota/quota.ts';
import type { BudgetParts, Open } from './budgetopen.ts';

/** How often what others have spent is read again, and how often where that may matter soon (milliseconds). */
const REFRESH_MS = 10_000;
const NEAR_MS = 1000;
/** That is from this part of a budget on, or where we have spent such a part since it was read. */
const NEAR_SHARE = 1 / 4;
const FRESH_SHARE = 1 / 10;
/** Nobody else writes to a store of our own; of one that nodes share nobody tells us. `shared`: all nodes count it together. */
export function isDue(parts: BudgetParts, open: Open, rule: Rule | undefined, shared: boolean): boolean {
  const { clock, counts, store } = parts;
  if (store()?.driver !== 'postgres') return false;
  const age = clock.now() - open.countedAt;
  if (age < NEAR_MS) return false;
  if (age >= REFRESH_MS) return true;
  // What others spend of it is counted where they take it from.
  if (shared || rule === undefined) return false;
  const [used, limit] = [counts.usedOf(open.rule, open.key), counts.limitOf(rule, open.key)];
  // Each of the others may have spent as much since then as we have.
  return used >= limit * NEAR_SHARE || used - open.usedThen >= limit * FRESH_SHARE;
}
