/**
 * A cursor over the bytes of one complete JSON text (RFC 8259) that skips values without building them. It accepts the
 * grammar and nothing else, so every parser that accepts the text finds the same structure in it. Not checked: raw control
 * characters inside skipped strings, which cannot move the end of a string.
 */

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_ARRAY = 91;
const BACKSLASH = 92;
const CLOSE_ARRAY = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** Containers within containers that are followed; serde_json stops at the same depth, Python soon after. */
const DEPTH_MAX = 128;

/** Bytes of a string that are looked at one by one before the native search takes over. */
const NEAR = 48;
const REACH_MAX = 4096;

/** 1 for the four white-space bytes of RFC 8259 §2. */
const SPACE = new Uint8Array(256);
for (const byte of [32, 9, 10, 13]) SPACE[byte] = 1;

/** 1 for what may follow a backslash, `u` apart. */
const ESCAPE = new Uint8Array(256);
for (const char of '"\\/bfnrt') ESCAPE[char.charCodeAt(0)] = 1;

/** 1 for the two bytes that matter inside a string. */
const STOP = new Uint8Array(256);
STOP[QUOTE] = 1;
STOP[BACKSLASH] = 1;

/** 1 for hexadecimal digits. */
const HEX = new Uint8Array(256);
for (const char of '0123456789abcdefABCDEF') HEX[char.charCodeAt(0)] = 1;

/** Which kind of container is open at each depth; shared, for a walk never yields. 1: object, 0: array. */
const stack = new Uint8Array(DEPTH_MAX + 1);

const TRUE = [116, 114, 117, 101];
const FALSE = [102, 97, 108, 115, 101];
const NULL = [110, 117, 108, 108];

/** The cursor. After a method returned false, `fault` and `faultAt` say what is wrong and at which byte. */
export class JsonCursor {
  readonly bytes: Buffer;
  /** The next byte to look at. */
  at: number;
  fault = '';
  faultAt = 0;
  /** Cached positions of the next quote and backslash, so that no byte is searched twice. */
  #quote = -1;
  #backslash = -1;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Skips white space and tells the byte behind it; -1 at the end. */
  peek(): number {
    const bytes = this.bytes;
    let i = this.at;
    while (i < bytes.length && SPACE[bytes[i] as number] === 1) i++;
    this.at = i;
    return i < bytes.length ? (bytes[i] as number) : -1;
  }

  /** Skips one value of any kind. */
  value(): boolean {
    let depth = 0;
    for (;;) {
      const byte = this.peek();
      if (byte === QUOTE) {
        if (!this.string()) return false;
      } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        if (depth === DEPTH_MAX) return this.#fail(`more than ${DEPTH_MAX} containers inside each other`, this.at);
        const object = byte === OPEN_OBJECT;
        stack[++depth] = object ? 1 : 0;
        this.at++;
        if (this.peek() !== (object ? CLOSE_OBJECT : CLOSE_ARRAY)) {
          if (object && !this.#key()) return false;
          continue;
        }
        this.at++;
        depth--;
      } else if (!this.#scalar(byte)) {
        return false;
      }
      // A value has ended: close what it closes, up to the next value.
      for (;;) {
        if (depth === 0) return true;
        const next = this.peek();
        const object = stack[depth] === 1;
        if (next === COMMA) {
          this.at++;
          if (object && !this.#key()) return false;
          break;
        }
        if (next !== (object ? CLOSE_OBJECT : CLOSE_ARRAY)) {
          return this.unexpected(object ? ', or }' : ', or ]');
        }
        this.at++;
        depth--;
      }
    }
  }

  /** Skips a string; `at` must be on its opening quote. */
  string(): boolean {
    const bytes = this.bytes;
    const length = bytes.length;
    const start = this.at;
    let i = start + 1;
    let reach = NEAR;
    for (;;) {
      const near = Math.min(i + reach, length);
      while (i < near) {
        // Four bytes at once while none of them matters.
        while (
          i + 4 <= near &&
          ((STOP[bytes[i] as number] as number) |
            (STOP[bytes[i + 1] as number] as number) |
            (STOP[bytes[i + 2] as number] as number) |
            (STOP[bytes[i + 3] as number] as number)) ===
            0
        ) {
          i += 4;
        }
        if (i >= near) break;
        const byte = bytes[i] as number;
        if (byte === QUOTE) {
          this.at = i + 1;
          return true;
        }
        if (byte !== BACKSLASH) {
          i++;
        } else if (ESCAPE[bytes[i + 1] as number] === 1) {
          i += 2;
        } else {
          if (!this.#unicode(i)) return false;
          i += 6;
        }
      }
      if (i >= length) return this.#fail('a string that begins here does not end', start);
      if (this.#quote < i) {
        this.#quote = bytes.indexOf(QUOTE, i);
        if (this.#quote < 0) this.#quote = length;
      }
      if (this.#backslash < i) {
        this.#backslash = bytes.indexOf(BACKSLASH, i);
        if (this.#backslash < 0) this.#backslash = length;
      }
      const next = Math.min(this.#quote, this.#backslash);
      // Where escapes are dense (code, say) searches are short, and the loop is cheaper.
      reach = next - i < NEAR ? Math.min(reach * 4, REACH_MAX) : NEAR;
      i = next;
    }
  }

  /** Fails at the present byte, saying what should have stood there. */
  unexpected(wanted: string): false {
    const byte = this.bytes[this.at];
    if (byte === undefined) return this.#fail(`the text ends where ${wanted} is needed`, this.at);
    const seen = byte > 32 && byte < 127 ? `'${String.fromCharCode(byte)}'` : `byte 0x${byte.toString(16)}`;
    return this.#fail(`found ${seen} where ${wanted} is needed`, this.at);
  }

  /** A key and its colon inside a nested object. */
  #key(): boolean {
    if (this.peek() !== QUOTE) return this.unexpected('a key in double quotes');
    if (!this.string()) return false;
    if (this.peek() !== COLON) return this.unexpected(':');
    this.at++;
    return true;
  }

  /** Whether a \uXXXX escape begins at `i`. */
  #unicode(i: number): boolean {
    const bytes = this.bytes;
    return (
      (bytes[i + 1] === 117 &&
        HEX[bytes[i + 2] as number] === 1 &&
        HEX[bytes[i + 3] as number] === 1 &&
        HEX[bytes[i + 4] as number] === 1 &&
        HEX[bytes[i + 5] as number] === 1) ||
      this.#fail('a backslash that begins no JSON escape', i)
    );
  }

  #scalar(byte: number): boolean {
    if (byte === 45 || (byte >= 48 && byte <= 57)) return this.#number();
    if (byte === 116) return this.#literal(TRUE);
    if (byte === 102) return this.#literal(FALSE);
    if (byte === 110) return this.#literal(NULL);
    return this.unexpected('a JSON value');
  }

  #literal(word: readonly number[]): boolean {
    for (let k = 0; k < word.length; k++) {
      if (this.bytes[this.at + k] !== word[k]) return this.#fail('a word that is not true, false or null', this.at);
    }
    this.at += word.length;
    return true;
  }

  /** RFC 8259 §6: no leading zero, no bare point, no plus sign in front. */
  #number(): boolean {
    const bytes = this.bytes;
    const start = this.at;
    let i = start;
    if (bytes[i] === 45) i++;
    const first = i;
    i = digits(bytes, i);
    let good = i > first && (bytes[first] !== 48 || i === first + 1);
    if (bytes[i] === 46) {
      const from = ++i;
      i = digits(bytes, i);
      good &&= i > from;
    }
    if (bytes[i] === 101 || bytes[i] === 69) {
      i++;
      if (bytes[i] === 43 || bytes[i] === 45) i++;
      const from = i;
      i = digits(bytes, i);
      good &&= i > from;
    }
    if (!good) return this.#fail('a number that JSON does not allow', start);
    this.at = i;
    return true;
  }

  #fail(what: string, at: number): false {
    this.fault = what;
    this.faultAt = at;
    return false;
  }
}

function digits(bytes: Buffer, from: number): number {
  let i = from;
  while (i < bytes.length && (bytes[i] as number) >= 48 && (bytes[i] as number) <= 57) i++;
  return i;
}
