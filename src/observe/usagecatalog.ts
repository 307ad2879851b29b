/** Metrics of the usage ledger and of budgets; part of the catalog. */
import type { MetricDefinition } from './definition.ts';

/** Counted by the supervisor. */
export const USAGE_METRICS: Record<'ledgerEntries' | 'ledgerInDoubt' | 'ledgerLag' | 'budgetAlerts', MetricDefinition> =
  {
    ledgerEntries: {
      kind: 'counter',
      name: 'gatehouse_ledger_entries_total',
      labels: ['result'],
      help: 'Entries of usage journals that were read; `result` is added, or repeated (the ledger had them: they were read again after a restart).',
    },
    ledgerInDoubt: {
      kind: 'counter',
      name: 'gatehouse_ledger_in_doubt_total',
      labels: [],
      help: 'Requests that were under way when their worker died: they are in the ledger with what was reserved for them.',
    },
    ledgerLag: {
      kind: 'gauge',
      name: 'gatehouse_ledger_lag_seconds',
      labels: [],
      help: 'For how long usage has waited in journals because the store takes nothing; below a second while all is well.',
      unit: 'seconds',
      merge: 'last',
    },
    budgetAlerts: {
      kind: 'counter',
      name: 'gatehouse_budget_alerts_total',
      labels: ['budget', 'percent'],
      help: 'Alerts of budgets: so many times this share of one was spent.',
    },
  };
