/** What was used of budgets, as a store that nodes share has last said. */

/** Most keys that it is remembered of. */
const KEYS_MOST = 100_000;

/** See the file's head. */
export class Spent {
  readonly #keys = new Map<string, { units: number; startedAt: number }>();

  /** Of a key `units` were used in the period that began at `startedAt`. */
  note(rule: string, key: string, units: number, startedAt: number): void {
    const id = idOf(rule, key);
    // Those that were asked about last are last to go.
    this.#keys.delete(id);
    if (this.#keys.size >= KEYS_MOST) this.#keys.delete(this.#keys.keys().next().value as string);
    this.#keys.set(id, { units, startedAt });
  }

  /** The same; 0 where nothing was said of this period. */
  of(rule: string, key: string, startedAt: number): number {
    const said = this.#keys.get(idOf(rule, key));
    return said === undefined || said.startedAt !== startedAt ? 0 : said.units;
  }
}

const idOf = (rule: string, key: string) => `${rule}\n${key}`;
