/** Reads the keys of a JSON object and tells those of interest, refusing look-alikes. */
import type { JsonCursor } from './json.ts';
import { decode, hasControl } from './text.ts';

const QUOTE = 34;
const BACKSLASH = 92;
/** Keys of interest are shorter than this. */
const LENGTH_MAX = 32;

/** Some other key. */
export const NO_KEY = -1;
/** A key that parsers would read in different ways; the cursor says why. */
export const BAD_KEY = -2;

/** A set of keys, in lower case ASCII and shorter than 32 bytes. */
export class KeySet {
  readonly names: readonly string[];
  readonly #encoded: readonly Buffer[];
  /** Length → numbers of the keys that are this long. */
  readonly #byLength: readonly (readonly number[])[];

  constructor(names: readonly string[]) {
    this.names = names;
    this.#encoded = names.map((name) => Buffer.from(name));
    this.#byLength = Array.from({ length: LENGTH_MAX }, (_, length) =>
      names.flatMap((name, number) => (name.length === length ? [number] : [])),
    );
  }

  /**
   * Skips the key whose opening quote the cursor is on and tells its number in the set, or `NO_KEY`. `BAD_KEY` for one
   * that is in the set only after folding case (ASCII, long s, Kelvin sign), or that holds a control character or half
   * of a surrogate pair.
   */
  read(cursor: JsonCursor): number {
    const bytes = cursor.bytes;
    const quote = cursor.at;
    const start = quote + 1;
    let i = start;
    for (;;) {
      if (i >= bytes.length) return bad(cursor, 'a string that begins here does not end', quote);
      const byte = bytes[i] as number;
      if (byte === QUOTE) break;
      if (byte < 32) return bad(cursor, 'a raw control character inside a key', i);
      if (byte === BACKSLASH || byte > 126) return this.#unusual(cursor);
      i++;
    }
    cursor.at = i + 1;
    const length = i - start;
    if (length >= LENGTH_MAX) return NO_KEY;
    const candidates = this.#byLength[length] as readonly number[];
    for (let c = 0; c < candidates.length; c++) {
      const number = candidates[c] as number;
      const name = this.#encoded[number] as Buffer;
      let exact = true;
      let k = 0;
      for (; k < length; k++) {
        const byte = bytes[start + k] as number;
        if (byte === name[k]) continue;
        if ((byte | 32) !== name[k]) break;
        exact = false;
      }
      if (k < length) continue;
      return exact ? number : this.#lookAlike(cursor, number, quote);
    }
    return NO_KEY;
  }

  /** A key with escapes or beyond ASCII. */
  #unusual(cursor: JsonCursor): number {
    const quote = cursor.at;
    if (!cursor.string()) return BAD_KEY;
    const key = decode(cursor.bytes, quote, cursor.at);
    if (key === undefined)
      return bad(cursor, 'half of a surrogate pair or a raw control character inside a key', quote);
    if (hasControl(key)) return bad(cursor, 'a control character inside a key', quote);
    const exact = this.names.indexOf(key);
    if (exact >= 0) return exact;
    const folded = this.names.indexOf(key.toLowerCase().replaceAll('\u017f', 's'));
    return folded >= 0 ? this.#lookAlike(cursor, folded, quote) : NO_KEY;
  }

  #lookAlike(cursor: JsonCursor, number: number, at: number): number {
    return bad(cursor, `a key that differs from "${this.names[number]}" only in case`, at);
  }
}

function bad(cursor: JsonCursor, what: string, at: number): number {
  cursor.fault = what;
  cursor.faultAt = at;
  return BAD_KEY;
}
