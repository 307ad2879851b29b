/** `1000/min` as people write it. */
import { parseDuration, parseSize } from '../../kernel/limit.ts';

/** So much in such a time. */
export interface Amount {
  units: number;
  /** Milliseconds; of a month, which is no fixed time, undefined. */
  windowMs: number | undefined;
  /** The word behind the slash, for calendar windows. */
  every: 'hour' | 'day' | 'week' | 'month' | undefined;
}

const WORDS: Readonly<Record<string, string>> = {
  s: '1s',
  sec: '1s',
  second: '1s',
  m: '1m',
  min: '1m',
  minute: '1m',
  h: '1h',
  hour: '1h',
  d: '1d',
  day: '1d',
  w: '7d',
  week: '7d',
};
const EVERY: Readonly<Record<string, NonNullable<Amount['every']>>> = {
  h: 'hour',
  hour: 'hour',
  d: 'day',
  day: 'day',
  w: 'week',
  week: 'week',
  month: 'month',
};
const SCALE: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9 };

/** `10MiB/s`, `5GB/day`, `1000/min`: bytes in a time; undefined where it is none. */
export function parseBytes(text: string): Amount | undefined {
  const slash = text.indexOf('/');
  const size = slash < 0 ? undefined : parseSize(text.slice(0, slash).trim());
  return parseAmount(size === undefined ? text : `${size}${text.slice(slash)}`);
}

/** 1.005 × 1000 is a little less than 1005. */
function whole(units: number): number {
  const round = Math.round(units);
  return Math.abs(units - round) < 1e-6 ? round : units;
}

/** `200/s`, `1000/min`, `2M/day`, `10/30s`, `0.5/day`, `100/month`; undefined where it is none. */
export function parseAmount(text: string): Amount | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)(k|M|G)?\/(.+)$/.exec(text.trim());
  if (match === null) return undefined;
  const [, digits, scale = '', per = ''] = match;
  const units = whole(Number(digits) * (SCALE[scale] ?? Number.NaN));
  if (!(units >= 0) || units > Number.MAX_SAFE_INTEGER) return undefined;
  const every = Object.hasOwn(EVERY, per) ? EVERY[per] : undefined;
  if (every === 'month') return { units, windowMs: undefined, every };
  const windowMs = parseDuration(Object.hasOwn(WORDS, per) ? (WORDS[per] as string) : per);
  return windowMs === undefined || windowMs < 100 ? undefined : { units, windowMs, every };
}

const LARGE: readonly (readonly [number, string])[] = [
  [7 * 86_400_000, 'week'],
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1000, 'second'],
];

/** A window as people say it: `minute`, `30 seconds`. */
export function sayWindow(windowMs: number): string {
  for (const [ms, word] of LARGE) {
    if (windowMs === ms) return word;
    if (windowMs > ms && windowMs % ms === 0) return `${windowMs / ms} ${word}s`;
  }
  return `${windowMs} ms`;
}
