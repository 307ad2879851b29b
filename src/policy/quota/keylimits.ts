/** Limits of single keys: what the configuration gives a key of a budget, and what an operator has raised or lowered. */
import { sayKey } from './key.ts';
import type { Rule } from './rule.ts';

/** See the file's head. */
export class KeyLimits {
  readonly #limits = new Map<string, number>();

  /** Gives one key of a rule a limit of its own, or takes it away (undefined). */
  set(rule: string, key: string, limit: number | undefined): void {
    const id = `${rule}\0${key}`;
    if (limit === undefined) this.#limits.delete(id);
    else this.#limits.set(id, limit);
  }

  /** The limit of a key. Who writes one of several parts down joins them as they are read, by a space. */
  of({ name, limit, budget }: Rule, key: string): number {
    if (this.#limits.size === 0 && budget === undefined) return limit;
    const said = key.includes('\0') ? sayKey(key) : key;
    const found = this.#limits.get(`${name}\0${key}`) ?? this.#limits.get(`${name}\0${said}`);
    if (found !== undefined) return found;
    return budget !== undefined && Object.hasOwn(budget.only, said) ? (budget.only[said] as number) : limit;
  }
}
