/**
 * Finds the `usage` object in a JSON text that arrives in pieces, without keeping the text: at the top level, or inside a
 * top-level `response` or `message` (the envelopes of streamed events). Only the bytes of `usage` itself are kept.
 */

const QUOTE = 34;
const BACKSLASH = 92;

/** A `usage` value larger than this is not one. */
const USAGE_BYTES_MAX = 16 * 1024;
/** Longest key of interest, and one more to tell longer ones apart. */
const KEY_MAX = 9;
const USAGE = [117, 115, 97, 103, 101];
const RESPONSE = [114, 101, 115, 112, 111, 110, 115, 101];
const MESSAGE = [109, 101, 115, 115, 97, 103, 101];

/** Bytes of a string that are looked at one by one before the native search takes over. */
const NEAR = 32;

/** What the value behind the last key is. */
const OTHER = 0;
const IS_USAGE = 1;
const IS_ENVELOPE = 2;

const NOTHING = Buffer.alloc(0);

/** The scanner. Takes any bytes; what is not JSON finds nothing. */
export class UsageScan {
  readonly #found: (usage: unknown) => void;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Inside an array of numbers: only its end, or something that is no number, matters. */
  #flat = false;
  /** The string being read is at a depth where keys matter. */
  #collect = false;
  readonly #key = new Uint8Array(KEY_MAX);
  #keyLength = 0;
  #expect = OTHER;
  /** Depth of the members of the envelope we are in; 0 outside. */
  #envelope = 0;
  #done = false;
  #value: Buffer | undefined = undefined;
  #valueLength = 0;
  #valueDepth = 0;

  /** `found` is called once, with the parsed object. */
  constructor(found: (usage: unknown) => void) {
    this.#found = found;
  }

  /** Starts over for another text. */
  reset(): void {
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
    this.#flat = false;
    this.#collect = false;
    this.#keyLength = 0;
    this.#expect = OTHER;
    this.#envelope = 0;
    this.#done = false;
    this.#value = undefined;
  }

  /** Takes the next bytes. */
  feed(buffer: Buffer, start: number, end: number): void {
    if (this.#done || start >= end) return;
    // Native searches must not run into stale bytes behind `end`.
    const bytes = end === buffer.length ? buffer : buffer.subarray(0, end);
    let valueFrom = this.#value === undefined ? -1 : start;
    let i = start;
    while (i < end) {
      if (this.#inString) {
        i = this.#string(bytes, i, end);
        continue;
      }
      if (this.#flat) {
        i = this.#numbers(bytes, i, end);
        if (i >= end) break;
      }
      const byte = bytes[i] as number;
      if (byte === QUOTE) {
        this.#inString = true;
        this.#collect = this.#value === undefined && (this.#depth === 1 || this.#depth === this.#envelope);
        this.#keyLength = 0;
      } else if (byte === 58) {
        this.#expect = this.#collect ? this.#meaning() : OTHER;
        this.#collect = false;
      } else if (byte === 44) {
        this.#expect = OTHER;
        this.#collect = false;
      } else if (byte === 123 || byte === 91) {
        this.#depth++;
        if (byte === 91) {
          this.#flat = this.#depth > 1 && this.#value === undefined;
        } else if (this.#expect === IS_USAGE) {
          this.#value = NOTHING;
          this.#valueLength = 0;
          this.#valueDepth = this.#depth;
          valueFrom = i;
        } else if (this.#expect === IS_ENVELOPE) {
          this.#envelope = this.#depth;
        }
        this.#expect = OTHER;
      } else if (byte === 125 || byte === 93) {
        if (this.#value !== undefined && this.#depth === this.#valueDepth) {
          this.#finish(bytes, valueFrom, i + 1);
          return;
        }
        if (this.#depth === this.#envelope) this.#envelope = 0;
        if (this.#depth > 0) this.#depth--;
        this.#expect = OTHER;
      }
      i++;
    }
    if (this.#value !== undefined) this.#append(bytes, valueFrom, end);
  }

  /** Skips to the end of the string, or of the bytes. */
  #string(bytes: Buffer, from: number, end: number): number {
    let i = from;
    if (this.#escaped) {
      this.#escaped = false;
      i++;
    }
    const near = Math.min(end, from + NEAR);
    while (i < near) {
      const byte = bytes[i] as number;
      if (byte === QUOTE) {
        if (this.#collect) this.#collectKey(bytes, from, i);
        this.#inString = false;
        return i + 1;
      }
      i += byte === BACKSLASH ? 2 : 1;
    }
    if (this.#collect) this.#collectKey(bytes, from, Math.min(i, end));
    if (i >= end) {
      this.#escaped = i > end;
      return end;
    }
    // A quote is escaped when an odd run of backslashes stands before it; each run borders on one quote only, so counting
    // backwards stays linear.
    const floor = i;
    for (;;) {
      const quote = bytes.indexOf(QUOTE, i);
      const stop = quote < 0 ? end : quote;
      let run = stop;
      while (run > floor && bytes[run - 1] === BACKSLASH) run--;
      const escaped = ((stop - run) & 1) === 1;
      if (quote < 0) {
        this.#escaped = escaped;
        return end;
      }
      if (!escaped) {
        this.#inString = false;
        return quote + 1;
      }
      i = quote + 1;
    }
  }

  #collectKey(bytes: Buffer, from: number, to: number): void {
    for (let i = from; i < to && this.#keyLength < KEY_MAX; i++) this.#key[this.#keyLength++] = bytes[i] as number;
  }

  /** Jumps to the end of an array while it holds nothing but numbers; stays in the mode at the end of the bytes. */
  #numbers(bytes: Buffer, from: number, end: number): number {
    const near = Math.min(end, from + 16);
    let i = from;
    for (; i < near; i++) {
      const byte = bytes[i] as number;
      // 101 and 69: the e of an exponent.
      if ((byte > 57 && byte !== 101 && byte !== 69) || byte === QUOTE) {
        this.#flat = false;
        return i;
      }
    }
    if (i >= end) return end;
    const close = bytes.indexOf(93, i);
    const stop = close < 0 ? end : close;
    const view = bytes.subarray(i, stop);
    if (view.indexOf(QUOTE) >= 0 || view.indexOf(91) >= 0 || view.indexOf(123) >= 0) {
      this.#flat = false;
      return i;
    }
    if (close >= 0) this.#flat = false;
    return stop;
  }

  /** What the key just read announces. */
  #meaning(): number {
    if (this.#depth === 1) {
      if (this.#is(USAGE)) return IS_USAGE;
      if (this.#is(RESPONSE) || this.#is(MESSAGE)) return IS_ENVELOPE;
      return OTHER;
    }
    return this.#is(USAGE) ? IS_USAGE : OTHER;
  }

  #is(word: readonly number[]): boolean {
    if (this.#keyLength !== word.length) return false;
    for (let k = 0; k < word.length; k++) if (this.#key[k] !== word[k]) return false;
    return true;
  }

  #append(bytes: Buffer, from: number, to: number): void {
    let value = this.#value as Buffer;
    const needed = this.#valueLength + (to - from);
    if (needed > USAGE_BYTES_MAX) {
      this.#done = true;
      this.#value = undefined;
      return;
    }
    if (needed > value.length) {
      const larger = Buffer.allocUnsafe(Math.max(512, needed, value.length * 2));
      value.copy(larger, 0, 0, this.#valueLength);
      value = larger;
      this.#value = larger;
    }
    bytes.copy(value, this.#valueLength, from, to);
    this.#valueLength = needed;
  }

  /** The value ends with [from, to); what came before is in `#value`. */
  #finish(bytes: Buffer, from: number, to: number): void {
    let text = bytes;
    if (this.#valueLength > 0) {
      this.#append(bytes, from, to);
      if (this.#value === undefined) return;
      text = this.#value;
      from = 0;
      to = this.#valueLength;
    }
    this.#value = undefined;
    this.#done = true;
    if (to - from > USAGE_BYTES_MAX) return;
    let parsed: unknown;
    try {
      parsed = JSON.parse(text.toString('latin1', from, to));
    } catch {
      return;
    }
    this.#found(parsed);
  }
}
