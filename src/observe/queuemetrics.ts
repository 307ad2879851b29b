/** Counts who waits for a place at a server, and how requests fare by their class. */
import type { QueueEnteredEvent, QueueLeftEvent, SpilledEvent } from '../kernel/event.ts';
import type { Exchange } from '../kernel/exchange.ts';
import { CLASSES, className, classOf, priorityName } from '../kernel/priority.ts';
import { WORKER_METRICS as M } from './catalog.ts';
import { under } from './fragments.ts';
import type { Counter, Family, Gauge, Histogram, Registry } from './registry.ts';

/** See the file's head. */
export class QueueMetrics {
  readonly #entered: Family<Counter>;
  readonly #length: Family<Gauge>;
  readonly #wait: Family<Histogram>;
  readonly #left: Family<Counter>;
  readonly #ended: Family<Counter>;
  readonly #spilled: Family<Counter>;
  /** By class, upstream and outcome. */
  readonly #known = CLASSES.map(() => new Map<string, Map<string, Counter>>());

  constructor(registry: Registry) {
    this.#entered = registry.counter(M.queueEntered);
    this.#length = registry.gauge(M.queueLength);
    this.#wait = registry.histogram(M.queueWait);
    this.#left = registry.counter(M.queueLeft);
    this.#ended = registry.counter(M.classRequests);
    this.#spilled = registry.counter(M.spilled);
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

  ended({ priority, upstream, outcome }: Exchange): void {
    const known = this.#known[classOf(priority)] as Map<string, Map<string, Counter>>;
    let counter = known.get(upstream)?.get(outcome);
    if (counter === undefined) {
      counter = this.#ended.with(className(priority), upstream, outcome);
      under(known, upstream).set(outcome, counter);
    }
    counter.inc(1);
  }

  spilled({ model, from, to, reason }: SpilledEvent): void {
    this.#spilled.with(model, from, to, reason).inc();
  }
}
