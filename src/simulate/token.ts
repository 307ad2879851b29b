/**
 * Pseudo tokens: a deterministic way to cut text, so that every count the simulator reports can be checked by hand.
 *
 * A token is one of: up to twelve letters, digits or characters beyond ASCII, with the one space before them; any other
 * visible ASCII character, with the one space before it; a run of white space that belongs to neither. Joining the
 * tokens gives the text back. Surrogate pairs are never cut.
 */

const LONGEST_TOKEN = 12;

/** Tokens charged for each message of a conversation besides its text. */
export const TOKENS_PER_MESSAGE = 4;

const SPACE = 0;
const WORD = 1;
const MARK = 2;

function kind(code: number): number {
  if (code === 32 || (code >= 9 && code <= 13)) return SPACE;
  if (code >= 128 || (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122))
    return WORD;
  return MARK;
}

/** Index after the token that starts at `at`. Only for `at < text.length`. */
function tokenEnd(text: string, at: number): number {
  const size = text.length;
  let i = at;
  let k = kind(text.charCodeAt(i));
  if (k === SPACE) {
    while (i < size && kind(text.charCodeAt(i)) === SPACE) i++;
    if (i === size) return i;
    if (text.charCodeAt(i - 1) !== 32) return i;
    if (i - 1 > at) return i - 1;
    k = kind(text.charCodeAt(i));
  }
  if (k === MARK) return i + 1;
  const most = i + LONGEST_TOKEN;
  while (i < size && i < most && kind(text.charCodeAt(i)) === WORD) i++;
  const next = i < size ? text.charCodeAt(i) : 0;
  return next >= 0xdc00 && next <= 0xdfff ? i + 1 : i;
}

/** Number of pseudo tokens in `text`. */
export function countTokens(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at = tokenEnd(text, at)) count++;
  return count;
}

/** Cuts `text` into its pseudo tokens; joined they are `text` again. */
export function splitTokens(text: string): string[] {
  const tokens: string[] = [];
  for (let at = 0; at < text.length; ) {
    const end = tokenEnd(text, at);
    tokens.push(text.slice(at, end));
    at = end;
  }
  return tokens;
}

/** FNV-1a over UTF-16 units, started from `seed`: turns (seed, prompt) into the state of a `Dice`. */
export function hash(text: string, seed: number): number {
  let h = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** Repeatable chance (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }
}

// Each is one token; a few reach beyond ASCII so that readers meet two-, three- and four-byte characters.
const WORDS = (
  'the a of and to in is that for with on as by from this which not are its one model gate river stone light quiet ' +
  'answer question morning window garden letter number signal thread memory weather simple careful open little great ' +
  'carries follows holds finds keeps turns waits brings begins stands opens reads writes learns wanders returns ' +
  'slowly gently always often never almost already together between beyond under across before after while because ' +
  'café naïve größer 東京 мир 🚀 coöperate'
).split(' ');

/** Exactly `count` pseudo tokens of readable nonsense, the same for the same `dice` state. */
export function prose(count: number, dice: Dice): string {
  let text = '';
  let start = true;
  for (let i = 0; i < count; i++) {
    if (!start && i > 1 && dice.next() < 0.1) {
      text += '.';
      start = true;
      continue;
    }
    const word = WORDS[dice.below(WORDS.length)] ?? 'the';
    const shown = start ? (word[0] ?? '').toUpperCase() + word.slice(1) : word;
    text += i === 0 ? shown : ` ${shown}`;
    start = false;
  }
  return text;
}
