/** Tells somebody when a share of a budget is spent. */
import { formatCost } from '../ai/cost.ts';
import { type Rule, sayKey } from '../policy/quota/quota.ts';
import { type BudgetParts, type Open, periodOf, REMEMBERED_MS } from './budgetopen.ts';

/** Documents that say which alerts were given. */
const ALERT_KIND = 'budgetAlert';

/** See the file's head. */
export class BudgetAlerts {
  readonly #parts: BudgetParts;

  constructor(parts: BudgetParts) {
    this.#parts = parts;
  }

  /** Gives the alerts that are due. */
  async look(rule: Rule, open: Open): Promise<void> {
    const { counts, notice, alerted } = this.#parts;
    const shares = rule.budget?.alerts;
    if (shares === undefined) return;
    const limit = counts.limitOf(rule, open.key);
    // Shares of another amount are others.
    if (open.alertsOf !== limit) open.alerts = 0;
    open.alertsOf = limit;
    // What was reserved by a worker that died counts as used; a node that counts nothing of it knows it by the ledger.
    const used = Math.max(counts.usedOf(open.rule, open.key), open.spent - open.forgiven);
    // A single large request that was refused says nothing of how much is left.
    const over = used * 2 >= limit && counts.exhausted(open.rule, open.key);
    while (open.alerts < shares.length) {
      const share = shares[open.alerts] as number;
      if (used === 0 || (used < limit * share && !over)) return;
      open.alerts++;
      if (!(await this.#first(open, share, limit))) continue;
      const percent = Math.round(share * 100);
      const budget = open.rule.replace(/^budget:/, '');
      const message = `budget ${budget}: ${percent} % of ${formatCost(limit)} is spent by ${sayKey(open.key)} (${formatCost(used)})${used < limit * share ? '; what is left is less than a request needs' : ''}`;
      notice({
        level: 'warn',
        message,
        attributes: { budget, key: sayKey(open.key), percent, spent: formatCost(used) },
      });
      alerted(budget, share);
    }
  }

  /** Of all processes and nodes one gives an alert: whoever writes it down first. */
  async #first({ rule, key, startedAt }: Open, share: number, limit: number): Promise<boolean> {
    const store = this.#parts.store();
    if (store === undefined) return true;
    const id = `${periodOf({ rule, key, startedAt })} ${share} ${limit}`;
    const expiresAt = this.#parts.clock.wall() + REMEMBERED_MS;
    const value = { rule, key: sayKey(key), share, limit };
    const result = await store.write([{ op: 'put', kind: ALERT_KIND, id, value, expect: 0, expiresAt }]);
    return result.ok;
  }
}
