/** Documents in SQLite: reading rows, and the steps of a transaction. Runs inside the caller's transaction. */
import type { ReadyPut, ReadyWrite } from '../check.ts';
import type { StoreOptions } from '../options.ts';
import type { Author, Conflict, Document, WriteResult } from '../store.ts';
import type { Database, Row } from './database.ts';

/** Columns that `readDocument` wants. */
export const COLUMNS = 'kind, id, version, updated_at, parent, lookups, expires_at, value';
/** Condition for a document that is there; takes the wall clock. */
export const ALIVE = 'value IS NOT NULL AND (expires_at IS NULL OR expires_at > ?)';

/** A row → the document; undefined when it was deleted. */
export function readDocument<T>(row: Row): Document<T> | undefined {
  if (row.value === null) return undefined;
  return {
    kind: row.kind as string,
    id: row.id as string,
    version: row.version as number,
    updatedAt: row.updated_at as number,
    parent: row.parent as string,
    lookups: row.lookups === null ? NONE : JSON.parse(row.lookups as string),
    expiresAt: (row.expires_at as number | null) ?? undefined,
    value: JSON.parse(row.value as string) as T,
  };
}

const NONE: readonly string[] = Object.freeze([]);

/** Version of the newest write. */
export function readMeta(database: Database, name: 'revision' | 'forgotten'): number {
  return database.prepare('SELECT value FROM meta WHERE name = ?').all(name)[0]?.value as number;
}

/** Does the steps of one transaction, or finds the conflict; then the caller rolls back. */
export function applyWrites(
  database: Database,
  writes: readonly ReadyWrite[],
  author: Author | undefined,
  options: StoreOptions,
): WriteResult {
  const now = options.clock.wall();
  const found = new Map<ReadyWrite, Row | undefined>();
  const stored = new Map<ReadyWrite, Row>();
  for (const write of writes) {
    const row = database
      .prepare(`SELECT ${COLUMNS} FROM documents WHERE kind = ? AND id = ?`)
      .all(write.kind, write.id)[0];
    const alive =
      row !== undefined && row.value !== null && (row.expires_at === null || (row.expires_at as number) > now);
    const version = alive ? (row.version as number) : 0;
    if (write.expect !== undefined && write.expect !== version)
      return conflict({ reason: 'version', kind: write.kind, id: write.id, version, lookup: '', holder: '' });
    found.set(write, alive ? row : undefined);
    if (row !== undefined && row.value !== null) stored.set(write, row);
  }
  const effective = writes.filter((write) => write.op === 'put' || (write.op === 'delete' && stored.has(write)));
  const revision = readMeta(database, 'revision');
  if (effective.length === 0) return { ok: true, version: revision };
  const version = revision + 1;
  database.prepare("UPDATE meta SET value = ? WHERE name = 'revision'").run(version);
  // Names are let go first: one transaction may move a name from one document to another.
  for (const row of stored.values()) dropLookups(database, row);
  for (const write of effective) {
    if (write.op === 'put') {
      const taken = putDocument(database, write, version, now);
      if (taken !== undefined) return conflict({ ...taken, version: (found.get(write)?.version as number) ?? 0 });
    } else markDeleted(database, write.kind, write.id, version, now);
  }
  if (author !== undefined) {
    for (const write of effective) {
      const before = found.get(write);
      if (write.op === 'delete' && before === undefined) continue;
      remember(database, write, before, author, { version, now, shown: options.shown });
    }
  }
  return { ok: true, version };
}

const conflict = (what: Conflict): WriteResult => ({ ok: false, conflict: what });

function dropLookups(database: Database, row: Row): void {
  if (row.lookups === null) return;
  const drop = database.prepare('DELETE FROM lookups WHERE kind = ? AND lookup = ? AND id = ?');
  for (const lookup of JSON.parse(row.lookups as string)) drop.run(row.kind as string, lookup, row.id as string);
}

function putDocument(
  database: Database,
  put: ReadyPut,
  version: number,
  now: number,
): Omit<Conflict, 'version'> | undefined {
  const { kind, id, parent = '', lookups = NONE, expiresAt, json } = put;
  for (const lookup of lookups) {
    if (database.prepare('INSERT INTO lookups VALUES (?, ?, ?) ON CONFLICT DO NOTHING').run(kind, lookup, id) === 1)
      continue;
    const holder = database.prepare('SELECT id FROM lookups WHERE kind = ? AND lookup = ?').all(kind, lookup)[0]
      ?.id as string;
    if (
      database.prepare(`SELECT 1 FROM documents WHERE kind = ? AND id = ? AND ${ALIVE}`).all(kind, holder, now).length >
      0
    )
      return { reason: 'lookup', kind, id, lookup, holder };
    database.prepare('UPDATE lookups SET id = ? WHERE kind = ? AND lookup = ?').run(id, kind, lookup);
  }
  database
    .prepare(
      `INSERT INTO documents (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        version = excluded.version, updated_at = excluded.updated_at, parent = excluded.parent,
        lookups = excluded.lookups, expires_at = excluded.expires_at, value = excluded.value`,
    )
    .run(
      kind,
      id,
      version,
      now,
      parent,
      lookups.length === 0 ? null : JSON.stringify(lookups),
      expiresAt ?? null,
      json,
    );
  return undefined;
}

/** Leaves a tombstone. The names it had must be gone already. */
function markDeleted(database: Database, kind: string, id: string, version: number, now: number): void {
  database
    .prepare(
      `UPDATE documents SET version = ?, updated_at = ?, parent = '', lookups = NULL, expires_at = NULL, value = NULL
        WHERE kind = ? AND id = ?`,
    )
    .run(version, now, kind, id);
}

interface Moment {
  version: number;
  now: number;
  shown: StoreOptions['shown'];
}

function remember(
  database: Database,
  write: ReadyWrite,
  before: Row | undefined,
  author: Author,
  moment: Moment,
): void {
  const { version, now, shown = (_, value) => value } = moment;
  const show = (json: string | undefined) =>
    json === undefined ? null : (JSON.stringify(shown(write.kind, JSON.parse(json))) ?? null);
  database
    .prepare('INSERT INTO history (version, at, who, what, kind, id, before, after) VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
    .run(
      version,
      now,
      author.who,
      author.what,
      write.kind,
      write.id,
      show(before?.value as string | undefined),
      show(write.op === 'put' ? write.json : undefined),
    );
}

/** Turns up to `limit` expired documents into deletions, as one transaction. Answers how many. */
export function expire(database: Database, now: number, limit: number): number {
  const rows = database
    .prepare(
      `SELECT ${COLUMNS} FROM documents WHERE expires_at <= ? AND expires_at IS NOT NULL AND value IS NOT NULL LIMIT ?`,
    )
    .all(now, limit);
  if (rows.length === 0) return 0;
  const version = readMeta(database, 'revision') + 1;
  database.prepare("UPDATE meta SET value = ? WHERE name = 'revision'").run(version);
  for (const row of rows) {
    dropLookups(database, row);
    markDeleted(database, row.kind as string, row.id as string, version, now);
  }
  return rows.length;
}
