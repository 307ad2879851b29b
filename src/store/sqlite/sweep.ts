/** Forgetting what is too old in SQLite, a piece at a time. Runs inside the caller's transaction. */
import { DOCUMENT_COLUMNS, readLookups } from '../row.ts';
import type { Database } from './database.ts';
import { freeName, nextRevision, readMeta, UPSERT } from './documents.ts';

/** Rows that one piece takes on; fewer done means that nothing is left. */
export const SWEEP_ROWS = 500;

/** Turns some expired documents into deletions, as one transaction. Answers how many. */
export function expire(database: Database, now: number): number {
  const rows = database
    .prepare(`SELECT ${DOCUMENT_COLUMNS} FROM documents
      WHERE expires_at <= ? AND expires_at IS NOT NULL AND value IS NOT NULL LIMIT ?`)
    .all(now, SWEEP_ROWS);
  if (rows.length === 0) return 0;
  const version = nextRevision(database);
  for (const row of rows) {
    const kind = row.kind as string;
    const id = row.id as string;
    for (const lookup of readLookups(row)) freeName(database, { kind, lookup, id });
    database.prepare(UPSERT).run(kind, id, version, now, '', null, null, null);
  }
  return rows.length;
}

/** Forgets some deletions, and remembers up to which revision. Answers how many. */
export function forget(database: Database, before: number): number {
  const rows = database
    .prepare('SELECT kind, id, version FROM documents WHERE value IS NULL AND updated_at < ? LIMIT ?')
    .all(before, SWEEP_ROWS);
  let newest = readMeta(database, 'forgotten');
  for (const row of rows) {
    newest = Math.max(newest, row.version as number);
    database.prepare('DELETE FROM documents WHERE kind = ? AND id = ?').run(row.kind as string, row.id as string);
  }
  if (rows.length > 0) database.prepare("UPDATE meta SET value = ? WHERE name = 'forgotten'").run(newest);
  return rows.length;
}

/** Drops what budgets were charged with before an hour. Answers how many rows. */
export function dropCharges(database: Database, beforeHour: number): number {
  return database.prepare('DELETE FROM charges WHERE hour < ?').run(beforeHour);
}

/** Drops old rows of a log. Answers how many. */
export function drop(database: Database, table: 'history' | 'entries', before: number): number {
  return database
    .prepare(`DELETE FROM ${table} WHERE rowid IN (SELECT rowid FROM ${table} WHERE at < ? LIMIT ?)`)
    .run(before, SWEEP_ROWS);
}
