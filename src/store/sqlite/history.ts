/** Who changed what, read from SQLite. */
import { checkLimit } from '../check.ts';
import type { HistoryEntry, HistoryPage } from '../store.ts';
import type { Cell, Database, Row } from './database.ts';

/** Entries of the history, newest first. */
export function readHistory(database: Database, page: HistoryPage): readonly HistoryEntry[] {
  const where = ['sequence < ?'];
  const values: Cell[] = [page.before ?? Number.MAX_SAFE_INTEGER];
  for (const [condition, value] of [
    ['kind = ?', page.kind],
    ['id = ?', page.id],
    ['who = ?', page.who],
    ['at >= ?', page.since],
    ['at < ?', page.until],
  ] as const) {
    if (value === undefined) continue;
    where.push(condition);
    values.push(value);
  }
  return database
    .prepare(`SELECT * FROM history WHERE ${where.join(' AND ')} ORDER BY sequence DESC LIMIT ?`)
    .all(...values, checkLimit(page.limit, 100, 10_000))
    .map(readEntry);
}

function readEntry(row: Row): HistoryEntry {
  const value = (cell: Cell | undefined) => (typeof cell === 'string' ? JSON.parse(cell) : undefined);
  return {
    sequence: row.sequence as number,
    version: row.version as number,
    at: row.at as number,
    who: row.who as string,
    what: row.what as string,
    kind: row.kind as string,
    id: row.id as string,
    before: value(row.before),
    after: value(row.after),
  };
}
