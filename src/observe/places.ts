/** The limits of concurrency and the queues before them, as the supervisor knows them. */
import { CLASSES, PRIORITIES } from '../kernel/priority.ts';
import { SUPERVISOR_METRICS as S } from './catalog.ts';
import type { Family, Gauge, Registry } from './registry.ts';

/** An upstream's endpoints that have a limit, and who waits for them. */
export interface PlacesStanding {
  upstream: string;
  waiting: number;
  /** What the last in the queue will wait. */
  estimatedWaitMs: number;
  classes: readonly { priority: number; waiting: number }[];
  endpoints: readonly {
    name: string;
    limit: number;
    used: number;
    adaptive?: { gradient: number; minRttMs: number };
  }[];
}

/** See the file's head. */
export class PlaceMetrics {
  readonly #places: Family<Gauge>;
  readonly #used: Family<Gauge>;
  readonly #gradient: Family<Gauge>;
  readonly #rest: Family<Gauge>;
  readonly #position: Family<Gauge>;
  readonly #estimate: Family<Gauge>;
  #queues = new Set<string>();
  /** Series that there are. */
  #known = new Map<string, readonly [string, string]>();

  constructor(registry: Registry) {
    this.#places = registry.gauge(S.places);
    this.#used = registry.gauge(S.placesUsed);
    this.#gradient = registry.gauge(S.gradient);
    this.#rest = registry.gauge(S.restTime);
    this.#position = registry.gauge(S.queuePosition);
    this.#estimate = registry.gauge(S.queueEstimate);
  }

  /** Takes over what stands now; what is no more disappears. */
  read(standings: readonly PlacesStanding[]): void {
    this.#readQueues(standings);
    const gone = this.#known;
    this.#known = new Map();
    for (const { upstream, endpoints } of standings)
      for (const { name, limit, used, adaptive } of endpoints) {
        const key = JSON.stringify([upstream, name]);
        gone.delete(key);
        this.#known.set(key, [upstream, name]);
        this.#places.with(upstream, name).set(limit);
        this.#used.with(upstream, name).set(used);
        if (adaptive === undefined) continue;
        this.#gradient.with(upstream, name).set(adaptive.gradient);
        this.#rest.with(upstream, name).set(adaptive.minRttMs / 1000);
      }
    for (const labels of gone.values())
      for (const family of [this.#places, this.#used, this.#gradient, this.#rest]) family.remove(...labels);
  }

  #readQueues(standings: readonly PlacesStanding[]): void {
    const gone = this.#queues;
    this.#queues = new Set(standings.map(({ upstream }) => upstream));
    for (const { upstream, waiting, estimatedWaitMs, classes } of standings) {
      const paceMs = waiting === 0 ? 0 : estimatedWaitMs / waiting;
      for (const name of CLASSES) {
        // Who is as important and has come before goes first.
        const before = classes.filter(({ priority }) => priority >= PRIORITIES[name]);
        const position = before.reduce((sum, { waiting: those }) => sum + those, 1);
        this.#position.with(upstream, name).set(position);
        this.#estimate.with(upstream, name).set((position * paceMs) / 1000);
      }
    }
    for (const upstream of gone) {
      if (this.#queues.has(upstream)) continue;
      for (const name of CLASSES) for (const family of [this.#position, this.#estimate]) family.remove(upstream, name);
    }
  }
}
