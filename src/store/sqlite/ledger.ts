/** The ledger in SQLite: single entries, and sums by day that are kept along in the same transaction. */
import { checkDays, checkEntries, checkLimit, checkTexts } from '../check.ts';
import {
  type EntryQuery,
  type Ledger,
  type LedgerEntry,
  type Sum,
  type SumQuery,
  USAGE_COUNTS,
  USAGE_KEYS,
} from '../ledger.ts';
import { chargedKey, chargeKey, ENTRY_COLUMNS, readEntry, readSum, sumGroups } from '../ledgerrow.ts';
import type { Cell } from '../row.ts';
import { nextTurn } from '../turn.ts';
import { append } from './append.ts';
import type { Database } from './database.ts';

/**
 * Entries that are looked through at once, whether they fit or not: the process that reads them has other things to do between.
 * (A thousand take some 10 ms.)
 */
const SLICE_ROWS = 1000;

/** Where an entry stands. */
type Place = Pick<LedgerEntry, 'at' | 'id'>;

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
    cost: async (query) => {
      checkTexts(...Object.values(query.where ?? {}));
      return access.read('summing the ledger', (database) => cost(database, query));
    },
    charged: async ({ budget, key, fromHour }) =>
      access.read('summing the ledger', (database) => {
        const sql = 'SELECT CAST(TOTAL(cost) AS REAL) AS cost FROM charges WHERE budget = ? AND key = ? AND hour >= ?';
        return database.prepare(sql).all(budget, chargeKey(key), fromHour)[0]?.cost as number;
      }),
    chargedKeys: async ({ budget, fromHour, limit }) =>
      access.read('summing the ledger', (database) => {
        const sql =
          'SELECT key FROM charges WHERE budget = ? AND hour >= ? GROUP BY key ORDER BY TOTAL(cost) DESC, key LIMIT ?';
        return database
          .prepare(sql)
          .all(budget, fromHour, checkLimit(limit, 1))
          .map(({ key }) => chargedKey(key as string));
      }),
    async *entries(query = {}) {
      const size = Math.min(checkLimit(query.pageSize, SLICE_ROWS), SLICE_ROWS);
      checkTexts(...Object.values(query.where ?? {}));
      for (let last: Place | undefined; ; await nextTurn()) {
        const slice = await access.read('reading the ledger', (database) => sliceAfter(database, query, last, size));
        if (slice.rows.length > 0) yield slice.rows;
        last = slice.last;
        if (last === undefined) return;
      }
    },
  };
}

function sums(database: Database, query: SumQuery): readonly Sum[] {
  const { from, to } = checkDays(query);
  const where = ['day BETWEEN ? AND ?'];
  const values: Cell[] = [from, to];
  addFilter(query.where, where, values);
  const groups = sumGroups(query);
  const by = groups.join(', ');
  // As REAL: a sum beyond 2⁵³ is rounded rather than refused by the binding.
  const counts = USAGE_COUNTS.map((name) => `CAST(TOTAL(${name}) AS REAL) AS ${name}`).join(', ');
  const rows = database
    .prepare(
      `SELECT ${by === '' ? '' : `${by}, `}${counts} FROM days WHERE ${where.join(' AND ')}
        ${by === '' ? '' : `GROUP BY ${by} ORDER BY ${by}`} LIMIT ?`,
    )
    .all(...values, checkLimit(query.limit, 10_000));
  return rows.map((row) => readSum(row, groups));
}

function cost(database: Database, query: EntryQuery): number {
  const where = ['at >= ?', 'at < ?'];
  const values: Cell[] = [query.since ?? 0, query.until ?? Number.MAX_SAFE_INTEGER];
  addFilter(query.where, where, values);
  const sql = `SELECT CAST(TOTAL(cost) AS REAL) AS cost FROM entries WHERE ${where.join(' AND ')}`;
  return database.prepare(sql).all(...values)[0]?.cost as number;
}

function addFilter(filter: SumQuery['where'], where: string[], values: Cell[]): void {
  for (const name of USAGE_KEYS) {
    const wanted = filter?.[name];
    if (wanted === undefined) continue;
    where.push(`${name} = ?`);
    values.push(wanted);
  }
}

/** The entries among the next `size` that fit, and where that was; `last` is undefined when there are no more. */
function sliceAfter(
  database: Database,
  query: EntryQuery,
  after: Place | undefined,
  size: number,
): { rows: readonly LedgerEntry[]; last: Place | undefined } {
  const where = ['at >= ?', 'at < ?'];
  const values: Cell[] = [after?.at ?? query.since ?? 0, query.until ?? Number.MAX_SAFE_INTEGER];
  if (after !== undefined) {
    where.push('(at, id) > (?, ?)');
    values.push(after.at, after.id);
  }
  const [end] = database
    .prepare(`SELECT at, id FROM entries WHERE ${where.join(' AND ')} ORDER BY at, id LIMIT 1 OFFSET ?`)
    .all(...values, size - 1);
  const last = end && { at: end.at as number, id: end.id as string };
  if (last !== undefined) {
    where.push('(at, id) <= (?, ?)');
    values.push(last.at, last.id);
  }
  addFilter(query.where, where, values);
  const rows = database
    .prepare(`SELECT ${ENTRY_COLUMNS.join(', ')} FROM entries WHERE ${where.join(' AND ')} ORDER BY at, id`)
    .all(...values)
    .map(readEntry);
  return { rows, last };
}
