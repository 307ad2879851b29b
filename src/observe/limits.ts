/** What the supervisor counts about limits: keys, leases, and the store that several nodes share. */
import { LIMIT_METRICS as S } from './limitcatalog.ts';
import type { Counter, Gauge, Registry } from './registry.ts';

/** Totals and levels as they are now. */
export interface LimitReadings {
  keys: number;
  evicted: number;
  asks: number;
  store:
    | {
        up: boolean;
        nodes: number;
        missing: number;
        asks: number;
        failures: number;
        waitedMs: number;
        answers: number;
        own: number;
      }
    | undefined;
}

/** A counter that follows a total. */
class Total {
  readonly #counter: Counter;
  #before = 0;

  constructor(counter: Counter) {
    this.#counter = counter;
  }

  /** A total that has begun anew counts whole. */
  read(total: number): void {
    this.#counter.inc(total >= this.#before ? total - this.#before : total);
    this.#before = total;
  }
}

/** Takes readings over into metrics. */
export class LimitMetrics {
  readonly #keys: Gauge;
  readonly #up: Gauge;
  readonly #nodes: Gauge;
  readonly #missing: Gauge;
  readonly #evicted: Total;
  readonly #leases: Total;
  readonly #storeLeases: Total;
  readonly #answers: Total;
  readonly #seconds: Total;
  readonly #failures: Total;
  readonly #own: Total;

  constructor(registry: Registry) {
    const total = (definition: Parameters<Registry['counter']>[0]) => new Total(registry.counter(definition).with());
    this.#keys = registry.gauge(S.limitKeys).with();
    this.#up = registry.gauge(S.limitStoreUp).with();
    this.#nodes = registry.gauge(S.limitStoreNodes).with();
    this.#missing = registry.gauge(S.limitStoreMissing).with();
    this.#evicted = total(S.limitEvicted);
    this.#leases = total(S.limitLeases);
    this.#storeLeases = total(S.limitStoreLeases);
    this.#answers = total(S.limitStoreAnswers);
    this.#seconds = total(S.limitStoreSeconds);
    this.#failures = total(S.limitStoreFailures);
    this.#own = total(S.limitOwnUnits);
  }

  /** Call before metrics are shown. */
  read({ keys, evicted, asks, store }: LimitReadings): void {
    this.#keys.set(keys);
    this.#evicted.read(evicted);
    this.#leases.read(asks);
    this.#up.set(store?.up ? 1 : 0);
    this.#nodes.set(store?.nodes ?? 1);
    this.#missing.set(store?.missing ?? 0);
    if (store === undefined) return;
    this.#storeLeases.read(store.asks);
    this.#answers.read(store.answers);
    this.#seconds.read(store.waitedMs / 1000);
    this.#failures.read(store.failures);
    this.#own.read(store.own);
  }
}
