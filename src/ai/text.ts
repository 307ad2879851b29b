/** Strings and numbers out of the tokens of a JSON text. */

const BACKSLASH = 92;

/** Short strings seen lately, by a hash of their bytes: the same few models are named again and again. A power of two. */
const INTERNED = 256;
const INTERNED_BYTES = 64;
const interned: string[] = new Array(INTERNED).fill('');

/** The string whose token is [start, end); undefined when it holds half of a surrogate pair or a raw control character. */
export function decode(bytes: Buffer, start: number, end: number): string | undefined {
  const length = end - start - 2;
  let plain = true;
  let hash = length;
  for (let i = start + 1; i < end - 1; i++) {
    const byte = bytes[i] as number;
    if (byte < 32 || byte > 126 || byte === BACKSLASH) {
      plain = false;
      break;
    }
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  if (plain) {
    if (length > INTERNED_BYTES) return bytes.toString('latin1', start + 1, end - 1);
    const slot = hash & (INTERNED - 1);
    const known = interned[slot] as string;
    if (known.length === length && equals(bytes, start + 1, known)) return known;
    const text = bytes.toString('latin1', start + 1, end - 1);
    interned[slot] = text;
    return text;
  }
  try {
    const text = JSON.parse(bytes.toString('utf8', start, end)) as string;
    return /\p{Surrogate}/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

function equals(bytes: Buffer, at: number, text: string): boolean {
  for (let k = 0; k < text.length; k++) if (bytes[at + k] !== text.charCodeAt(k)) return false;
  return true;
}

/** The number whose token is [start, end). */
export function readNumber(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = (bytes[i] as number) - 48;
    // Anything but a few digits is rare enough for the long way.
    if (digit < 0 || digit > 9 || end - start > 15) return Number(bytes.toString('latin1', start, end));
    value = value * 10 + digit;
  }
  return value;
}

/** Whether there is a control character in the text. */
export function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 32 || code === 127) return true;
  }
  return false;
}
