/** Tables of the PostgreSQL store, as numbered steps forward. A step that was released is never changed. */
import { StoreError } from '../error.ts';
import type { Query } from './connection.ts';

// COLLATE "C": the order of UTF-8 bytes, whatever the locale of the database. JSON is text, because jsonb cannot hold every
// string that JSON can (no \u0000).
// Budget → key of an entry.
const CHARGED = "CASE WHEN json_typeof(e.detail::json->'charged') = 'object' THEN e.detail::json->'charged' END";

const STEPS: readonly ((schema: string) => string)[] = [
  (s) => `
  CREATE TABLE ${s}.meta (name text PRIMARY KEY, value bigint NOT NULL);
  INSERT INTO ${s}.meta VALUES ('revision', 0), ('forgotten', 0), ('tables', 0);

  -- A document whose value is NULL was deleted.
  CREATE TABLE ${s}.documents (
    kind text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, version bigint NOT NULL, updated_at bigint NOT NULL,
    parent text COLLATE "C" NOT NULL, lookups text, expires_at bigint, value text,
    PRIMARY KEY (kind, id)
  );
  CREATE INDEX documents_version ON ${s}.documents (version, kind, id);
  CREATE INDEX documents_parent ON ${s}.documents (kind, parent, id) WHERE parent <> '' AND value IS NOT NULL;
  CREATE INDEX documents_expiry ON ${s}.documents (expires_at) WHERE expires_at IS NOT NULL AND value IS NOT NULL;
  CREATE INDEX documents_deleted ON ${s}.documents (updated_at) WHERE value IS NULL;
  CREATE TABLE ${s}.lookups (
    kind text COLLATE "C" NOT NULL, lookup text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, PRIMARY KEY (kind, lookup)
  );

  CREATE TABLE ${s}.history (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, version bigint NOT NULL, at bigint NOT NULL, who text NOT NULL,
    what text NOT NULL, kind text NOT NULL, id text NOT NULL, before text, after text
  );
  CREATE INDEX history_document ON ${s}.history (kind, id, sequence);
  CREATE INDEX history_who ON ${s}.history (who, sequence);
  CREATE INDEX history_at ON ${s}.history (at);

  CREATE TABLE ${s}.entries (
    id text COLLATE "C" PRIMARY KEY, at bigint NOT NULL, tenant text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL, version text COLLATE "C" NOT NULL, route text COLLATE "C" NOT NULL,
    "requests" bigint NOT NULL, "inputTokens" bigint NOT NULL, "cachedInputTokens" bigint NOT NULL,
    "outputTokens" bigint NOT NULL, "reasoningTokens" bigint NOT NULL, "cost" bigint NOT NULL, detail text
  );
  CREATE INDEX entries_at ON ${s}.entries (at, id);
  CREATE TABLE ${s}.days (
    day integer NOT NULL, tenant text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, model text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL, route text COLLATE "C" NOT NULL, "requests" numeric NOT NULL,
    "inputTokens" numeric NOT NULL, "cachedInputTokens" numeric NOT NULL, "outputTokens" numeric NOT NULL,
    "reasoningTokens" numeric NOT NULL, "cost" numeric NOT NULL,
    PRIMARY KEY (day, tenant, key, model, version, route)
  );
  `,
  (s) => `
  CREATE TABLE ${s}.charges (
    budget text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, hour integer NOT NULL, "cost" numeric NOT NULL,
    PRIMARY KEY (budget, key, hour)
  );
  CREATE INDEX charges_hour ON ${s}.charges (hour);
  INSERT INTO ${s}.charges SELECT c.key, c.value::text, (e.at / 3600000)::integer, sum(e."cost")
    FROM ${s}.entries e, json_each(${CHARGED}) AS c
    WHERE position('\\u0000' in e.detail) = 0 GROUP BY 1, 2, 3;
  `,
];

/** Number of the newest step. */
export const SCHEMA_VERSION = STEPS.length;

/** Of several nodes that start at once, one takes the steps and the others wait: the key of their lock ("gate"). */
const LOCK = 0x67617465;

/**
 * Takes the steps that are missing, within a transaction of the caller's. `schema` is a checked name. Throws a `StoreError`
 * when a newer program has been here.
 */
export async function migrate(query: Query, schema: string, place: string): Promise<void> {
  await query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [LOCK, schema]);
  const [there] = await query('SELECT 1 AS yes FROM pg_namespace WHERE nspname = $1', [schema]);
  if (there === undefined) await query(`CREATE SCHEMA "${schema}"`);
  const [table] = await query(
    "SELECT 1 AS yes FROM information_schema.columns WHERE table_schema = $1 AND table_name = 'meta' AND column_name = 'value'",
    [schema],
  );
  const [row] = table === undefined ? [] : await query(`SELECT value FROM "${schema}".meta WHERE name = 'tables'`);
  const version = (row?.value as number | undefined) ?? 0;
  if (table !== undefined && row === undefined)
    throw new StoreError(
      'corrupt',
      `Store ${place}: schema ${schema} holds tables of another program. It was left as it is: name another one (store.schema).`,
    );
  if (version > SCHEMA_VERSION)
    throw new StoreError(
      'newer',
      `Store ${place}: it was written by a newer Gatehouse (tables ${version}; this one knows up to ${SCHEMA_VERSION}). Run that version, or restore the backup made before the upgrade.`,
    );
  if (version === SCHEMA_VERSION) return;
  for (const step of STEPS.slice(version)) await query(step(`"${schema}"`));
  await query(`UPDATE "${schema}".meta SET value = $1 WHERE name = 'tables'`, [SCHEMA_VERSION]);
}
