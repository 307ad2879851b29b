/** What a reload changes, in words. */
import { formatDuration, formatSize } from '../kernel/limit.ts';
import { schemasAt } from './expect.ts';
import type { Config } from './file.ts';
import { formatPath } from './problem.ts';
import { rawSchema } from './schema.ts';

/** Lists whose items bear a name are compared by it: a route that moved is not a route that changed. */
const NAMED = ['name', 'url'] as const;

/** Settings that may hold credentials: that they changed is told, what they hold is not. */
const SECRET =
  /\.rewrite\.(request|response)Headers\.(set|add)[.[]|^access\.(pepper|dpop\.redis|keys\[[^\]]*\]\.hash)|^(store|redis)\.url$|^admin\.access\.(tokens\[[^\]]*\]\.hash|sessionSecret|oidc\.clientSecret)/;

/**
 * One line for each difference: `upstreams.a: added`, `upstreams.a.timeouts.idle: 30s → 10s`. Empty when both are the
 * same. List items are named, as in `routes[inference].upstream: a → b`.
 */
export function describeChange(before: Config, after: Config): string[] {
  const lines: string[] = [];
  compare(before, after, [], [], lines);
  return lines;
}

function compare(a: unknown, b: unknown, path: (string | number)[], shown: string[], lines: string[]): void {
  if (JSON.stringify(a) === JSON.stringify(b)) return;
  if (isRecord(a) && isRecord(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      compare(a[key], b[key], [...path, key], [...shown, formatPath([key])], lines);
    }
    return;
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    const named = [byName(a), byName(b)] as const;
    if (named[0] !== undefined && named[1] !== undefined) {
      compareNamed(named[0], named[1], path, shown, lines);
      return;
    }
  }
  const where = shown.join('.').replaceAll('.[', '[');
  if (a === undefined) lines.push(`${where}: added`);
  else if (b === undefined) lines.push(`${where}: taken out`);
  else if (SECRET.test(where)) lines.push(`${where}: changed`);
  else lines.push(`${where}: ${written(a, path)} → ${written(b, path)}`);
}

function compareNamed(
  a: Map<string, unknown>,
  b: Map<string, unknown>,
  path: (string | number)[],
  shown: string[],
  lines: string[],
): void {
  for (const name of new Set([...a.keys(), ...b.keys()])) {
    compare(a.get(name), b.get(name), [...path, 0], [...shown, `[${name}]`], lines);
  }
  const kept = (one: Map<string, unknown>, other: Map<string, unknown>) =>
    [...one.keys()].filter((name) => other.has(name)).join('\n');
  if (kept(a, b) !== kept(b, a)) lines.push(`${shown.join('.').replaceAll('.[', '[')}: in another order`);
}

function byName(list: unknown[]): Map<string, unknown> | undefined {
  const items = new Map<string, unknown>();
  for (const item of list) {
    const name = isRecord(item) ? NAMED.map((key) => item[key]).find((value) => typeof value === 'string') : undefined;
    if (typeof name !== 'string' || items.has(name)) return undefined;
    items.set(name, item);
  }
  return items;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as it would be written in the file. */
function written(value: unknown, path: (string | number)[]): string {
  const unit =
    typeof value === 'number'
      ? schemasAt(rawSchema(), path).find((schema) => schema.unit !== undefined)?.unit
      : undefined;
  if (unit === 'a duration') return formatDuration(value as number);
  if (unit === 'a size') return formatSize(value as number);
  if (unit === 'a percentage') return `${Number(((value as number) * 100).toPrecision(12))}%`;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
