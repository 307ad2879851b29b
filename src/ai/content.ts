/** Tells which events of a stream carry generated content, and whether they mention usage, without parsing them. */

const QUOTE = 34;
const BACKSLASH = 92;

/**
 * Recognises content events by their keys: one of `keys` with a value that is neither empty nor null. A JSON key cannot
 * appear inside a string unescaped, so the bytes tell. Events of one stream look alike: where the key stood last time it
 * is looked for first.
 */
export class ContentWatch {
  readonly #keys: readonly Buffer[];
  #hint = 0;
  #hintKey: Buffer | undefined = undefined;

  /** `keys` without quotes. */
  constructor(keys: readonly Buffer[]) {
    this.#keys = keys;
  }

  /** True when the event carries generated content. */
  has(bytes: Buffer, start: number, end: number): boolean {
    return this.find(bytes, start, end) >= 0;
  }

  /** Position behind the first key whose value is generated content, or -1. */
  find(bytes: Buffer, start: number, end: number): number {
    const hintKey = this.#hintKey;
    if (hintKey !== undefined) {
      const at = start + this.#hint;
      const behind = at + hintKey.length;
      if (behind < end && bytes[at - 1] === QUOTE && bytes[behind] === QUOTE && same(bytes, at, hintKey)) {
        if (filled(bytes, behind + 1, end)) return behind + 1;
      }
    }
    return this.#search(bytes, start, end);
  }

  /** The same from somewhere inside an event, which has no say about where the next one has it. */
  next(bytes: Buffer, from: number, end: number): number {
    const hint = this.#hint;
    const hintKey = this.#hintKey;
    const at = this.#search(bytes, from, end);
    this.#hint = hint;
    this.#hintKey = hintKey;
    return at;
  }

  #search(bytes: Buffer, start: number, end: number): number {
    const keys = this.#keys;
    let i = start;
    while (i < end) {
      if (bytes[i++] !== QUOTE) continue;
      const from = i;
      for (; i < end && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
      const length = i - from;
      i++;
      if (bytes[i] !== 58 && bytes[i] !== 32) continue;
      for (let k = 0; k < keys.length; k++) {
        const key = keys[k] as Buffer;
        if (key.length === length && same(bytes, from, key) && filled(bytes, i, end)) {
          this.#hint = from - start;
          this.#hintKey = key;
          return i;
        }
      }
    }
    return -1;
  }
}

function same(bytes: Buffer, at: number, key: Buffer): boolean {
  for (let k = 0; k < key.length; k++) if (bytes[at + k] !== key[k]) return false;
  return true;
}

/** From behind a key's closing quote: a colon, and a string, array or object with something in it. */
function filled(bytes: Buffer, from: number, end: number): boolean {
  let i = from;
  while (i < end && bytes[i] === 32) i++;
  if (bytes[i] !== 58) return false;
  i++;
  while (i < end && bytes[i] === 32) i++;
  const open = bytes[i++];
  if (open === QUOTE) return i < end && bytes[i] !== QUOTE;
  if (open !== 91 && open !== 123) return false;
  while (i < end && bytes[i] === 32) i++;
  return i < end && bytes[i] !== (open === 91 ? 93 : 125);
}

/** Horspool shifts for `"usage"`. */
const SHIFT = new Uint8Array(256).fill(7);
for (const [k, char] of [...'"usage'].entries()) SHIFT[char.charCodeAt(0)] = 6 - k;
const NEAR = 1024;

/** Position of `"usage"` (with its quotes) in [start, end), or -1. */
export function findUsage(bytes: Buffer, start: number, end: number): number {
  if (end - start > NEAR) {
    const view = bytes.subarray(start, end);
    // The quotes are left out of the native search: they are everywhere and make it stop at each.
    for (let at = view.indexOf('usage"'); at >= 0; at = view.indexOf('usage"', at + 1)) {
      if (at > 0 && view[at - 1] === QUOTE) return start + at - 1;
    }
    return -1;
  }
  let i = start + 6;
  while (i < end) {
    const byte = bytes[i] as number;
    if (
      byte === QUOTE &&
      bytes[i - 1] === 101 &&
      bytes[i - 2] === 103 &&
      bytes[i - 3] === 97 &&
      bytes[i - 4] === 115 &&
      bytes[i - 5] === 117 &&
      bytes[i - 6] === QUOTE
    ) {
      return i - 6;
    }
    i += SHIFT[byte] as number;
  }
  return -1;
}

/** True when some `"usage"` from `at` on (a result of `findUsage`) has a value other than null. */
export function usageGiven(bytes: Buffer, at: number, end: number): boolean {
  for (let found = at; found >= 0; found = findUsage(bytes, found + 7, end)) {
    let i = found + 7;
    while (i < end && (bytes[i] === 32 || bytes[i] === 58)) i++;
    if (bytes[i] !== 110) return true;
  }
  return false;
}
