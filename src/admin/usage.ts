/** What was used, and how limits stand: sums and entries of the ledger, and what operators change about limits while they run. */
import { z } from 'zod';
import { COST_UNIT } from '../ai/cost.ts';
import {
  type EntryQuery,
  type LedgerEntry,
  parseDay,
  type SumGroup,
  type SumQuery,
  USAGE_COUNTS,
  USAGE_KEYS,
} from '../store/ledger.ts';
import { type Answer, json, problem } from './answer.ts';
import { readJson } from './change.ts';
import { csv } from './csv.ts';
import type { Call, Operation } from './operation.ts';
import { limitOf } from './resources/trouble.ts';

const DAY_MS = 86_400_000;
const GROUPS: readonly string[] = [...USAGE_KEYS, 'day'];
/** As many sums are too many. */
const SUMS_MOST = 100_000;
/** Most entries of one page. */
const PAGE_MOST = 10_000;

const FILTERS = {
  from: 'First day, such as 2026-11-01 (UTC); from the beginning when left out.',
  to: 'Last day, included.',
  tenant: 'Only of this tenant.',
  key: 'Only of this key.',
  model: 'Only of this model.',
  version: 'Only of this version.',
  route: 'Only of this route.',
  format: '`json` or `csv`.',
};

const look = { method: 'GET', role: 'viewer' } as const;
const change = { method: 'POST', role: 'operator', tag: 'limits' } as const;
const loose = z.looseObject({});
const keyed = z.strictObject({ rule: z.string(), key: z.string() });
const amount = loose.or(z.string()).or(z.number()).optional();
const raised = keyed.extend({ to: amount, by: amount, for: z.string() });

const operations: readonly Operation[] = [
  {
    ...look,
    path: '/api/v1/usage',
    tag: 'usage',
    what: 'sums of what was used',
    query: { by: 'What is told apart, with commas: tenant, key, model, version, route, day.', ...FILTERS },
    answer: loose,
    run: sums,
  },
  {
    ...look,
    path: '/api/v1/usage/entries',
    tag: 'usage',
    what: 'what each request used, by time, in pages',
    query: {
      ...FILTERS,
      since: 'Only from this time on, in milliseconds since 1970: `next` of the page before.',
      after: 'Only after this entry: `after` of the page before.',
      limit: `Entries of a page, at most ${PAGE_MOST}.`,
    },
    answer: loose,
    run: entries,
  },
  {
    ...look,
    path: '/api/v1/limits',
    tag: 'limits',
    what: 'who is near which limit, the nearest first, and what operators have changed',
    query: { limit: `At most this many, 100 when left out, ${PAGE_MOST} at most.` },
    answer: loose,
    run: async ({ handle, query }) => {
      const most = limitOf(query, 100, PAGE_MOST);
      if (typeof most !== 'number') return most;
      return json(200, (await handle.limits?.list(most)) ?? { limits: [], overrides: [] });
    },
  },
  {
    ...change,
    path: '/api/v1/limits/raise',
    what: 'gives one key of a limit or budget another amount for a time',
    body: raised,
    answer: loose,
    run: (call) => changed(call, raised, (document, who) => call.handle.limits?.raise(document, who)),
  },
  {
    ...change,
    path: '/api/v1/limits/restore',
    what: 'ends another amount before its time',
    body: keyed,
    answer: loose,
    run: (call) => changed(call, keyed, (document, who) => call.handle.limits?.restore(document, who)),
  },
  {
    ...change,
    path: '/api/v1/limits/release',
    what: 'forgets what was counted for one key of a limit or budget',
    body: keyed,
    answer: loose,
    run: (call) => changed(call, keyed, (document, who) => call.handle.limits?.release(document, who)),
  },
];

/** Operations on usage and limits. What is misspelt would ask for something else: no parameter or field is passed over. */
export const usageOperations: readonly Operation[] = operations.map((one) => ({
  ...one,
  run(call) {
    const { query = {} } = one;
    const format = call.query.get('format') ?? 'json';
    if (format !== 'json' && format !== 'csv')
      return problem(400, 'invalid', `format=${format}: there are json and csv.`);
    const [from, to] = [call.query.get('from'), call.query.get('to')];
    if (from !== null && to !== null && from > to)
      return problem(400, 'invalid', `from=${from} is after to=${to}: there is nothing between.`);
    return unknownIn(call.query.keys(), Object.keys(query), 'parameter') ?? one.run(call);
  },
}));

function unknownIn(names: Iterable<string>, known: readonly string[], what: string): Answer | undefined {
  const one = [...names].find((name) => !known.includes(name));
  if (one === undefined) return undefined;
  return problem(400, 'invalid', `There is no ${what} ${one}; there are ${known.join(', ') || 'none'}.`);
}

async function changed(
  { request, caller }: Call,
  { shape }: typeof keyed | typeof raised,
  act: (
    document: Record<string, unknown>,
    who: string,
  ) => Promise<{ ok: true; value: object } | { ok: false; problems: readonly string[] }> | undefined,
): Promise<Answer> {
  const document = await readJson(request);
  if (!document.ok) return problem(400, 'invalid', document.problems.join('; '));
  if (typeof document.value !== 'object' || document.value === null || Array.isArray(document.value))
    return problem(400, 'invalid', 'Send a JSON object.');
  const bogus = unknownIn(Object.keys(document.value), Object.keys(shape), 'field');
  if (bogus !== undefined) return bogus;
  const result = await act(document.value as Record<string, unknown>, `admin:${caller.name}`);
  if (result === undefined) return problem(404, 'not_found', 'There are no limits here.');
  return result.ok ? json(200, result.value) : problem(400, 'invalid', result.problems.join('; '));
}

function filterOf(query: URLSearchParams): NonNullable<SumQuery['where']> {
  const where: Record<string, string> = {};
  for (const name of USAGE_KEYS) {
    const wanted = query.get(name);
    if (wanted !== null) where[name] = wanted;
  }
  return where;
}

/** Costs leave as decimal numbers of the currency, in text: no float rounds them. */
const money = (cost: number): string => {
  const units = Math.floor(cost / COST_UNIT);
  return `${units}.${String(Math.round(cost - units * COST_UNIT)).padStart(9, '0')}`;
};

async function sums({ handle, query }: Call): Promise<Answer> {
  const by = (query.get('by') ?? 'tenant,model').split(',').filter((name) => name !== '');
  const wrong = by.find((name) => !GROUPS.includes(name));
  if (wrong !== undefined) return problem(400, 'invalid', `by=${wrong}: there are ${GROUPS.join(', ')}.`);
  const ledger = handle.ledger?.();
  if (ledger === undefined) return none();
  const from = query.get('from') ?? undefined;
  const to = query.get('to') ?? undefined;
  const found = await ledger.sums({ by: by as SumGroup[], from, to, where: filterOf(query), limit: SUMS_MOST });
  // A sum that is missing must not look like one that is nothing.
  if (found.length === SUMS_MOST)
    return problem(
      400,
      'too_many',
      `There are ${SUMS_MOST} sums or more: ask for fewer days, or tell less apart (by).`,
    );
  const rows = found.map(({ group, ...counts }) => ({ ...group, ...counts, cost: money(counts.cost) }));
  if (query.get('format') === 'csv') return csv([...by, ...USAGE_COUNTS], rows);
  return json(200, { currency: handle.currency?.() ?? '', by, from, to, sums: rows });
}

async function entries({ handle, query }: Call): Promise<Answer> {
  const ledger = handle.ledger?.();
  if (ledger === undefined) return none();
  const from = dayAt(query.get('from'));
  const to = dayAt(query.get('to'));
  if (from === undefined || to === undefined)
    return problem(400, 'invalid', 'from and to are days, such as 2026-11-30.');
  const limit = limitOf(query, 1000, PAGE_MOST);
  if (typeof limit !== 'number') return limit;
  const begun = Number(query.get('since') ?? 0);
  if (!Number.isSafeInteger(begun) || begun < 0)
    return problem(400, 'invalid', `since=${query.get('since')}: expected milliseconds since 1970.`);
  const since = Math.max(from ?? 0, begun);
  const until = to === null ? undefined : to + DAY_MS;
  const after = query.get('after') ?? '';
  const { page, more } = await pageOf(
    ledger.entries({ since, until, where: filterOf(query), pageSize: limit + 1 } satisfies EntryQuery),
    { since, after, limit },
  );
  const rows = page.map(({ detail, cost, at, ...entry }) => ({
    at: new Date(at).toISOString(),
    ...entry,
    cost: money(cost),
    ...(detail as object),
  }));
  const last = page.at(-1);
  const next = more && last !== undefined ? { since: last.at, after: last.id } : undefined;
  if (query.get('format') === 'csv') {
    const answer = csv(ENTRY_COLUMNS, rows);
    if (next !== undefined) answer.fields['X-Next'] = `since=${next.since}&after=${encodeURIComponent(next.after)}`;
    return answer;
  }
  return json(200, { currency: handle.currency?.() ?? '', entries: rows, next });
}

/** Columns of entries as CSV, here and at the command line. */
export const ENTRY_COLUMNS: readonly string[] = [
  'at',
  'id',
  ...USAGE_KEYS,
  ...USAGE_COUNTS,
  'request',
  'principal',
  'upstream',
  'endpoint',
  'status',
  'outcome',
  'durationMs',
  'source',
];

async function pageOf(
  pages: AsyncIterable<readonly LedgerEntry[]>,
  { since, after, limit }: { since: number; after: string; limit: number },
): Promise<{ page: LedgerEntry[]; more: boolean }> {
  const page: LedgerEntry[] = [];
  for await (const some of pages) {
    for (const entry of some) {
      // Entries stand by time and id: those of the same millisecond may have been told already.
      if (after !== '' && entry.at === since && entry.id <= after) continue;
      if (page.length === limit) return { page, more: true };
      page.push(entry);
    }
  }
  return { page, more: false };
}

/** The start of a day; null: none was named; undefined: it is no day. */
function dayAt(text: string | null): number | null | undefined {
  if (text === null) return null;
  const day = parseDay(text);
  return day === undefined ? undefined : day * DAY_MS;
}

const none = () =>
  problem(503, 'unavailable', 'No ledger is kept here: set `prices`, `budgets` or `ledger: { enabled: true }`.');
