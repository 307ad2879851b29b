/** Finds `usage` and `choices` at the top level of one streamed chunk, by position, so that bytes can be cut out. */

const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;

/** `usage` is not there, null, or something else. */
type UsageKind = 'absent' | 'null' | 'given';

/** The result of a walk over one chunk; reused from chunk to chunk. */
export class ChunkWalk {
  usage: UsageKind = 'absent';
  /** Bytes to cut so that a null `usage` is gone and the rest is JSON: the member and one comma beside it. */
  cutStart = -1;
  cutEnd = -1;
  /** `choices` is an empty array or null. */
  noChoices = false;

  /** Walks the JSON object in [start, end). False when it is not one: then nothing must be changed. */
  walk(bytes: Buffer, start: number, end: number): boolean {
    this.usage = 'absent';
    this.cutStart = -1;
    this.cutEnd = -1;
    this.noChoices = false;
    let i = skipSpace(bytes, start, end);
    if (bytes[i] !== 123) return false;
    let comma = -1;
    i = skipSpace(bytes, i + 1, end);
    if (bytes[i] === 125) return true;
    for (;;) {
      if (i >= end || bytes[i] !== QUOTE) return false;
      const key = i;
      i = skipString(bytes, i, end);
      const keyLength = i - key;
      i = skipSpace(bytes, i, end);
      if (bytes[i] !== 58) return false;
      const value = skipSpace(bytes, i + 1, end);
      const valueEnd = skipValue(bytes, value, end);
      if (valueEnd <= value || valueEnd > end) return false;
      i = skipSpace(bytes, valueEnd, end);
      const next = i < end ? bytes[i] : -1;
      if (keyLength === 7 && bytes[key + 1] === 117 && word(bytes, key, '"usage"')) {
        if (this.usage !== 'absent') return false;
        this.usage = word(bytes, value, 'null') ? 'null' : 'given';
        this.cutStart = comma >= 0 ? comma : key;
        this.cutEnd = comma < 0 && next === COMMA ? i + 1 : valueEnd;
      } else if (keyLength === 9 && bytes[key + 1] === 99 && word(bytes, key, '"choices"')) {
        this.noChoices =
          word(bytes, value, 'null') || (bytes[value] === 91 && bytes[skipSpace(bytes, value + 1, end)] === 93);
      }
      if (next === 125) return skipSpace(bytes, i + 1, end) === end;
      if (next !== COMMA) return false;
      comma = i;
      i = skipSpace(bytes, i + 1, end);
    }
  }
}

/** From behind a member of an object: position behind the brace that closes the object; -1 where there is none. */
export function objectEnd(bytes: Buffer, from: number, end: number): number {
  let i = skipSpace(bytes, from, end);
  while (i < end && bytes[i] === COMMA) {
    i = skipSpace(bytes, i + 1, end);
    if (bytes[i] !== QUOTE) return -1;
    i = skipSpace(bytes, skipString(bytes, i, end), end);
    if (bytes[i] !== 58) return -1;
    const value = skipSpace(bytes, i + 1, end);
    const valueEnd = skipValue(bytes, value, end);
    if (valueEnd <= value) return -1;
    i = skipSpace(bytes, valueEnd, end);
  }
  return i < end && bytes[i] === 125 ? i + 1 : -1;
}

function word(bytes: Buffer, at: number, text: string): boolean {
  for (let k = 0; k < text.length; k++) if (bytes[at + k] !== text.charCodeAt(k)) return false;
  return true;
}

function skipSpace(bytes: Buffer, from: number, end: number): number {
  let i = from;
  while (i < end && (bytes[i] === 32 || bytes[i] === 10 || bytes[i] === 13 || bytes[i] === 9)) i++;
  return i;
}

/** Position behind the string whose opening quote is at `from`; beyond `end` when it does not end. */
function skipString(bytes: Buffer, from: number, end: number): number {
  let i = from + 1;
  for (; i < end && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
  return i + 1;
}

/** Position behind the value at `from`. Brackets are only counted: this is an answer, not a request to be judged. */
function skipValue(bytes: Buffer, from: number, end: number): number {
  let i = from;
  let depth = 0;
  while (i < end) {
    const byte = bytes[i] as number;
    if (byte === QUOTE) {
      i = skipString(bytes, i, end);
      if (depth === 0) return i;
      continue;
    }
    if (byte === 123 || byte === 91) {
      depth++;
    } else if (byte === 125 || byte === 93) {
      if (depth === 0) return i;
      if (--depth === 0) return i + 1;
    } else if (depth === 0 && (byte === COMMA || byte <= 32)) {
      return i;
    }
    i++;
  }
  return i;
}
