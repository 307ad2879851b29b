/** The limits of concurrency, as the supervisor knows them. */
import { SUPERVISOR_METRICS as S } from './catalog.ts';
import type { Family, Gauge, Registry } from './registry.ts';

/** An upstream's endpoints that have a limit. */
export interface PlacesStanding {
  upstream: string;
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
  /** Series that there are. */
  #known = new Map<string, readonly [string, string]>();

  constructor(registry: Registry) {
    this.#places = registry.gauge(S.places);
    this.#used = registry.gauge(S.placesUsed);
    this.#gradient = registry.gauge(S.gradient);
    this.#rest = registry.gauge(S.restTime);
  }

  /** Takes over what stands now; what is no more disappears. */
  read(standings: readonly PlacesStanding[]): void {
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
}
