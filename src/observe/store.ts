/** What is shown of the store's health. */
import type { Clock } from '../kernel/clock.ts';
import { SUPERVISOR_METRICS as S } from './catalog.ts';
import type { Counter, Family, Gauge, Histogram, Registry } from './registry.ts';

/** Takes what the reader of the store's changes tells. */
export class StoreMetrics {
  readonly #clock: Clock;
  readonly #up: Family<Gauge>;
  readonly #failures: Family<Counter>;
  readonly #changedAt: Family<Gauge>;
  readonly #lag: Family<Histogram>;
  #driver = '';

  constructor(registry: Registry, clock: Clock) {
    this.#clock = clock;
    this.#up = registry.gauge(S.storeUp);
    this.#failures = registry.counter(S.storeFailures);
    this.#changedAt = registry.gauge(S.storeChangedAt);
    this.#lag = registry.histogram(S.storeLag);
  }

  /** A store is in use from now on. */
  opened(driver: string): void {
    this.#driver = driver;
    this.#up.with(driver).set(1);
    // A counter that is not there yet cannot be seen to rise.
    this.#failures.with(driver);
  }

  /** It has answered. */
  answered(): void {
    if (this.#driver !== '') this.#up.with(this.#driver).set(1);
  }

  /** It did not answer. */
  failed(): void {
    if (this.#driver === '') return;
    this.#up.with(this.#driver).set(0);
    this.#failures.with(this.#driver).inc();
  }

  /** Workers have been told of a change that was written then, in milliseconds since 1970. */
  changed(writtenAt: number): void {
    if (this.#driver === '') return;
    this.#changedAt.with(this.#driver).set(writtenAt / 1000);
    // Clocks of nodes differ by some milliseconds.
    this.#lag.with(this.#driver).observe(Math.max(0, this.#clock.wall() - writtenAt) / 1000);
  }
}
