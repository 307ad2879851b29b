/**
 * A path as the most generous server would read it. Servers differ in what they decode, merge, drop and fold; whoever decides by
 * a path must think of all of them. Two uses, one reader: rules and routes compare the path with what somebody has written, so
 * letters stay as they are (`loosePath`); whoever counts must take a path for an operation as soon as one server would, so they
 * are folded as well (`readings`). What is read is a string of bytes (latin1), as it came on the wire.
 */

const PERCENT = 0x25;
const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const HEX = Buffer.from('0123456789ABCDEF');

/** What stands in plain paths: 1; 2 where two in a row, or one at the end, mean something. */
const KINDS = new Uint8Array(256);
for (const c of Buffer.from('abcdefghijklmnopqrstuvwxyz0123456789-_')) KINDS[c] = 1;
for (const c of Buffer.from('/.')) KINDS[c] = 2;

/**
 * Whether another spelling than the plain one is in the path: anything but small letters, digits, `-`, `_` and single dots and
 * slashes inside. Some nanoseconds; what it lets pass has no other reading.
 */
export function isOdd(path: string): boolean {
  let before = 0;
  for (let i = 0; i < path.length; i++) {
    const kind = KINDS[path.charCodeAt(i)] as number;
    if (kind !== 1 && (kind !== 2 || before === 2)) return true;
    before = kind;
  }
  return before === 2;
}

/**
 * For comparing: percent-encoding decoded, however often it is wrapped; `\` is a slash; `;parameters` left out of each segment,
 * slashes merged. Case, dots and the slash at the end stay; control characters and bytes beyond ASCII are written `%XX`.
 */
export function loosePath(path: string): string {
  return written(withoutParameters(unwrapped(path).toString('latin1')));
}

/**
 * For counting: as `loosePath`, and letters of other widths are the usual ones, small letters; dot segments resolved, no slash,
 * dot or space at the end of a segment; nothing behind an encoded `?` or `#`. `whole`: `;parameters` are left out of each
 * segment; `cut`: all from the first `;` on is.
 */
export function readings(path: string): { whole: string; cut: string } {
  let text = unwrapped(path).toString('utf8').normalize('NFKC').toLowerCase().replaceAll('\\', '/');
  const end = text.search(/[?#]/);
  if (end >= 0) text = text.slice(0, end);
  const semicolon = text.indexOf(';');
  const whole = resolved(text);
  return { whole, cut: semicolon < 0 ? whole : resolved(text.slice(0, semicolon)) };
}

/** The byte that `%XX` at `at` stands for; -1 where there is none. `end`: where the bytes end. */
export function encodedByte(bytes: Buffer, at: number, end: number): number {
  if (bytes[at] !== PERCENT || at + 2 >= end) return -1;
  const high = digit(bytes[at + 1] as number);
  const low = digit(bytes[at + 2] as number);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/** Writes `%XX` for a byte, hexadecimal in capitals; returns where the next goes. */
export function writeEncoded(value: number, out: Buffer, at: number): number {
  out[at] = PERCENT;
  out[at + 1] = HEX[value >> 4] as number;
  out[at + 2] = HEX[value & 15] as number;
  return at + 3;
}

const digit = (c: number) =>
  c >= 0x30 && c <= 0x39 ? c - 0x30 : (c | 0x20) >= 0x61 && (c | 0x20) <= 0x66 ? (c | 0x20) - 0x57 : -1;

/**
 * No `%XX` left, however often one was wrapped in another: each proxy on the way may take off one layer. In one pass, for an
 * encoding is taken off as soon as its last digit stands there, and what it leaves may be the digit that another waits for.
 */
function unwrapped(path: string): Buffer {
  const bytes = Buffer.from(path, 'latin1');
  let n = 0;
  for (const byte of bytes) {
    bytes[n++] = byte;
    for (let value = encodedByte(bytes, n - 3, n); value >= 0; value = encodedByte(bytes, n - 3, n)) {
      n -= 2;
      bytes[n - 1] = value;
    }
    if (bytes[n - 1] === BACKSLASH) bytes[n - 1] = SLASH;
  }
  return bytes.subarray(0, n);
}

function withoutParameters(text: string): string {
  return text.replace(/;[^/]*/g, '').replace(/\/{2,}/g, '/');
}

/** Bytes that are not ASCII as `%XX`. Bytes, not strings: long paths must stay cheap. */
function written(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (!/[\x00-\x1f\x80-\xff]/.test(text)) return text;
  const bytes = Buffer.from(text, 'latin1');
  const out = Buffer.allocUnsafe(bytes.length * 3);
  let n = 0;
  for (const byte of bytes) {
    if (byte < 0x20 || byte >= 0x80) n = writeEncoded(byte, out, n);
    else out[n++] = byte;
  }
  return out.toString('latin1', 0, n);
}

function resolved(text: string): string {
  const segments: string[] = [];
  for (const given of withoutParameters(text).split('/')) {
    const segment = trimmed(given);
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') {
      const name = withoutDots(segment);
      if (name !== '') segments.push(name);
    }
  }
  return `/${segments.join('/')}`;
}

/** Without spaces and control characters around it. Loops: an expression with two ends could be made to work for long. */
function trimmed(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

const isBlank = (c: number) => c <= 0x20 || c === 0x7f || c === 0xfffd;

function withoutDots(text: string): string {
  let to = text.length;
  while (to > 0 && (text.charCodeAt(to - 1) === 0x2e || isBlank(text.charCodeAt(to - 1)))) to--;
  return text.slice(0, to);
}
