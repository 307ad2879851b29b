/** Tables of the SQLite store, as numbered steps forward. A step that was released is never changed. */
import { StoreError } from '../error.ts';
import type { Database } from './database.ts';

/** Marks a file as ours (`PRAGMA application_id`): "Gate". */
const APPLICATION_ID = 0x47617465;

const STEPS: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO meta VALUES ('revision', 0), ('forgotten', 0);

  -- A document whose value is NULL was deleted.
  CREATE TABLE documents (
    kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    parent TEXT NOT NULL, lookups TEXT, expires_at INTEGER, value TEXT,
    PRIMARY KEY (kind, id)
  ) WITHOUT ROWID;
  CREATE INDEX documents_version ON documents (version);
  CREATE INDEX documents_parent ON documents (kind, parent, id) WHERE parent <> '' AND value IS NOT NULL;
  CREATE INDEX documents_expiry ON documents (expires_at) WHERE expires_at IS NOT NULL AND value IS NOT NULL;
  CREATE INDEX documents_deleted ON documents (updated_at) WHERE value IS NULL;
  CREATE TABLE lookups (kind TEXT NOT NULL, lookup TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (kind, lookup)) WITHOUT ROWID;

  CREATE TABLE history (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL, at INTEGER NOT NULL, who TEXT NOT NULL,
    what TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, before TEXT, after TEXT
  );
  CREATE INDEX history_document ON history (kind, id, sequence);
  CREATE INDEX history_who ON history (who, sequence);
  CREATE INDEX history_at ON history (at);

  CREATE TABLE entries (
    id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, tenant TEXT NOT NULL, key TEXT NOT NULL, model TEXT NOT NULL,
    version TEXT NOT NULL, route TEXT NOT NULL, requests INTEGER NOT NULL, inputTokens INTEGER NOT NULL,
    cachedInputTokens INTEGER NOT NULL, outputTokens INTEGER NOT NULL, reasoningTokens INTEGER NOT NULL,
    cost INTEGER NOT NULL, detail TEXT
  );
  CREATE INDEX entries_at ON entries (at, id);
  CREATE TABLE days (
    day INTEGER NOT NULL, tenant TEXT NOT NULL, key TEXT NOT NULL, model TEXT NOT NULL, version TEXT NOT NULL,
    route TEXT NOT NULL, requests INTEGER NOT NULL, inputTokens INTEGER NOT NULL, cachedInputTokens INTEGER NOT NULL,
    outputTokens INTEGER NOT NULL, reasoningTokens INTEGER NOT NULL, cost INTEGER NOT NULL,
    PRIMARY KEY (day, tenant, key, model, version, route)
  ) WITHOUT ROWID;
  `,
  `
  CREATE TABLE charges (
    budget TEXT NOT NULL, key TEXT NOT NULL, hour INTEGER NOT NULL, cost INTEGER NOT NULL, PRIMARY KEY (budget, key, hour)
  ) WITHOUT ROWID;
  CREATE INDEX charges_hour ON charges (hour);
  INSERT INTO charges SELECT c.key, json_quote(c.value), entries.at / 3600000, sum(entries.cost)
    FROM entries, json_each(entries.detail, '$.charged') AS c GROUP BY 1, 2, 3;
  `,
];

/** Number of the newest step. */
export const SCHEMA_VERSION = STEPS.length;

const pragma = (database: Database, name: string): number =>
  Object.values(database.prepare(`PRAGMA ${name}`).all()[0] ?? {})[0] as number;

/**
 * Checks that the file is a store of this program, and not of a newer one. Throws a `StoreError` before anything was
 * written. Answers the number of its newest step; 0 for an empty file.
 */
export function readVersion(database: Database, path: string): number {
  const version = pragma(database, 'user_version');
  const application = pragma(database, 'application_id');
  const empty = database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').all().length === 0;
  if (!empty && application !== APPLICATION_ID)
    throw new StoreError(
      'corrupt',
      `Store ${path}: it is a database of another program. It was left as it is: name another path.`,
    );
  if (version > SCHEMA_VERSION)
    throw new StoreError(
      'newer',
      `Store ${path}: it was written by a newer Gatehouse (tables ${version}; this one knows up to ${SCHEMA_VERSION}). Run that version, or put back the copy made before the upgrade.`,
    );
  return version;
}

/** Takes the steps that are missing, within a write transaction of the caller's. */
export function migrate(database: Database, from: number): void {
  for (const step of STEPS.slice(from)) database.exec(step);
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}`);
}
