/** The steps of a transaction in SQLite. Runs inside the caller's transaction. */
import type { ReadyWrite } from '../check.ts';
import type { StoreOptions } from '../options.ts';
import { documentCells, historyCells, isAlive, lookupConflict, type Name, planWrites, rowKey } from '../plan.ts';
import { DOCUMENT_COLUMNS, type Row } from '../row.ts';
import type { Author, WriteResult } from '../store.ts';
import type { Database } from './database.ts';

/** Condition for a document that is there; takes the wall clock. */
export const ALIVE = 'value IS NOT NULL AND (expires_at IS NULL OR expires_at > ?)';

const SELECT = `SELECT ${DOCUMENT_COLUMNS} FROM documents WHERE kind = ? AND id = ?`;
/** Writes a row over what there is. */
export const UPSERT = `INSERT INTO documents (${DOCUMENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  version = excluded.version, updated_at = excluded.updated_at, parent = excluded.parent, lookups = excluded.lookups,
  expires_at = excluded.expires_at, value = excluded.value`;

/** Version of the newest write, or the newest deletion that is forgotten. */
export function readMeta(database: Database, name: 'revision' | 'forgotten'): number {
  return database.prepare('SELECT value FROM meta WHERE name = ?').all(name)[0]?.value as number;
}

/** Counts up and gives the new version. */
export function nextRevision(database: Database): number {
  const version = readMeta(database, 'revision') + 1;
  database.prepare("UPDATE meta SET value = ? WHERE name = 'revision'").run(version);
  return version;
}

/** Does the steps of one transaction, or finds the conflict; then the caller rolls back. */
export function applyWrites(
  database: Database,
  writes: readonly ReadyWrite[],
  author: Author | undefined,
  options: StoreOptions,
): WriteResult {
  const now = options.clock.wall();
  const rows = new Map<string, Row>();
  for (const { kind, id } of writes) {
    const row = database.prepare(SELECT).all(kind, id)[0];
    if (row !== undefined) rows.set(rowKey(kind, id), row);
  }
  const plan = planWrites(writes, rows, now);
  if (plan.conflict !== undefined) return { ok: false, conflict: plan.conflict };
  if (plan.steps.length === 0) return { ok: true, version: readMeta(database, 'revision') };
  const version = nextRevision(database);
  for (const name of plan.freed) freeName(database, name);
  for (const name of plan.taken) {
    const holder = takeName(database, name, now);
    if (holder !== undefined) return { ok: false, conflict: lookupConflict(name, holder, plan.steps) };
  }
  for (const step of plan.steps) {
    database.prepare(UPSERT).run(...documentCells(step, version, now));
    if (author === undefined) continue;
    const cells = historyCells(step, author, version, now, options.shown);
    if (cells === undefined) continue;
    database
      .prepare('INSERT INTO history (version, at, who, what, kind, id, before, after) VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
      .run(...cells);
  }
  return { ok: true, version };
}

/** Takes a name from a document, if it is the one that has it. */
export function freeName(database: Database, { kind, lookup, id }: Name): void {
  database.prepare('DELETE FROM lookups WHERE kind = ? AND lookup = ? AND id = ?').run(kind, lookup, id);
}

/** Gives the name to the document. Answers who has it when that document still exists. */
function takeName(database: Database, { kind, lookup, id }: Name, now: number): string | undefined {
  const insert = database.prepare('INSERT INTO lookups VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
  if (insert.run(kind, lookup, id) === 1) return undefined;
  const holder = database.prepare('SELECT id FROM lookups WHERE kind = ? AND lookup = ?').all(kind, lookup)[0]?.id;
  if (isAlive(database.prepare(SELECT).all(kind, holder as string)[0], now)) return holder as string;
  database.prepare('UPDATE lookups SET id = ? WHERE kind = ? AND lookup = ?').run(id, kind, lookup);
  return undefined;
}
