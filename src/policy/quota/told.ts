/** What holders have said to have used of a budget since they began: kept apart from what is counted, which is forgotten sooner. */

/** Most keys; of others nobody knows. */
const KEYS_MAX = 200_000;

/** See the file's head. */
export class Told {
  readonly #keys = new Map<string, Map<number, number>>();
  #full = false;

  /** A holder has used more. */
  add(key: string, holder: number, units: number): void {
    let said = this.#keys.get(key);
    if (said === undefined) {
      if (this.#keys.size >= KEYS_MAX) {
        this.#full = true;
        return;
      }
      said = new Map();
      this.#keys.set(key, said);
    }
    said.set(holder, (said.get(holder) ?? 0) + units);
  }

  /** All that a holder has said of a key; undefined: nobody knows. */
  of(key: string, holder: number): number | undefined {
    return this.#keys.get(key)?.get(holder) ?? (this.#full ? undefined : 0);
  }

  /** A holder says no more. */
  forget(holder: number): void {
    for (const [key, said] of this.#keys) if (said.delete(holder) && said.size === 0) this.#keys.delete(key);
    this.#full = this.#full && this.#keys.size > 0;
  }
}
