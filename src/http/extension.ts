/**
 * The grammar of chunk extensions (RFC 9112 §7.1.1), byte by byte: `;name`, `;name=token`, `;name="quoted"`, with
 * whitespace around `;` and `=`. Extensions are dropped, but what is not one may be read as something else elsewhere.
 */
import { CLASS, TOKEN, VALUE } from './chars.ts';

/** Behind a `;`. */
export const EXTENSION_START = 0;
/** The extensions have ended in CR. */
export const EXTENSION_END = 7;
/** Not an extension. */
export const EXTENSION_FAULT = 8;

const NAME = 1;
const AFTER_NAME = 2;
const BEFORE_VALUE = 3;
const TOKEN_VALUE = 4;
const QUOTED = 5;
const ESCAPED = 6;
const AFTER_QUOTE = 9;
const AFTER_VALUE = 10;

const HTAB = 9;
const CR = 13;
const SP = 32;
const QUOTE = 34;
const SEMICOLON = 59;
const EQUALS = 61;
const BACKSLASH = 92;

/** The state after one more byte. */
export function nextExtensionState(state: number, c: number): number {
  const bits = CLASS[c] as number;
  if (state === QUOTED || state === ESCAPED) {
    if ((bits & VALUE) === 0) return EXTENSION_FAULT;
    if (state === ESCAPED) return QUOTED;
    return c === QUOTE ? AFTER_QUOTE : c === BACKSLASH ? ESCAPED : QUOTED;
  }
  if ((bits & TOKEN) !== 0) {
    if (state === EXTENSION_START || state === NAME) return NAME;
    return state === BEFORE_VALUE || state === TOKEN_VALUE ? TOKEN_VALUE : EXTENSION_FAULT;
  }
  if (c === SP || c === HTAB) {
    if (state === NAME) return AFTER_NAME;
    return state === TOKEN_VALUE || state === AFTER_QUOTE ? AFTER_VALUE : state;
  }
  if (c === QUOTE) return state === BEFORE_VALUE ? QUOTED : EXTENSION_FAULT;
  if (c === EQUALS) return state === NAME || state === AFTER_NAME ? BEFORE_VALUE : EXTENSION_FAULT;
  if (c === SEMICOLON) return state === EXTENSION_START || state === BEFORE_VALUE ? EXTENSION_FAULT : EXTENSION_START;
  if (c === CR && (state === NAME || state === TOKEN_VALUE || state === AFTER_QUOTE)) return EXTENSION_END;
  return EXTENSION_FAULT;
}
