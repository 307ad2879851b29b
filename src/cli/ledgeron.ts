/** Whether a configuration wants what requests use to be written down. */
import type { Config } from '../config/config.ts';

/** See the file's head. */
export function ledgerOn({ ledger, prices, budgets, routes }: Config): boolean {
  if (ledger.enabled !== 'auto') return ledger.enabled;
  const priced = prices.default !== undefined || Object.keys(prices.models).length > 0;
  return priced || budgets.length > 0 || routes.some(({ access }) => access !== undefined);
}
