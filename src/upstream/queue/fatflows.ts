/** Which tenant has most in a class. Sizes change by one, so a bucket for each size gives it at once. */
import type { Flow } from './flow.ts';

/** See the file's head. */
export class FatFlows<T> {
  readonly #buckets: Set<Flow<T>>[] = [];
  #most = 0;

  /** The flow with most; undefined when all are empty. */
  get most(): Flow<T> | undefined {
    return this.#most === 0 ? undefined : this.#buckets[this.#most]?.values().next().value;
  }

  /** Its size was `before` until now. */
  changed(flow: Flow<T>, before: number): void {
    this.#buckets[before]?.delete(flow);
    const { size } = flow;
    if (size > 0) {
      let bucket = this.#buckets[size];
      if (bucket === undefined) {
        bucket = new Set();
        this.#buckets[size] = bucket;
      }
      bucket.add(flow);
    }
    if (size > this.#most) this.#most = size;
    else while (this.#most > 0 && !this.#buckets[this.#most]?.size) this.#most--;
  }
}
