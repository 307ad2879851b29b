/** Counts who waits for a place at a server. */
import type { QueueEnteredEvent, QueueLeftEvent } from '../kernel/event.ts';
import { priorityName } from '../kernel/priority.ts';
import { WORKER_METRICS as M } from './catalog.ts';
import type { Counter, Family, Gauge, Histogram, Registry } from './registry.ts';

/** See the file's head. */
export class QueueMetrics {
  readonly #entered: Family<Counter>;
  readonly #length: Family<Gauge>;
  readonly #wait: Family<Histogram>;
  readonly #left: Family<Counter>;

  constructor(registry: Registry) {
    this.#entered = registry.counter(M.queueEntered);
    this.#length = registry.gauge(M.queueLength);
    this.#wait = registry.histogram(M.queueWait);
    this.#left = registry.counter(M.queueLeft);
  }

  entered({ upstream, priority }: QueueEnteredEvent): void {
    const name = priorityName(priority);
    this.#entered.with(upstream, name).inc();
    this.#length.with(upstream, name).add(1);
  }

  left({ upstream, priority, waitedMs, end }: QueueLeftEvent): void {
    const name = priorityName(priority);
    this.#length.with(upstream, name).add(-1);
    this.#left.with(upstream, name, end).inc();
    if (end === 'served') this.#wait.with(upstream, name).observe(waitedMs / 1000);
  }
}
