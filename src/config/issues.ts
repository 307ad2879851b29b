/** What the schema found, told as problems: one line for each mistake, saying what to write instead. */
import type { z } from 'zod';
import { descriptionAt, expectedAt, got, keysAt, range, schemasAt, wordsAt } from './expect.ts';
import { nearest, suggestion } from './nearest.ts';
import { type Path, placeOf, type Report } from './problem.ts';
import { type JsonSchema, rawSchema } from './schema.ts';

type Issue = z.core.$ZodIssue;

/** Values that no message may quote. */
const SECRET = /^access\.(pepper|keys\.\d+\.(key|hash))/;

/** Reports every issue of a failed parse of `value`. */
export function reportIssues(issues: readonly Issue[], value: unknown, report: Report): void {
  const flat = issues.flatMap((issue) => flatten(issue, [], value));
  const schema = rawSchema();
  // A misspelt key is one mistake, not also a missing key.
  const meant = new Set<string>();
  for (const { issue, path } of flat) {
    if (issue.code !== 'unrecognized_keys') continue;
    for (const key of issue.keys) {
      const near = nearest(key, keysAt(schema, path));
      for (const name of near) meant.add(JSON.stringify([...path, name]));
      report.at([...path, key], unknownKey(key, path, schema), 'key');
    }
  }
  for (const { issue, path } of flat) {
    const here = at(value, path);
    if (issue.code === 'unrecognized_keys') continue;
    if (here === undefined && path.length > 0) {
      if (!meant.has(JSON.stringify(path))) report.at(path, missing(path, schema), 'key');
      continue;
    }
    const message = explain(issue, path, here, schema);
    const origin = placeOf(report.root, path).place?.origin;
    // A mapping or list that is one where one is wanted says nothing by being one.
    const told = typeof here !== 'object' || here === null || /^invalid_(type|union|value)$/.test(issue.code);
    const instead =
      !told || SECRET.test(path.join('.'))
        ? ''
        : origin === undefined
          ? got(here)
          : `got something else from ${origin}`;
    report.at(
      path,
      message.includes('got ') || issue.code === 'invalid_key' ? message : withGot(message, instead),
      issue.code === 'invalid_key' ? 'key' : 'value',
    );
  }
}

interface Flat {
  issue: Issue;
  path: Path;
}

/** Opens unions, keeping only the alternative that was probably meant. */
function flatten(issue: Issue, base: Path, value: unknown): Flat[] {
  const path = [...base, ...(issue.path as (string | number)[])];
  if (issue.code !== 'invalid_union' || issue.errors.length === 0 || issue.message !== 'Invalid input')
    return [{ issue, path }];
  const here = at(value, path);
  const fitting = issue.errors.filter((branch) => !branch.some((inner) => isOtherKind(inner, here)));
  if (fitting.length === 0) return [{ issue, path }];
  const opened = fitting.map((branch) => branch.flatMap((inner) => flatten(inner, path, value)));
  const told = (branch: Flat[]) => branch.length - (branch[0]?.issue.message.startsWith('expected') ? 0.5 : 0);
  return opened.reduce((best, branch) => (told(branch) < told(best) ? branch : best));
}

/** Whether the alternative wants another kind of value altogether (a list where a string stands). */
function isOtherKind(issue: Issue, value: unknown): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_type') return true;
  if (issue.code === 'invalid_union')
    return issue.errors.every((branch) => branch.some((inner) => isOtherKind(inner, value)));
  return issue.code === 'invalid_value' && !issue.values.some((wanted) => typeof wanted === typeof value);
}

function unknownKey(key: string, path: Path, schema: JsonSchema): string {
  // Of another form of the same mapping, such as `present` beside `prefix`.
  if (keysAt(schema, path).includes(key)) return `"${key}" cannot stand beside the other keys here; keep one form`;
  return `unknown key "${key}"; ${suggestion(key, keysAt(schema, path), 'keys here')}`;
}

function missing(path: Path, schema: JsonSchema): string {
  const about = descriptionAt(schema, path);
  return `"${path.at(-1)}" is missing; add it (${expectedAt(schema, path)})${about === undefined ? '' : `: ${about}`}`;
}

function explain(issue: Issue, path: Path, value: unknown, schema: JsonSchema): string {
  const word = typeof value === 'string' ? value : undefined;
  const near = word === undefined ? [] : nearest(word, wordsAt(schema, path));
  const hint = near.length > 0 ? `; did you mean ${near.map((n) => JSON.stringify(n)).join(' or ')}?` : '';
  if (issue.message.startsWith('expected') && issue.code !== 'invalid_key') return withGot(issue.message, '') + hint;
  switch (issue.code) {
    case 'invalid_key': {
      const inner = issue.issues[0]?.message ?? '';
      return `"${path.at(-1)}" cannot be a key here; ${inner.startsWith('expected') ? inner : 'write another name'}`;
    }
    case 'invalid_value':
    case 'invalid_union':
      return `expected ${expectedAt(schema, path)}${hint}`;
    case 'invalid_type': {
      const quote = issue.expected === 'string' && (typeof value === 'number' || typeof value === 'boolean');
      if (quote) return `expected ${expectedAt(schema, path)}, ${got(value)}; put it in quotes: "${value}"`;
      return `expected ${expectedAt(schema, path)}${value === null ? '; write one, or take the key out' : hint}`;
    }
    case 'too_big':
    case 'too_small': {
      const most = issue.code === 'too_big' ? issue.maximum : issue.minimum;
      const side = issue.code === 'too_big' ? 'at most' : 'at least';
      if (issue.origin === 'array') return `expected ${side} ${most} in this list`;
      if (issue.origin === 'string') return `expected ${side} ${most} characters`;
      const found = schemasAt(schema, path).find((s) => s.minimum !== undefined || s.maximum !== undefined);
      return `expected a number${found === undefined ? ` of ${side} ${most}` : range(found)}`;
    }
    case 'invalid_format':
      if (issue.format === 'starts_with')
        return `expected a string that starts with ${(issue as { prefix?: string }).prefix ?? ''}`;
      return `expected ${expectedAt(schema, path)} of another form`;
    default:
      return issue.message;
  }
}

/** Puts what stands there behind what was expected: `expected X, got Y; did you mean Z?`. */
function withGot(message: string, instead: string): string {
  if (instead === '') return message;
  const hint = message.search(/; (did you mean|write one|put it)/);
  return hint < 0 ? `${message}, ${instead}` : `${message.slice(0, hint)}, ${instead}${message.slice(hint)}`;
}

function at(value: unknown, path: Path): unknown {
  let here = value;
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined;
    here = (here as Record<string | number, unknown>)[step];
  }
  return here;
}
