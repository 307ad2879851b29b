/** Keys of budgets that were charged before this process began: operators see how they stand though nobody has asked for them since. */
import { type Rule, usageOf } from '../policy/quota/quota.ts';
import { dayOf, formatDay, HOUR_MS, type Ledger } from '../store/ledger.ts';

/** Keys of one budget, those that have spent most. */
const KEYS_MOST = 1000;
/** Keys that are opened at once. */
const PORTION = 100;

/** One key of one budget. */
interface Named {
  readonly rule: string;
  readonly key: string;
}

/** See the file's head. */
export class BudgetList {
  readonly #listed = new Set<string>();
  #waiting: Named[] = [];

  /** A budget begins anew. */
  forget(rule: string): void {
    this.#listed.delete(rule);
    this.#waiting = this.#waiting.filter((one) => one.rule !== rule);
  }

  /** The next of them. `startedAt`: when a budget's period began (milliseconds since 1970). Rejects when the ledger cannot be read. */
  async next(
    ledger: Ledger,
    rules: readonly Rule[],
    startedAt: (rule: string) => number | undefined,
  ): Promise<readonly Named[]> {
    for (const rule of rules) {
      const since = startedAt(rule.name);
      if (since === undefined || this.#listed.has(rule.name)) continue;
      const keys = await keysOf(ledger, rule, since);
      this.#listed.add(rule.name);
      for (const key of keys) this.#waiting.push({ rule: rule.name, key });
    }
    return this.#waiting.splice(0, PORTION);
  }
}

async function keysOf(ledger: Ledger, { name, budget }: Rule, since: number): Promise<readonly string[]> {
  const parts = budget === undefined ? undefined : usageOf(budget, '');
  // The first hour or day may have more than the period; what it has spent is read exactly.
  if (parts === undefined)
    return ledger.chargedKeys({ budget: name, fromHour: Math.floor(since / HOUR_MS), limit: KEYS_MOST });
  const by = Object.keys(parts) as (keyof typeof parts)[];
  if (by.length === 0) return ['*'];
  const sums = await ledger.sums({ by, from: formatDay(dayOf(since)) });
  return sums
    .filter(({ cost }) => cost > 0)
    .sort((one, other) => other.cost - one.cost)
    .slice(0, KEYS_MOST)
    .map(({ group }) => by.map((part) => group[part] ?? '').join('\0'));
}
