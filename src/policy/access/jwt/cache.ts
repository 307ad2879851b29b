/**
 * Remembers by hash what has been found out, in two generations: when the young one is full it becomes the old one, and
 * what is used meanwhile comes back. So what is in use stays, at the price of one look-up, without a list to keep in order.
 */

/** A bounded map that forgets what is not used. */
export class GenerationCache<V> {
  readonly #half: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  /** `most`: entries that are kept; at least half as many are in use when any is forgotten. */
  constructor(most: number) {
    this.#half = Math.max(1, Math.floor(most / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const before = this.#old.get(key);
    if (before === undefined) return undefined;
    this.#old.delete(key);
    this.set(key, before);
    return before;
  }

  set(key: string, value: V): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
