/** Metrics of the usage ledger and of budgets, counted by the supervisor. */
import { SUPERVISOR_METRICS as S } from './catalog.ts';
import type { Counter, Family, Gauge, Registry } from './registry.ts';

/** See the file's head. */
export class UsageMetrics {
  readonly #entries: Family<Counter>;
  readonly #lag: Gauge;
  readonly #alerts: Family<Counter>;
  readonly #inDoubt: Counter;

  constructor(registry: Registry) {
    this.#entries = registry.counter(S.ledgerEntries);
    this.#lag = registry.gauge(S.ledgerLag).with();
    this.#alerts = registry.counter(S.budgetAlerts);
    this.#inDoubt = registry.counter(S.ledgerInDoubt).with();
  }

  /** So many entries were added to the ledger, and so many were there already. */
  entries(added: number, repeated: number): void {
    if (added > 0) this.#entries.with('added').inc(added);
    if (repeated > 0) this.#entries.with('repeated').inc(repeated);
  }

  /** So many requests were under way when their worker died. */
  inDoubt(count: number): void {
    this.#inDoubt.inc(count);
  }

  /** A share of a budget, from 0 to 1, was spent. */
  alerted(budget: string, share: number): void {
    this.#alerts.with(budget, String(Math.round(share * 100))).inc();
  }

  /** Usage has waited for so long. */
  lag(seconds: number): void {
    this.#lag.set(seconds);
  }
}
