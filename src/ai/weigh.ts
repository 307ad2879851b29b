/**
 * About how many tokens a text makes, without a vocabulary: by runs of letters, digits, marks and scripts, in one pass over
 * the bytes. Tokenizers differ by model, and the exact one costs a hundred times as much; what is wrong here is learnt from
 * the usage that servers report (`TokenRatios`).
 */
import type { ContentWatch } from './content.ts';

const QUOTE = 34;
const BACKSLASH = 92;

/** Letters that make a token at most: longer words fall apart, and capitals sooner. */
const WORD_LETTERS = 7;
const CAPITALS = 3;
/** Tokens of a character beyond ASCII, by the length of its UTF-8: other alphabets, then CJK, then emoji. */
const TWO_BYTES = 0.6;
const THREE_BYTES = 1;
const FOUR_BYTES = 2.5;

const OTHER = 0;
const LOWER = 1;
const UPPER = 2;
const DIGIT = 3;
const SPACE = 4;
const MARK = 5;
const KINDS = new Uint8Array(256);
for (let byte = 0; byte < 128; byte++) {
  const char = String.fromCharCode(byte);
  if (/[a-z]/.test(char)) KINDS[byte] = LOWER;
  else if (/[A-Z]/.test(char)) KINDS[byte] = UPPER;
  else if (/[0-9]/.test(char)) KINDS[byte] = DIGIT;
  else if (/\s/.test(char)) KINDS[byte] = SPACE;
  else KINDS[byte] = MARK;
}

/** About the tokens of the characters of a JSON string in [start, end), its quotes left out. Never less than 0. */
export function weighText(bytes: Buffer, start: number, end: number): number {
  let tokens = 0;
  let run = 0;
  let last = OTHER;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    const kind = KINDS[byte] as number;
    if (kind === LOWER || kind === UPPER) {
      // A capital goes on with the word that it begins; after small letters it begins another.
      const goesOn = last === kind || (kind === LOWER && last === UPPER);
      if (!goesOn || run === (kind === UPPER ? CAPITALS : WORD_LETTERS)) {
        tokens++;
        run = 0;
      }
      run++;
    } else if (kind === SPACE) {
      if (last === SPACE) tokens += 0.25;
    } else if (kind !== OTHER) {
      if (byte === BACKSLASH) {
        tokens++;
        i += bytes[i + 1] === 117 ? 5 : 1;
      } else tokens += kind === DIGIT ? 0.7 : 0.8;
    } else if (byte >= 0xf0) tokens += FOUR_BYTES;
    else if (byte >= 0xe0) tokens += THREE_BYTES;
    else if (byte >= 0xc0) tokens += TWO_BYTES;
    last = kind;
  }
  return tokens;
}

/** Position of the quote that ends the string whose characters begin at `from`; `end` when there is none. */
export function stringEnd(bytes: Buffer, from: number, end: number): number {
  let i = from;
  for (; i < end && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
  return Math.min(i, end);
}

/**
 * About the tokens of generated content in one event: the strings in the values that `content` finds. 0 where there is none, and
 * at least 1 where there is one.
 */
export function weighEvent(bytes: Buffer, start: number, end: number, content: ContentWatch): number {
  let tokens = 0;
  for (let at = content.find(bytes, start, end); at >= 0; ) {
    let i = at;
    while (bytes[i] === 32 || bytes[i] === 58) i++;
    if (bytes[i] === QUOTE) {
      const to = stringEnd(bytes, i + 1, end);
      tokens += weighText(bytes, i + 1, to);
      i = to + 1;
    } else {
      let depth = 0;
      do {
        const byte = bytes[i++] as number;
        if (byte === 123 || byte === 91) depth++;
        else if (byte === 125 || byte === 93) depth--;
        else if (byte === QUOTE) {
          const to = stringEnd(bytes, i, end);
          if (afterSpace(bytes, to + 1, end) !== 58) tokens += weighText(bytes, i, to);
          i = to + 1;
        }
      } while (depth > 0 && i < end);
    }
    if (tokens < 1) tokens = 1;
    at = content.next(bytes, i, end);
  }
  return tokens;
}

function afterSpace(bytes: Buffer, from: number, end: number): number {
  let i = from;
  while (i < end && bytes[i] === 32) i++;
  return i < end ? (bytes[i] as number) : -1;
}
