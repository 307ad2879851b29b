/** JSON text made by hand: for lines that are written once per request. Pure. */

// Beyond what JSON demands, C1 controls and DEL are escaped (a log on a terminal must not steer it), and so are the two
// line separators that some log readers split at.
const UNSAFE = /[^ !#-[\]-~\u00a0-\u2027\u202a-\ud7ff\ue000-\uffff]/;
const UNSAFE_LEFT = /[\u007f-\u009f\u2028\u2029]/g;

const MAX_KNOWN = 2048;
const MAX_KNOWN_LENGTH = 128;
const known = new Map<string, string>();

/** A string as JSON, quotes included. Text after `most` UTF-16 units is cut off and `…` says so. */
export function quote(text: string, most = 1024): string {
  if (text.length > most) return quote(`${text.slice(0, most - 1)}…`, most);
  if (!UNSAFE.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(UNSAFE_LEFT, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** `quote` with a memory, for names that come again and again (routes, upstreams); forgets all when it is full. */
export function quoteName(name: string): string {
  let text = known.get(name);
  if (text === undefined) {
    text = quote(name);
    if (name.length > MAX_KNOWN_LENGTH) return text;
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(name, text);
  }
  return text;
}

const MILLIS: string[] = [];
const FRACTION: string[] = [];
for (let i = 0; i < 1000; i++) {
  const digits = String(i).padStart(3, '0');
  MILLIS.push(`.${digits}Z`);
  FRACTION.push(i === 0 ? '' : `.${digits.replace(/0+$/, '')}`);
}

/** Milliseconds to three decimals, as the shortest plain number: `12.5`. Negative or not finite gives 0. */
export function millisText(ms: number): string {
  if (!(ms > 0 && ms < 1e12)) return '0';
  const micros = Math.round(ms * 1000);
  const whole = Math.floor(micros / 1000);
  return whole + FRACTION[micros - whole * 1000]!;
}

let second = Number.NaN;
let prefix = '';

/** A count as JSON: what is not finite or below zero, and so no JSON number or no count, gives 0. */
export function countText(n: number): string {
  return n > 0 && n < Number.POSITIVE_INFINITY ? String(n) : '0';
}

/** Wall-clock milliseconds as RFC 3339 in UTC with milliseconds; the part before them is kept for the whole second. */
export function timestamp(wall: number): string {
  const now = Math.floor(wall / 1000);
  if (now !== second) {
    prefix = new Date(now * 1000).toISOString().slice(0, -5);
    second = now;
  }
  return prefix + MILLIS[Math.floor(wall) - now * 1000]!;
}
