/** Server name → certificates, in one or two look-ups however many there are. */
import { plainName, suffixOf, wildcardSuffix } from '../certificate/facts.ts';

/** Something that bears names. */
export interface Named {
  readonly names: readonly string[];
}

/** A table of names, exact and wildcard (one label). Several may bear one name: they are kept in the order they came. */
export class NameTable<T extends Named> {
  readonly #exact = new Map<string, T | T[]>();
  /** By what stands behind the wildcard. */
  readonly #wild = new Map<string, T | T[]>();

  /** Adds one under all its names. */
  add(one: T): void {
    for (const name of one.names) {
      const suffix = wildcardSuffix(name);
      const table = suffix === undefined ? this.#exact : this.#wild;
      const key = suffix ?? name;
      const there = table.get(key);
      table.set(key, there === undefined ? one : ([...[there].flat(), one] as T[]));
    }
  }

  /** Takes one out. */
  remove(one: T): void {
    for (const name of one.names) {
      const suffix = wildcardSuffix(name);
      const table = suffix === undefined ? this.#exact : this.#wild;
      const key = suffix ?? name;
      const there = table.get(key);
      if (there === one) table.delete(key);
      else if (Array.isArray(there)) {
        const rest = there.filter((other) => other !== one);
        if (rest.length === 0) table.delete(key);
        else table.set(key, rest.length === 1 ? (rest[0] as T) : rest);
      }
    }
  }

  /** Those that bear exactly this name. */
  exact(host: string): T | readonly T[] | undefined {
    return this.#exact.get(host);
  }

  /** Those with a wildcard for this name. */
  wildcard(host: string): T | readonly T[] | undefined {
    const suffix = suffixOf(host);
    return suffix === undefined ? undefined : this.#wild.get(suffix);
  }
}

/**
 * Those that answer for a server name: exact names go before wildcards, and within both an earlier table before a later
 * one. Undefined when nobody does.
 */
export function lookUp<T extends Named>(
  tables: readonly NameTable<T>[],
  serverName: string,
): T | readonly T[] | undefined {
  const host = plainName(serverName);
  for (const table of tables) {
    const found = table.exact(host);
    if (found !== undefined) return found;
  }
  for (const table of tables) {
    const found = table.wildcard(host);
    if (found !== undefined) return found;
  }
  return undefined;
}
