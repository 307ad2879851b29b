/** The steps of a transaction in PostgreSQL: few statements, each for all documents at once. */
import type { ReadyWrite } from '../check.ts';
import type { StoreOptions } from '../options.ts';
import { documentCells, historyCells, lookupConflict, type Name, planWrites, rowKey } from '../plan.ts';
import { type Cell, DOCUMENT_COLUMNS, HISTORY_COLUMNS, type Row, readLookups } from '../row.ts';
import type { Author, Conflict, WriteResult } from '../store.ts';
import type { Query } from './connection.ts';

/** Condition for a document that is there; `now` is the parameter with the wall clock, such as `$3`. */
export const alive = (now: string): string => `value IS NOT NULL AND (expires_at IS NULL OR expires_at > ${now})`;

/** Name of the channel on which nodes tell each other the newest revision. */
export const channelOf = (schema: string): string => `${schema}_changes`;

/** Many rows as one parameter: JSON text of an array of arrays, whose cells are `r->>0` and on. */
const ROWS = 'json_array_elements($1::text::json) AS given(r)';
const text = (rows: readonly (readonly Cell[])[]): string => JSON.stringify(rows);
const nameRow = ({ kind, lookup, id }: Name): Cell[] => [kind, lookup, id];

/** Thrown through a transaction so that it is rolled back. */
export class ConflictSignal {
  readonly conflict: Conflict;

  constructor(conflict: Conflict) {
    this.conflict = conflict;
  }
}

/**
 * Waits for its turn to write: one writer at a time over all nodes. So revisions become visible in their order, and whoever
 * has read up to one has missed nothing before it.
 */
async function lockRevision(query: Query, schema: string): Promise<number> {
  const [row] = await query(`SELECT value FROM "${schema}".meta WHERE name = $1 FOR UPDATE`, ['revision']);
  return row?.value as number;
}

/** Counts up, and tells the other nodes; they hear it when the transaction is committed. */
async function nextRevision(query: Query, schema: string, version: number): Promise<void> {
  await query(
    `WITH counted AS (UPDATE "${schema}".meta SET value = $1::bigint WHERE name = 'revision')
      SELECT pg_notify($2, $1::bigint::text)`,
    [version, channelOf(schema)],
  );
}

/** Does the steps of one transaction. Throws a `ConflictSignal` when there is a conflict. */
export async function applyWrites(
  query: Query,
  schema: string,
  writes: readonly ReadyWrite[],
  author: Author | undefined,
  options: StoreOptions,
): Promise<WriteResult> {
  const now = options.clock.wall();
  const revision = await lockRevision(query, schema);
  const stored = await query(
    `SELECT ${DOCUMENT_COLUMNS} FROM "${schema}".documents JOIN ${ROWS} ON kind = r->>0 AND id = r->>1`,
    [text(writes.map(({ kind, id }) => [kind, id]))],
  );
  const rows = new Map<string, Row>();
  for (const row of stored) rows.set(rowKey(row.kind as string, row.id as string), row);
  const plan = planWrites(writes, rows, now);
  if (plan.conflict !== undefined) throw new ConflictSignal(plan.conflict);
  if (plan.steps.length === 0) return { ok: true, version: revision };
  const version = revision + 1;
  await freeNames(query, schema, plan.freed);
  const refused = await takeNames(query, schema, plan.taken, now);
  if (refused !== undefined) throw new ConflictSignal(lookupConflict(refused.name, refused.holder, plan.steps));
  await putRows(
    query,
    schema,
    plan.steps.map((step) => documentCells(step, version, now)),
  );
  if (author !== undefined) {
    const cells = plan.steps.map((step) => historyCells(step, author, version, now, options.shown));
    await query(
      `INSERT INTO "${schema}".history (${HISTORY_COLUMNS.replace('sequence, ', '')})
        SELECT (r->>0)::bigint, (r->>1)::bigint, r->>2, r->>3, r->>4, r->>5, r->>6, r->>7 FROM ${ROWS}`,
      [text(cells.filter((each) => each !== undefined))],
    );
  }
  await nextRevision(query, schema, version);
  return { ok: true, version };
}

async function putRows(query: Query, schema: string, rows: readonly (readonly Cell[])[]): Promise<void> {
  await query(
    `INSERT INTO "${schema}".documents (${DOCUMENT_COLUMNS})
      SELECT r->>0, r->>1, (r->>2)::bigint, (r->>3)::bigint, r->>4, r->>5, (r->>6)::bigint, r->>7 FROM ${ROWS}
      ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at,
        parent = excluded.parent, lookups = excluded.lookups, expires_at = excluded.expires_at, value = excluded.value`,
    [text(rows)],
  );
}

async function freeNames(query: Query, schema: string, names: readonly Name[]): Promise<void> {
  if (names.length === 0) return;
  await query(`DELETE FROM "${schema}".lookups USING ${ROWS} WHERE kind = r->>0 AND lookup = r->>1 AND id = r->>2`, [
    text(names.map(nameRow)),
  ]);
}

/** Gives names to documents. Answers the first one that another document has. */
async function takeNames(
  query: Query,
  schema: string,
  names: readonly Name[],
  now: number,
): Promise<{ name: Name; holder: string } | undefined> {
  if (names.length === 0) return undefined;
  const insert = `INSERT INTO "${schema}".lookups (kind, lookup, id) SELECT r->>0, r->>1, r->>2 FROM ${ROWS}`;
  const taken = await query(`${insert} ON CONFLICT DO NOTHING RETURNING kind, lookup`, [text(names.map(nameRow))]);
  if (taken.length === names.length) return undefined;
  const done = new Set(taken.map((row) => rowKey(row.kind as string, row.lookup as string)));
  const left = names.filter(({ kind, lookup }) => !done.has(rowKey(kind, lookup)));
  const holders = await query(
    `SELECT kind, lookup, id FROM "${schema}".lookups JOIN "${schema}".documents USING (kind, id)
      JOIN ${ROWS} ON kind = r->>0 AND lookup = r->>1 WHERE ${alive('$2')}`,
    [text(left.map(nameRow)), now],
  );
  const held = new Map(holders.map((row) => [rowKey(row.kind as string, row.lookup as string), row.id as string]));
  for (const name of left) {
    const holder = held.get(rowKey(name.kind, name.lookup));
    if (holder !== undefined) return { name, holder };
  }
  await query(`${insert} ON CONFLICT (kind, lookup) DO UPDATE SET id = excluded.id`, [text(left.map(nameRow))]);
  return undefined;
}

/** Turns up to `limit` expired documents into deletions. Answers how many. */
export async function expire(query: Query, schema: string, now: number, limit: number): Promise<number> {
  const version = (await lockRevision(query, schema)) + 1;
  const rows = await query(
    `SELECT ${DOCUMENT_COLUMNS} FROM "${schema}".documents
      WHERE expires_at <= $1 AND expires_at IS NOT NULL AND value IS NOT NULL LIMIT $2`,
    [now, limit],
  );
  if (rows.length === 0) return 0;
  const names = rows.flatMap((row) =>
    readLookups(row).map((lookup) => ({ kind: row.kind as string, lookup, id: row.id as string })),
  );
  await freeNames(query, schema, names);
  await putRows(
    query,
    schema,
    rows.map(({ kind, id }) => [kind as Cell, id as Cell, version, now, '', null, null, null]),
  );
  await nextRevision(query, schema, version);
  return rows.length;
}

/** Forgets up to `limit` deletions, and remembers up to which revision. */
export async function forget(query: Query, schema: string, before: number, limit: number): Promise<number> {
  await lockRevision(query, schema);
  const rows = await query(
    `DELETE FROM "${schema}".documents WHERE (kind, id) IN
      (SELECT kind, id FROM "${schema}".documents WHERE value IS NULL AND updated_at < $1 LIMIT $2) RETURNING version`,
    [before, limit],
  );
  let newest = 0;
  for (const row of rows) newest = Math.max(newest, row.version as number);
  await query(`UPDATE "${schema}".meta SET value = greatest(value, $1::bigint) WHERE name = 'forgotten'`, [newest]);
  return rows.length;
}
