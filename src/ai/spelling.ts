/**
 * The plainest spelling of a path: what the most generous server would make of it. Servers differ in what they decode, merge,
 * drop and fold; whoever counts must take a path for an operation as soon as one of them would.
 */

/** Percent-encoding may be wrapped in itself; each proxy on the way may take off one layer. */
const LAYERS = 4;
const ENCODED = /%[0-9A-Fa-f]{2}/;

/** What stands in plain paths: 1; 2 where two in a row, or one at the end, mean something. */
const PLAIN = new Uint8Array(256);
for (const c of Buffer.from('abcdefghijklmnopqrstuvwxyz0123456789-_')) PLAIN[c] = 1;
for (const c of Buffer.from('/.')) PLAIN[c] = 2;

/**
 * Whether another spelling than the plain one is in the path: anything but small letters, digits, `-`, `_` and single dots and
 * slashes inside. Some nanoseconds; what it lets pass has no other reading.
 */
export function isOdd(path: string): boolean {
  let before = 0;
  for (let i = 0; i < path.length; i++) {
    const kind = PLAIN[path.charCodeAt(i)] as number;
    if (kind !== 1 && (kind !== 2 || before === 2)) return true;
    before = kind;
  }
  return before === 2;
}

/**
 * Two readings: percent-encoding decoded, however often it is wrapped, also where it makes letters of other widths; `\` is a
 * slash; slashes merged, dot segments resolved, no slash, dot or space at the end of a segment; small letters; nothing behind an
 * encoded `?` or `#`. `whole`: `;parameters` are left out of each segment; `cut`: all from the first `;` on is.
 */
export function readings(path: string): { whole: string; cut: string } {
  let text = path;
  for (let layer = 0; layer < LAYERS && ENCODED.test(text); layer++) text = decoded(text);
  text = text.normalize('NFKC').toLowerCase().replaceAll('\\', '/');
  const end = text.search(/[?#]/);
  if (end >= 0) text = text.slice(0, end);
  const semicolon = text.indexOf(';');
  const whole = resolved(text);
  return { whole, cut: semicolon < 0 ? whole : resolved(text.slice(0, semicolon)) };
}

/** One layer of encoding taken off. Bytes, so that what is no UTF-8 stays something. */
function decoded(text: string): string {
  const bytes = Buffer.from(text, 'utf8');
  let n = 0;
  for (let i = 0; i < bytes.length; i++) {
    const high = bytes[i] === 0x25 ? digit(bytes[i + 1]) : -1;
    const low = high < 0 ? -1 : digit(bytes[i + 2]);
    if (low >= 0) i += 2;
    bytes[n++] = low < 0 ? (bytes[i] as number) : high * 16 + low;
  }
  return bytes.toString('utf8', 0, n);
}

function digit(c: number | undefined): number {
  if (c === undefined) return -1;
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  return (c | 0x20) >= 0x61 && (c | 0x20) <= 0x66 ? (c | 0x20) - 0x57 : -1;
}

function resolved(text: string): string {
  const segments: string[] = [];
  for (const given of text.split('/')) {
    const parameters = given.indexOf(';');
    const segment = trimmed(parameters < 0 ? given : given.slice(0, parameters));
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
