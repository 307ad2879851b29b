/** Says why a route won, by testing every entry the slow, obvious way. */
import { loosePath } from '../http/path.ts';
import type { RequestHead } from '../kernel/exchange.ts';
import { firstFailure } from './condition.ts';
import { describeHost, describeOrder, type Entry, hostMatches } from './order.ts';
import { pathMatches } from './pattern.ts';
import { canonicalPath, checkTarget } from './target.ts';

/** Losers that are listed at most; further ones are counted. */
const LISTED_MAX = 50;

/** The first thing about an entry that does not fit a request; undefined when it matches. `path` is canonical. */
export function failureOf(
  entry: Entry,
  head: RequestHead,
  path: string,
  model: string | undefined,
): string | undefined {
  const host = head.host.replace(/\.$/, '');
  if (!hostMatches(entry.host, host)) return `host must be ${describeHost(entry.host)}, is ${host || 'not named'}`;
  if (!pathMatches(entry.path, path)) return `path ${path} does not match ${entry.path.text}`;
  return firstFailure(entry.route.conditions, head, model);
}

function describeEntry(entry: Entry): string {
  const { count } = entry.route.conditions;
  const conditions = count === 0 ? '' : `, ${count} further condition${count === 1 ? '' : 's'}`;
  return `host ${describeHost(entry.host)}, ${entry.path.kind === 'any' ? 'any path' : `${entry.path.kind} path ${entry.path.text}`}${conditions}`;
}

/** Lines for people: the winner first, then each other candidate and the first reason why it lost. */
export function explainRoutes(
  entries: readonly Entry[],
  head: RequestHead,
  model: string | undefined,
  winner: Entry | undefined,
): string[] {
  const bad = checkTarget(head.path);
  if (bad) return [`refused (${bad.status}): ${bad.message}`];
  const path = canonicalPath(head.path);
  const lines = winner ? [`route ${winner.route.name} wins: ${describeEntry(winner)}`] : ['no route matches'];
  if (path !== head.path) lines.push(`path ${head.path} is compared as ${path}`);
  const loose = loosePath(head.path);
  const second = winner ? undefined : entries.find((entry) => failureOf(entry, head, loose, model) === undefined);
  const refused = `the path may also be read as ${loose}, which belongs to route ${second?.route.name}, so it is refused`;
  if (second) lines.push(refused);
  let unlisted = 0;
  for (const entry of entries) {
    if (entry === winner) continue;
    const failure = failureOf(entry, head, path, model);
    const loses = failure ?? (winner ? describeOrder(winner, entry) : refused);
    if (lines.length <= LISTED_MAX) lines.push(`route ${entry.route.name} (${describeEntry(entry)}) loses: ${loses}`);
    else unlisted++;
  }
  if (unlisted > 0) lines.push(`and ${unlisted} more`);
  return lines;
}
