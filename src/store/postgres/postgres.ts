/** The store in PostgreSQL, shared by several nodes. They tell each other of changes, and look by themselves besides. */
import { checkLimit, checkName, checkTexts, checkWrites } from '../check.ts';
import type { PostgresConfig } from '../config.ts';
import { StoreError } from '../error.ts';
import { CHARGES_MS, HOUR_MS, type Ledger } from '../ledger.ts';
import type { StoreOptions } from '../options.ts';
import {
  type Cell,
  DOCUMENT_COLUMNS as COLUMNS,
  HISTORY_COLUMNS,
  readChange,
  readDocument,
  readHistoryEntry,
} from '../row.ts';
import type {
  Ages,
  Author,
  Changes,
  Document,
  HistoryEntry,
  HistoryPage,
  Listed,
  Page,
  Store,
  Swept,
  Write,
  WriteResult,
} from '../store.ts';
import { Connection, loadDriver, type Query } from './connection.ts';
import { alive, applyWrites, ConflictSignal, channelOf, expire, forget } from './documents.ts';
import { postgresLedger } from './ledger.ts';
import { migrate } from './schema.ts';

/** How often to look for writes of other nodes: the net below what they tell. */
const POLL_MS = 500;
/** Rows that `sweep` takes on in one transaction. */
const SWEEP_ROWS = 5000;

/** Connects, and brings the schema to the newest tables. Rejects with a `StoreError`. */
export async function openPostgres(config: PostgresConfig, options: StoreOptions): Promise<Store> {
  const connection = new Connection(await loadDriver(), config, options);
  try {
    await connection.transaction('opening', (query) => migrate(query, config.schema, connection.place));
    const store = new PostgresStore(connection, config, options);
    await store.begin();
    return store;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

class PostgresStore implements Store {
  readonly driver = 'postgres';
  readonly place: string;
  readonly ledger: Ledger;
  readonly #connection: Connection;
  readonly #schema: string;
  readonly #options: StoreOptions;
  readonly #watchers = new Set<(revision: number) => void>();
  #stop: () => void = () => undefined;
  #polling = false;
  #seen = 0;

  constructor(connection: Connection, config: PostgresConfig, options: StoreOptions) {
    this.place = connection.place;
    this.#connection = connection;
    this.#schema = config.schema;
    this.#options = options;
    this.ledger = postgresLedger(connection, config.schema);
  }

  /** Notes where it is, and begins to listen and look. */
  async begin(): Promise<void> {
    this.#seen = await this.revision();
    this.#connection.listen(channelOf(this.#schema), (payload) =>
      payload === '' ? this.#poll() : this.#tell(Number(payload)),
    );
    const poll = this.#options.clock.every(POLL_MS, () => this.#poll());
    this.#stop = () => poll.cancel();
  }

  #table(name: string): string {
    return `"${this.#schema}".${name}`;
  }

  async get<T>(kind: string, id: string): Promise<Document<T> | undefined> {
    checkName(kind, id);
    const sql = `SELECT ${COLUMNS} FROM ${this.#table('documents')} WHERE kind = $1 AND id = $2 AND ${alive('$3')}`;
    return this.#one<T>(sql, [kind, id]);
  }

  async find<T>(kind: string, lookup: string): Promise<Document<T> | undefined> {
    checkName(kind, lookup);
    const id = `(SELECT id FROM ${this.#table('lookups')} WHERE kind = $1 AND lookup = $2)`;
    const sql = `SELECT ${COLUMNS} FROM ${this.#table('documents')} WHERE kind = $1 AND id = ${id} AND ${alive('$3')}`;
    return this.#one<T>(sql, [kind, lookup]);
  }

  async #one<T>(sql: string, values: Cell[]): Promise<Document<T> | undefined> {
    const rows = await this.#connection.query('reading', sql, [...values, this.#options.clock.wall()]);
    return rows[0] && readDocument<T>(rows[0]);
  }

  async list<T>(kind: string, page: Page = {}): Promise<Listed<T>> {
    const limit = checkLimit(page.limit, 100);
    checkTexts(kind, page.parent, page.after);
    const values: Cell[] = [kind, page.after ?? '', this.#options.clock.wall(), limit + 1];
    const inParent = page.parent ? `AND parent = $${values.push(page.parent)} AND parent <> ''` : '';
    const rows = await this.#connection.query(
      'listing',
      `SELECT ${COLUMNS} FROM ${this.#table('documents')}
        WHERE kind = $1 ${inParent} AND id > $2 AND ${alive('$3')} ORDER BY id LIMIT $4`,
      values,
    );
    const documents = rows.slice(0, limit).map((row) => readDocument<T>(row) as Document<T>);
    return { documents, next: rows.length > limit ? documents.at(-1)?.id : undefined };
  }

  async *scan<T>(kind: string, pageSize = 5000): AsyncIterable<readonly Document<T>[]> {
    let after: string | undefined = '';
    while (after !== undefined) {
      const listed: Listed<T> = await this.list<T>(kind, { after, limit: pageSize });
      if (listed.documents.length > 0) yield listed.documents;
      after = listed.next;
    }
  }

  async write(writes: readonly Write[], author?: Author): Promise<WriteResult> {
    const ready = checkWrites(writes, author);
    // A conflict rolls back, and so comes out of the transaction as what was thrown.
    let conflict: ConflictSignal | undefined;
    try {
      const result = await this.#connection.transaction('writing', async (query) => {
        try {
          return await applyWrites(query, this.#schema, ready, author, this.#options);
        } catch (error) {
          if (error instanceof ConflictSignal) conflict = error;
          throw error;
        }
      });
      if (result.ok) this.#tell(result.version);
      return result;
    } catch (error) {
      if (conflict !== undefined) return { ok: false, conflict: conflict.conflict };
      throw error;
    }
  }

  async revision(): Promise<number> {
    return (await this.#meta()).newest;
  }

  async changesSince(revision: number, limit?: number): Promise<Changes> {
    const most = checkLimit(limit, 1000);
    const read = (where: string, values: Cell[]) =>
      this.#connection.query(
        'reading changes',
        `SELECT ${COLUMNS} FROM ${this.#table('documents')} WHERE ${where}`,
        values,
      );
    const before = await this.#meta();
    let rows = await read('version > $1 ORDER BY version, kind, id LIMIT $2', [revision, most]);
    let last = rows.at(-1)?.version as number;
    const full = rows.length === most;
    if (full) {
      rows = rows.filter((row) => (row.version as number) < last);
      rows.push(...(await read('version = $1 ORDER BY version, kind, id', [last])));
    }
    // Looked at before and after the rows: nothing that was written or forgotten meanwhile goes unnoticed.
    const after = await this.#meta();
    if (revision > after.newest || (revision > 0 && revision < after.forgotten))
      return { changes: [], revision, more: false, reset: true };
    if (!full) last = Math.max(before.newest, last ?? 0);
    return { changes: rows.map(readChange), revision: last, more: last < after.newest, reset: false };
  }

  async #meta(): Promise<{ newest: number; forgotten: number }> {
    const rows = await this.#connection.query('reading', `SELECT name, value FROM ${this.#table('meta')}`);
    const value = (name: string) => rows.find((row) => row.name === name)?.value as number;
    return { newest: value('revision'), forgotten: value('forgotten') };
  }

  watch(changed: (revision: number) => void): () => void {
    // A function of its own: the same callback may be given twice.
    const watcher = (revision: number) => changed(revision);
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  async history(page: HistoryPage = {}): Promise<readonly HistoryEntry[]> {
    checkTexts(page.kind, page.id, page.who);
    const values: Cell[] = [page.before ?? Number.MAX_SAFE_INTEGER, checkLimit(page.limit, 100, 10_000)];
    const where = ['sequence < $1'];
    for (const [condition, value] of [
      ['kind =', page.kind],
      ['id =', page.id],
      ['who =', page.who],
      ['at >=', page.since],
      ['at <', page.until],
    ] as const)
      if (value !== undefined) where.push(`${condition} $${values.push(value)}`);
    const sql = `SELECT ${HISTORY_COLUMNS} FROM ${this.#table('history')} WHERE ${where.join(' AND ')} ORDER BY sequence DESC LIMIT $2`;
    return (await this.#connection.query('reading the history', sql, values)).map(readHistoryEntry);
  }

  async sweep(ages: Ages = {}): Promise<Swept> {
    const now = this.#options.clock.wall();
    const { tombstonesBefore, historyBefore, ledgerBefore } = ages;
    const drop = (table: string, key: string, before: number) =>
      this.#bit(async (query) => {
        const old = `SELECT ${key} FROM ${this.#table(table)} WHERE at < $1 LIMIT $2`;
        const sql = `DELETE FROM ${this.#table(table)} WHERE ${key} IN (${old}) RETURNING 1 AS one`;
        return (await query(sql, [before, SWEEP_ROWS])).length;
      });
    const expired = await this.#bit((query) => expire(query, this.#schema, now, SWEEP_ROWS));
    if (expired > 0) this.#tell(await this.revision());
    if (ledgerBefore !== undefined) {
      const hour = Math.floor((ledgerBefore - CHARGES_MS) / HOUR_MS);
      await this.#connection.query('sweeping', `DELETE FROM ${this.#table('charges')} WHERE hour < $1`, [hour], true);
    }
    return {
      expired,
      tombstones:
        tombstonesBefore === undefined
          ? 0
          : await this.#bit((query) => forget(query, this.#schema, tombstonesBefore, SWEEP_ROWS)),
      history: historyBefore === undefined ? 0 : await drop('history', 'sequence', historyBefore),
      ledger: ledgerBefore === undefined ? 0 : await drop('entries', 'id', ledgerBefore),
    };
  }

  /** Repeats a small transaction until it finds nothing more to do. */
  async #bit(body: (query: Query) => Promise<number>): Promise<number> {
    for (let total = 0; ; ) {
      const done = await this.#connection.transaction('sweeping', body);
      total += done;
      if (done < SWEEP_ROWS) return total;
    }
  }

  async copyTo(): Promise<void> {
    throw new StoreError(
      'invalid',
      `Store ${this.place}: a server is copied by its own tools: pg_dump, or a base backup.`,
    );
  }

  async close(): Promise<void> {
    this.#stop();
    this.#watchers.clear();
    await this.#connection.close();
  }

  #tell(revision: number): void {
    if (revision <= this.#seen) return;
    this.#seen = revision;
    for (const watcher of this.#watchers) watcher(revision);
  }

  /** Looks whether another node has written. A server that is lost has been told of already, and is looked for again. */
  #poll(): void {
    if (this.#polling || this.#watchers.size === 0) return;
    this.#polling = true;
    this.revision()
      .then(
        (revision) => {
          if (revision < this.#seen) this.#seen = -1;
          this.#tell(revision);
        },
        () => undefined,
      )
      .finally(() => {
        this.#polling = false;
      });
  }
}
