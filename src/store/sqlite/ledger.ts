/** The ledger in SQLite: single entries, and sums by day that are kept along in the same transaction. */
import { checkDays, checkEntries, checkLimit } from '../check.ts';
import {
  dayOf,
  type EntryQuery,
  formatDay,
  type Ledger,
  type LedgerEntry,
  type Sum,
  type SumQuery,
  USAGE_COUNTS,
  USAGE_KEYS,
} from '../ledger.ts';
import type { Cell, Database, Row } from './database.ts';

const NAMES = ['id', 'at', ...USAGE_KEYS, ...USAGE_COUNTS, 'detail'] as const;
const INSERT = `INSERT INTO entries (${NAMES.join(', ')}) VALUES (${NAMES.map(() => '?').join(', ')}) ON CONFLICT DO NOTHING`;
const ADD = `INSERT INTO days (day, ${[...USAGE_KEYS, ...USAGE_COUNTS].join(', ')})
  VALUES (?, ${[...USAGE_KEYS, ...USAGE_COUNTS].map(() => '?').join(', ')})
  ON CONFLICT DO UPDATE SET ${USAGE_COUNTS.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')}`;

/** How the ledger reaches its database. */
export interface LedgerAccess {
  /** Runs `body` in a write transaction. */
  transaction<T>(doing: string, body: (database: Database) => T): Promise<T>;
  /** Runs `body` on the connection. */
  read<T>(doing: string, body: (database: Database) => T): Promise<T>;
}

/** The ledger over a connection. */
export function sqliteLedger(access: LedgerAccess): Ledger {
  return {
    async append(entries) {
      checkEntries(entries);
      if (entries.length === 0) return 0;
      return access.transaction('appending to the ledger', (database) => append(database, entries));
    },
    sums: async (query) => access.read('summing the ledger', (database) => sums(database, query)),
    async *entries(query = {}) {
      const size = checkLimit(query.pageSize, 1000);
      let last: LedgerEntry | undefined;
      for (;;) {
        const page = await access.read('reading the ledger', (database) => entriesAfter(database, query, last, size));
        if (page.length > 0) yield page;
        if (page.length < size) return;
        last = page.at(-1);
      }
    },
  };
}

function append(database: Database, entries: readonly LedgerEntry[]): number {
  let added = 0;
  for (const entry of entries) {
    const usage: Cell[] = [];
    for (const name of USAGE_KEYS) usage.push(entry[name]);
    for (const name of USAGE_COUNTS) usage.push(entry[name]);
    const detail = entry.detail === undefined ? null : JSON.stringify(entry.detail);
    if (database.prepare(INSERT).run(entry.id, entry.at, ...usage, detail ?? null) === 0) continue;
    database.prepare(ADD).run(dayOf(entry.at), ...usage);
    added++;
  }
  return added;
}

function sums(database: Database, query: SumQuery): readonly Sum[] {
  const { from, to } = checkDays(query);
  const where = ['day BETWEEN ? AND ?'];
  const values: Cell[] = [from, to];
  addFilter(query.where, where, values);
  const groups = [...new Set(query.by)];
  const known = groups.filter((name) => name === 'day' || USAGE_KEYS.includes(name));
  const by = known.join(', ');
  // As REAL: a sum beyond 2⁵³ is rounded rather than refused by the binding.
  const counts = USAGE_COUNTS.map((name) => `CAST(TOTAL(${name}) AS REAL) AS ${name}`).join(', ');
  const rows = database
    .prepare(
      `SELECT ${by === '' ? '' : `${by}, `}${counts} FROM days WHERE ${where.join(' AND ')}
        ${by === '' ? '' : `GROUP BY ${by} ORDER BY ${by}`} LIMIT ?`,
    )
    .all(...values, checkLimit(query.limit, 10_000));
  return rows.map((row) => {
    const group: Record<string, string> = {};
    for (const name of known) group[name] = name === 'day' ? formatDay(row.day as number) : (row[name] as string);
    return { group, ...readCounts(row) };
  });
}

function addFilter(filter: SumQuery['where'], where: string[], values: Cell[]): void {
  for (const name of USAGE_KEYS) {
    const wanted = filter?.[name];
    if (wanted === undefined) continue;
    where.push(`${name} = ?`);
    values.push(wanted);
  }
}

function entriesAfter(
  database: Database,
  query: EntryQuery,
  last: LedgerEntry | undefined,
  limit: number,
): readonly LedgerEntry[] {
  const where = ['at >= ?', 'at < ?'];
  const values: Cell[] = [last?.at ?? query.since ?? 0, query.until ?? Number.MAX_SAFE_INTEGER];
  addFilter(query.where, where, values);
  if (last !== undefined) {
    where.push('(at, id) > (?, ?)');
    values.push(last.at, last.id);
  }
  return database
    .prepare(`SELECT ${NAMES.join(', ')} FROM entries WHERE ${where.join(' AND ')} ORDER BY at, id LIMIT ?`)
    .all(...values, limit)
    .map(readEntry);
}

function readCounts(row: Row) {
  return {
    requests: row.requests as number,
    inputTokens: row.inputTokens as number,
    cachedInputTokens: row.cachedInputTokens as number,
    outputTokens: row.outputTokens as number,
    reasoningTokens: row.reasoningTokens as number,
    cost: row.cost as number,
  };
}

function readEntry(row: Row): LedgerEntry {
  return {
    id: row.id as string,
    at: row.at as number,
    tenant: row.tenant as string,
    key: row.key as string,
    model: row.model as string,
    version: row.version as string,
    route: row.route as string,
    ...readCounts(row),
    ...(row.detail === null ? {} : { detail: JSON.parse(row.detail as string) }),
  };
}
