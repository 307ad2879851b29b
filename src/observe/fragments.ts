/** A memory for pieces of text that depend on a few short strings; look-ups make no key. Pure. */

/** Most pieces kept; when full, all are forgotten. */
const MAX_KNOWN = 2048;
/** Longer strings are not remembered: clients choose some of them, and memory is to stay bounded. */
const MAX_LENGTH = 256;

interface Entry {
  readonly e: string;
  readonly f: string;
  readonly g: string;
  readonly text: string;
}

type Level<T> = Map<string, T>;

/**
 * Text by seven strings: the first four find the entry, the last three only confirm it (they hardly vary under the same
 * four; the newest combination wins).
 */
export class Fragments {
  #known: Level<Level<Level<Level<Entry>>>> = new Map();
  #size = 0;

  get(a: string, b: string, c: string, d: string, e: string, f: string, g: string): string | undefined {
    const entry = this.#known.get(a)?.get(b)?.get(c)?.get(d);
    return entry !== undefined && entry.e === e && entry.f === f && entry.g === g ? entry.text : undefined;
  }

  /** Remembers `text`, if the strings are short, and gives it back. */
  put(a: string, b: string, c: string, d: string, e: string, f: string, g: string, text: string): string {
    if (text.length > 8 * MAX_LENGTH || [a, b, c, d, e, f, g].some((s) => s.length > MAX_LENGTH)) return text;
    if (++this.#size > MAX_KNOWN) {
      this.#known = new Map();
      this.#size = 1;
    }
    under(under(under(this.#known, a), b), c).set(d, { e, f, g, text: flat(text) });
    return text;
  }
}

// A rope would be walked again for each line it stands in; a round trip through bytes makes it one flat string.
function flat(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

/** The inner map of this key, made when it is missing. */
export function under<K, L, V>(map: Map<K, Map<L, V>>, key: K): Map<L, V> {
  let inner = map.get(key);
  if (inner === undefined) {
    inner = new Map();
    map.set(key, inner);
  }
  return inner;
}
