/** Who changed what, read from SQLite. */
import { checkLimit } from '../check.ts';
import { type Cell, HISTORY_COLUMNS, readHistoryEntry } from '../row.ts';
import type { HistoryEntry, HistoryPage } from '../store.ts';
import type { Database } from './database.ts';

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
    .prepare(`SELECT ${HISTORY_COLUMNS} FROM history WHERE ${where.join(' AND ')} ORDER BY sequence DESC LIMIT ?`)
    .all(...values, checkLimit(page.limit, 100, 10_000))
    .map(readHistoryEntry);
}
