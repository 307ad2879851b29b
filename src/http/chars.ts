/** Character classes of RFC 9110 §5.6.2 and §5.5 and RFC 3986, one table look-up each. */

/** A character of a token (field name, method). */
export const TOKEN = 1;
/** A character of a field value: HTAB, SP, VCHAR, obs-text. */
export const VALUE = 2;
/** A character of a request target as we accept it: visible ASCII without `#`. */
export const TARGET = 4;
/** A digit. */
export const DIGIT = 8;
/** A character of a host: letters, digits, and `-._~!$&'()*+;=:[]%` (RFC 3986 §3.2.2), without comma, slash, `@`. */
export const HOST = 16;

/** Byte → classes. */
export const CLASS = new Uint8Array(256);
/** Byte → the same in lower case. */
export const LOWER = new Uint8Array(256);
/** Byte → the same in lower case, and `_` as `-`: what servers that hand fields on as CGI variables make of a name. */
export const FOLDED = new Uint8Array(256);
/** Byte → value of the hex digit, or 255. */
export const HEX = new Uint8Array(256).fill(255);

for (let c = 0; c < 256; c++) {
  const char = String.fromCharCode(c);
  let bits = 0;
  if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(char)) bits |= TOKEN;
  if (c === 9 || (c >= 0x20 && c !== 0x7f)) bits |= VALUE;
  if (c > 0x20 && c < 0x7f && char !== '#') bits |= TARGET;
  if (/[0-9]/.test(char)) bits |= DIGIT;
  if (/[A-Za-z0-9\-._~!$&'()*+;=:[\]%]/.test(char)) bits |= HOST;
  CLASS[c] = bits;
  LOWER[c] = c >= 65 && c <= 90 ? c | 32 : c;
  FOLDED[c] = char === '_' ? 45 : (LOWER[c] as number);
  const digit = '0123456789abcdef'.indexOf(char.toLowerCase());
  if (digit >= 0) HEX[c] = digit;
}
