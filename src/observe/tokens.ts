/** What the supervisor counts about tokens: the keys of their issuers, and the proofs that are remembered. */
import { SUPERVISOR_METRICS as S } from './catalog.ts';
import type { Counter, Family, Gauge, Registry } from './registry.ts';

/** Totals and levels as they are now. */
export interface TokenReadings {
  issuers: readonly {
    name: string;
    keys: number;
    /** Undefined: never fetched. */
    ageSeconds: number | undefined;
    fetches: number;
    failures: number;
  }[];
  proofs: number;
  redisFailures: number;
}

/** Takes readings over into metrics. */
export class TokenMetrics {
  readonly #keys: Family<Gauge>;
  readonly #age: Family<Gauge>;
  readonly #fetches: Family<Counter>;
  readonly #proofs: Gauge;
  readonly #redisFailures: Counter;
  readonly #requests: Family<Counter>;
  /** Totals at the reading before, by what they are of. */
  readonly #before = new Map<string, number>();

  constructor(registry: Registry) {
    this.#keys = registry.gauge(S.issuerKeys);
    this.#age = registry.gauge(S.issuerKeysAge);
    this.#fetches = registry.counter(S.issuerKeysFetches);
    this.#proofs = registry.gauge(S.dpopProofs).with();
    this.#redisFailures = registry.counter(S.dpopRedisFailures).with();
    this.#requests = registry.counter(S.serviceRequests);
  }

  /** A service of ours has answered a request. */
  answered(endpoint: string, result: string): void {
    this.#requests.with(endpoint, result).inc();
  }

  /** Call before metrics are shown. */
  read({ issuers, proofs, redisFailures }: TokenReadings): void {
    for (const { name, keys, ageSeconds, fetches, failures } of issuers) {
      this.#keys.with(name).set(keys);
      if (ageSeconds !== undefined) this.#age.with(name).set(ageSeconds);
      this.#fetches.with(name, 'ok').inc(this.#grown(`ok ${name}`, fetches - failures));
      this.#fetches.with(name, 'failed').inc(this.#grown(`failed ${name}`, failures));
    }
    this.#proofs.set(proofs);
    this.#redisFailures.inc(this.#grown('redis', redisFailures));
  }

  /** By how much a total has grown; one that has begun anew counts whole. */
  #grown(what: string, total: number): number {
    const before = this.#before.get(what) ?? 0;
    this.#before.set(what, total);
    return total >= before ? total - before : total;
  }
}
