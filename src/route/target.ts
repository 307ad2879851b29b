/**
 * What a request path means before it is matched. Paths are forwarded as the bytes that came; only the comparison is
 * normalised, so that no other spelling of a path slips past the route that was written for it:
 *
 * - `%61` for an unreserved character, and `%2f` for `%2F`, compare as equal (RFC 3986 §6.2.2.1, §6.2.2.2: equivalent).
 * - `//` compares as `/`, since many servers merge slashes.
 * - Case and a trailing slash matter (RFC 3986 §6.2.2.1: only scheme and host ignore case).
 * - Dot segments (`/../`, `/./`), however encoded (`%2e`, `..%2f`, `..;x`, encoded twice), are refused: RFC 3986 §5.2.4
 *   would resolve them and the server may, so they mean two places at once. So are `\`, `#`, control characters, `%00`
 *   and broken percent-encoding.
 * - `%2F`, `%5C`, other encoded reserved characters and `;parameters` are data in one segment. Servers that decode or
 *   drop them see another path, so that second reading is matched too (`loosePath` of `http/path.ts`): where it would belong to a
 *   more specific route, the request is refused. `/v1/models/org%2Fname` goes through `/v1/*`; `/admin%2Fx` does not
 *   go around `/admin/*`.
 */
import { encodedByte, loosePath, writeEncoded } from '../http/path.ts';
import { GatehouseError } from '../kernel/error.ts';

/** Nothing in the path needs a second look. */
export const PLAIN = 0;
/** The path must be normalised before comparing. */
export const ENCODED = 1;
/** The path must be refused. */
export const REFUSED = 2;

const SLASH = 0x2f;
const DOT_SEGMENT = /(?:^|\/)\.\.?(?:\/|$)/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const FORBIDDEN = /[\x00-\x20\x7f\\#\u0100-\uffff]/;
const BROKEN_PERCENT = /%(?![0-9A-Fa-f]{2})/;

/** A path that had to be looked at closely. */
export interface Reading {
  path: string;
  /** Why it must not be matched; undefined: it may be. */
  problem: string | undefined;
  canonical: string;
  loose: string;
}

// The last one is kept, for one request asks several times (match, matchModel, refusal) and long paths cost.
let lastReading: Reading = { path: '', problem: undefined, canonical: '', loose: '' };

/** Cheap scan of a path: PLAIN, ENCODED or REFUSED. A path that does not start with `/` (`*`, CONNECT) is PLAIN. */
export function scanPath(path: string): number {
  let before = 0;
  for (let i = 0; i < path.length; i++) {
    const c = path.charCodeAt(i);
    // `/.` and `//`; `%`, `;`, `\`, `#`; control characters and everything beyond ASCII.
    if (
      (before === SLASH && (c === 0x2e || c === SLASH)) ||
      c === 0x25 ||
      c === 0x3b ||
      c === 0x5c ||
      c === 0x23 ||
      c <= 0x20 ||
      c >= 0x7f
    ) {
      if (path.charCodeAt(0) !== SLASH) return PLAIN;
      return readPath(path).problem === undefined ? ENCODED : REFUSED;
    }
    before = c;
  }
  return PLAIN;
}

/** The close look at a path that is not PLAIN: both readings, and whether it must be refused. */
export function readPath(path: string): Reading {
  if (lastReading.path === path) return lastReading;
  const loose = loosePath(path);
  lastReading = { path, problem: problemOf(path, loose), canonical: canonicalPath(path), loose };
  return lastReading;
}

/** A path as the most lenient server reads it, for rules that no other spelling should slip past. */
export function plainPath(path: string): string {
  return scanPath(path) === PLAIN ? path : readPath(path).loose;
}

/** Why a path must not be matched, or undefined. To be called before matching; a few nanoseconds per byte. */
export function checkTarget(path: string): GatehouseError | undefined {
  if (scanPath(path) !== REFUSED) return undefined;
  return new GatehouseError('bad_request', `The request path ${readPath(path).problem}.`, { param: 'path' });
}

function problemOf(path: string, loose: string): string | undefined {
  if (FORBIDDEN.test(path)) return 'contains \\, # or a control character; send them percent-encoded';
  if (BROKEN_PERCENT.test(path)) return 'contains a % that is not followed by two hexadecimal digits; send %25 for %';
  if (/%00/.test(path)) return 'contains an encoded NUL (%00), which is never right in a path';
  if (DOT_SEGMENT.test(loose)) {
    return 'contains a "." or ".." segment, plain or encoded; resolve it before sending';
  }
  return undefined;
}

const isUnreserved = (c: number) =>
  (c >= 0x61 && c <= 0x7a) ||
  (c >= 0x41 && c <= 0x5a) ||
  (c >= 0x30 && c <= 0x39) ||
  c === 0x2d ||
  c === 0x2e ||
  c === 0x5f ||
  c === 0x7e;

/** The path in the one spelling that is compared: unreserved decoded, hexadecimal in capitals, slashes merged. */
export function canonicalPath(path: string): string {
  // Bytes, not strings: long paths must stay cheap.
  const bytes = Buffer.from(path, 'latin1');
  const end = bytes.length;
  const out = Buffer.allocUnsafe(end * 3);
  let n = 0;
  for (let i = 0; i < end; i++) {
    const c = bytes[i] as number;
    const encoded = encodedByte(bytes, i, end);
    if (encoded >= 0) i += 2;
    if (encoded >= 0 ? !isUnreserved(encoded) : c >= 0x80) n = writeEncoded(encoded >= 0 ? encoded : c, out, n);
    else if (c !== SLASH || n === 0 || out[n - 1] !== SLASH) out[n++] = encoded >= 0 ? encoded : c;
  }
  return out.toString('latin1', 0, n);
}

/** Where the n-th segment (from 0) begins, slashes merged; the length of the path when it has fewer. */
export function segmentStart(path: string, n: number): number {
  let i = 0;
  for (let seen = 0; i < path.length; seen++) {
    while (path.charCodeAt(i) === SLASH) i++;
    if (seen === n) return i;
    while (i < path.length && path.charCodeAt(i) !== SLASH) i++;
  }
  return i;
}

/** Where the segment that begins at `start` ends. */
export function segmentEnd(path: string, start: number): number {
  const slash = path.indexOf('/', start);
  return slash < 0 ? path.length : slash;
}
