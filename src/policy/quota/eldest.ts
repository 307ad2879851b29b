/** The oldest entries of a map, taken out one after the other. */

/**
 * Goes through a map once, from its oldest entry on: what it meets is taken out, or put behind all others. A loop over the map would
 * begin at the front each time, where a map keeps the places of what was deleted until it is laid out anew.
 */
export class Eldest<V> {
  readonly #map: Map<string, V>;
  #walk: Iterator<[string, V]>;

  constructor(map: Map<string, V>) {
    this.#map = map;
    this.#walk = map.entries();
  }

  /** Takes the oldest entry out; undefined when there is none. */
  take(): [string, V] | undefined {
    let { done, value } = this.#walk.next();
    if (done) {
      this.#walk = this.#map.entries();
      ({ done, value } = this.#walk.next());
      if (done) return undefined;
    }
    this.#map.delete(value[0]);
    return value;
  }

  /** Puts back what was taken, behind all others. */
  renew([key, value]: [string, V]): void {
    this.#map.set(key, value);
  }
}
