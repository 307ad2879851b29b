/** Limits of single keys: what the configuration gives a key of a budget, and what an operator has raised or lowered. */
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

  /** The limit of a key. */
  of({ name, limit, budget }: Rule, key: string): number {
    if (this.#limits.size > 0) {
      const own = this.#limits.get(`${name}\0${key}`);
      if (own !== undefined) return own;
    }
    return budget !== undefined && Object.hasOwn(budget.only, key) ? (budget.only[key] as number) : limit;
  }
}
