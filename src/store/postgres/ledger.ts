/** The ledger in PostgreSQL: single entries, and sums by day that are kept along in the same statement. */
import { checkDays, checkEntries, checkLimit, checkTexts } from '../check.ts';
import { type EntryQuery, type Ledger, type LedgerEntry, type SumQuery, USAGE_COUNTS, USAGE_KEYS } from '../ledger.ts';
import {
  chargedKey,
  chargeKey,
  chargesOf,
  ENTRY_COLUMNS,
  entryCells,
  readEntry,
  readSum,
  sumGroups,
} from '../ledgerrow.ts';
import type { Cell } from '../row.ts';
import type { Connection } from './connection.ts';

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');
const COLUMNS = quoted(ENTRY_COLUMNS);
const TYPES: Readonly<Record<string, string>> = Object.fromEntries(
  ['at', ...USAGE_COUNTS].map((name) => [name, 'bigint']),
);
const CELLS = ENTRY_COLUMNS.map((name, i) => `(r->>${i})::${TYPES[name] ?? 'text'}`).join(', ');
const KEYS = quoted(USAGE_KEYS);
const COUNTS = quoted(USAGE_COUNTS);

/** Rows go in by the order of their keys, so that two nodes never wait for each other in a circle. */
const append = (s: string): string => `
  WITH added AS (
    INSERT INTO ${s}.entries (${COLUMNS}) SELECT ${CELLS} FROM json_array_elements($1::text::json) AS given(r) ORDER BY (r->>0) COLLATE "C"
    ON CONFLICT (id) DO NOTHING RETURNING *
  ), summed AS (
    INSERT INTO ${s}.days (day, ${KEYS}, ${COUNTS})
    SELECT (at / 86400000)::integer AS day, ${KEYS}, ${USAGE_COUNTS.map((name) => `sum("${name}")`).join(', ')}
    FROM added GROUP BY 1, ${KEYS} ORDER BY 1, ${KEYS}
    ON CONFLICT (day, ${KEYS}) DO UPDATE SET
      ${USAGE_COUNTS.map((name) => `"${name}" = days."${name}" + excluded."${name}"`).join(', ')}
  ), charged AS (
    INSERT INTO ${s}.charges (budget, key, hour, "cost")
    SELECT r->>1, r->>2, (e.at / 3600000)::integer AS hour, sum(e."cost")
    FROM added e JOIN json_array_elements($2::text::json) AS given(r) ON r->>0 = e.id GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (budget, key, hour) DO UPDATE SET "cost" = charges."cost" + excluded."cost"
  )
  SELECT count(*)::integer AS added FROM added`;

/** The ledger of a schema. */
export function postgresLedger(connection: Connection, schema: string): Ledger {
  const s = `"${schema}"`;
  return {
    async append(entries) {
      checkEntries(entries);
      if (entries.length === 0) return 0;
      // One statement cannot meet the same id twice: the first one counts.
      const rows = new Map<string, Cell[]>();
      const charges: string[][] = [];
      for (const entry of entries) {
        if (rows.has(entry.id)) continue;
        rows.set(entry.id, entryCells(entry));
        for (const [budget, key] of chargesOf(entry)) charges.push([entry.id, budget, chargeKey(key)]);
      }
      const [row] = await connection.query(
        'appending to the ledger',
        append(s),
        [JSON.stringify([...rows.values()]), JSON.stringify(charges)],
        true,
      );
      return row?.added as number;
    },
    async sums(query: SumQuery) {
      const { from, to } = checkDays(query);
      const where = ['day BETWEEN $1 AND $2'];
      const values: Cell[] = [from, to];
      addFilter(query.where, where, values);
      const groups = sumGroups(query);
      const by = quoted(groups);
      const counts = USAGE_COUNTS.map((name) => `coalesce(sum("${name}"), 0)::float8 AS "${name}"`).join(', ');
      values.push(checkLimit(query.limit, 10_000));
      const rows = await connection.query(
        'summing the ledger',
        `SELECT ${by === '' ? '' : `${by}, `}${counts} FROM ${s}.days WHERE ${where.join(' AND ')}
          ${by === '' ? '' : `GROUP BY ${by} ORDER BY ${by}`} LIMIT $${values.length}`,
        values,
      );
      return rows.map((row) => readSum(row, groups));
    },
    async cost({ since, until, where: filter }) {
      checkTexts(...Object.values(filter ?? {}));
      const where = ['at >= $1', 'at < $2'];
      const values: Cell[] = [since ?? 0, until ?? Number.MAX_SAFE_INTEGER];
      addFilter(filter, where, values);
      const sql = `SELECT coalesce(sum("cost"), 0)::float8 AS cost FROM ${s}.entries WHERE ${where.join(' AND ')}`;
      return (await connection.query('summing the ledger', sql, values))[0]?.cost as number;
    },
    async charged({ budget, key, fromHour }) {
      const sql = `SELECT coalesce(sum("cost"), 0)::float8 AS cost FROM ${s}.charges WHERE budget = $1 AND key = $2 AND hour >= $3`;
      return (await connection.query('summing the ledger', sql, [budget, chargeKey(key), fromHour]))[0]?.cost as number;
    },
    async chargedKeys({ budget, fromHour, limit }) {
      const sql = `SELECT key FROM ${s}.charges WHERE budget = $1 AND hour >= $2 GROUP BY key ORDER BY sum("cost") DESC, key LIMIT $3`;
      const rows = await connection.query('summing the ledger', sql, [budget, fromHour, checkLimit(limit, 1)]);
      return rows.map(({ key }) => chargedKey(key as string));
    },
    async *entries(query = {}) {
      const size = checkLimit(query.pageSize, 1000);
      checkTexts(...Object.values(query.where ?? {}));
      let last: LedgerEntry | undefined;
      for (;;) {
        const page: LedgerEntry[] = await entriesAfter(connection, s, query, last, size);
        if (page.length > 0) yield page;
        if (page.length < size) return;
        last = page.at(-1);
      }
    },
  };
}

function addFilter(filter: SumQuery['where'], where: string[], values: Cell[]): void {
  for (const name of USAGE_KEYS) {
    const wanted = filter?.[name];
    if (wanted === undefined) continue;
    values.push(wanted);
    where.push(`"${name}" = $${values.length}`);
  }
}

async function entriesAfter(
  connection: Connection,
  s: string,
  query: EntryQuery,
  last: LedgerEntry | undefined,
  limit: number,
): Promise<LedgerEntry[]> {
  const where = ['at >= $1', 'at < $2'];
  const values: Cell[] = [last?.at ?? query.since ?? 0, query.until ?? Number.MAX_SAFE_INTEGER];
  addFilter(query.where, where, values);
  if (last !== undefined) {
    where.push(`(at, id) > ($1, $${values.length + 1})`);
    values.push(last.id);
  }
  values.push(limit);
  const sql = `SELECT ${COLUMNS} FROM ${s}.entries WHERE ${where.join(' AND ')} ORDER BY at, id LIMIT $${values.length}`;
  return (await connection.query('reading the ledger', sql, values)).map(readEntry);
}
