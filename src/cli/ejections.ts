/** Which workers have ejected which endpoints, by what their requests met. */

/** See the file's head. Keys are `UPSTREAM\nENDPOINT`. */
export class Ejections {
  readonly #by = new Map<string, Set<number>>();

  /** A worker has ejected an endpoint, or taken it back. */
  changed(worker: number, change: { upstream: string; endpoint: string; healthy: boolean }): void {
    const { upstream, endpoint, healthy } = change;
    const key = `${upstream}\n${endpoint}`;
    const workers = this.#by.get(key) ?? new Set();
    if (healthy) workers.delete(worker);
    else workers.add(worker);
    this.#by.set(key, workers);
  }

  /** A worker has gone. */
  gone(worker: number): void {
    for (const workers of this.#by.values()) workers.delete(worker);
  }

  /** How many workers have ejected this one. */
  by(key: string): number {
    return this.#by.get(key)?.size ?? 0;
  }
}
