/** The store in one SQLite file. Write-ahead log: readers never wait for a writer, nor a writer for readers. */
import { checkLimit, checkName, checkTexts, checkWrites } from '../check.ts';
import type { SqliteConfig } from '../config.ts';
import { StoreError } from '../error.ts';
import { CHARGES_MS, HOUR_MS, type Ledger } from '../ledger.ts';
import type { StoreOptions } from '../options.ts';
import { type Cell, DOCUMENT_COLUMNS as COLUMNS, readChange, readDocument } from '../row.ts';
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
import { nextTurn, pause } from '../turn.ts';
import { copyDatabase } from './copy.ts';
import type { Binding, Database } from './database.ts';
import { ALIVE, applyWrites, readMeta } from './documents.ts';
import { isBusy, sqliteFault } from './fault.ts';
import { readHistory } from './history.ts';
import { sqliteLedger } from './ledger.ts';
import { openFile } from './open.ts';
import { drop, dropCharges, expire, forget, SWEEP_ROWS } from './sweep.ts';

/** How often to look for writes of other processes. */
const POLL_MS = 500;
/** Pause between tries while another process holds the file. */
const RETRY_MS = 20;

/** Opens the file `config.path`. Throws a `StoreError`; a file that is damaged or not ours is left untouched. */
export async function openSqlite(
  config: SqliteConfig & { path: string },
  options: StoreOptions,
  binding?: Binding,
): Promise<Store> {
  const database = await openFile(config, options, binding);
  return new SqliteStore(database, config, options);
}

class SqliteStore implements Store {
  readonly driver = 'sqlite';
  readonly place: string;
  readonly ledger: Ledger;
  readonly #options: StoreOptions;
  readonly #lockTimeoutMs: number;
  readonly #watchers = new Set<(revision: number) => void>();
  readonly #stop: () => void;
  #database: Database | undefined;
  #seen: number;

  constructor(database: Database, config: SqliteConfig & { path: string }, options: StoreOptions) {
    this.place = config.path;
    this.#database = database;
    this.#options = options;
    this.#lockTimeoutMs = config.lockTimeout;
    this.#seen = readMeta(database, 'revision');
    this.ledger = sqliteLedger({
      transaction: (doing, body) => this.#transaction(doing, body, () => true),
      read: (doing, body) => this.#read(doing, body),
    });
    const poll = options.clock.every(POLL_MS, () => this.#poll());
    this.#stop = () => poll.cancel();
  }

  async get<T>(kind: string, id: string): Promise<Document<T> | undefined> {
    checkName(kind, id);
    return this.#one<T>(`SELECT ${COLUMNS} FROM documents WHERE kind = ? AND id = ? AND ${ALIVE}`, [kind, id]);
  }

  async find<T>(kind: string, lookup: string): Promise<Document<T> | undefined> {
    checkName(kind, lookup);
    return this.#one<T>(
      `SELECT ${COLUMNS} FROM documents WHERE kind = ?1 AND id = (SELECT id FROM lookups WHERE kind = ?1 AND lookup = ?2) AND ${ALIVE.replace('?', '?3')}`,
      [kind, lookup],
    );
  }

  async #one<T>(sql: string, values: Cell[]): Promise<Document<T> | undefined> {
    const rows = await this.#read('reading', (database) =>
      database.prepare(sql).all(...values, this.#options.clock.wall()),
    );
    return rows[0] && readDocument<T>(rows[0]);
  }

  async list<T>(kind: string, page: Page = {}): Promise<Listed<T>> {
    const limit = checkLimit(page.limit, 100);
    checkTexts(kind, page.parent, page.after);
    const inParent = page.parent ? "AND parent = ? AND parent <> ''" : '';
    const rows = await this.#read('listing', (database) =>
      database
        .prepare(
          `SELECT ${COLUMNS} FROM documents WHERE kind = ? ${inParent} AND id > ? AND ${ALIVE} ORDER BY id LIMIT ?`,
        )
        .all(kind, ...(page.parent ? [page.parent] : []), page.after ?? '', this.#options.clock.wall(), limit + 1),
    );
    const documents = rows.slice(0, limit).map((row) => readDocument<T>(row) as Document<T>);
    return { documents, next: rows.length > limit ? documents.at(-1)?.id : undefined };
  }

  async *scan<T>(kind: string, pageSize = 2000): AsyncIterable<readonly Document<T>[]> {
    let after: string | undefined = '';
    while (after !== undefined) {
      const listed: Listed<T> = await this.list<T>(kind, { after, limit: pageSize });
      if (listed.documents.length > 0) yield listed.documents;
      after = listed.next;
      await nextTurn();
    }
  }

  async write(writes: readonly Write[], author?: Author): Promise<WriteResult> {
    const ready = checkWrites(writes, author);
    const result = await this.#transaction(
      'writing',
      (database) => applyWrites(database, ready, author, this.#options),
      (made) => made.ok,
    );
    if (result.ok) this.#tell(result.version);
    return result;
  }

  revision(): Promise<number> {
    return this.#read('reading', (database) => readMeta(database, 'revision'));
  }

  async changesSince(revision: number, limit?: number): Promise<Changes> {
    const most = checkLimit(limit, 1000);
    return this.#read('reading changes', (database) => {
      const before = readMeta(database, 'revision');
      const select = `SELECT ${COLUMNS} FROM documents WHERE version`;
      let rows = database.prepare(`${select} > ? ORDER BY version, kind, id LIMIT ?`).all(revision, most);
      let last = rows.at(-1)?.version as number;
      const full = rows.length === most;
      if (full) {
        rows = rows.filter((row) => (row.version as number) < last);
        rows.push(...database.prepare(`${select} = ? ORDER BY version, kind, id`).all(last));
      }
      // Looked at before and after the rows: nothing that another process wrote or forgot meanwhile goes unnoticed.
      const newest = readMeta(database, 'revision');
      if (revision > newest || (revision > 0 && revision < readMeta(database, 'forgotten')))
        return { changes: [], revision, more: false, reset: true };
      if (!full) last = Math.max(before, last ?? 0);
      return { changes: rows.map(readChange), revision: last, more: last < newest, reset: false };
    });
  }

  watch(changed: (revision: number) => void): () => void {
    // A function of its own: the same callback may be given twice.
    const watcher = (revision: number) => changed(revision);
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  async history(page: HistoryPage = {}): Promise<readonly HistoryEntry[]> {
    checkTexts(page.kind, page.id, page.who);
    return this.#read('reading the history', (database) => readHistory(database, page));
  }

  async sweep(ages: Ages = {}): Promise<Swept> {
    const now = this.#options.clock.wall();
    const swept = {
      expired: await this.#bit((database) => expire(database, now)),
      tombstones: 0,
      history: 0,
      ledger: 0,
    };
    if (swept.expired > 0) this.#tell(await this.revision());
    const { tombstonesBefore, historyBefore, ledgerBefore } = ages;
    if (tombstonesBefore !== undefined)
      swept.tombstones = await this.#bit((database) => forget(database, tombstonesBefore));
    if (historyBefore !== undefined)
      swept.history = await this.#bit((database) => drop(database, 'history', historyBefore));
    if (ledgerBefore !== undefined)
      swept.ledger = await this.#bit((database) => drop(database, 'entries', ledgerBefore));
    if (ledgerBefore !== undefined) {
      const hour = Math.floor((ledgerBefore - CHARGES_MS) / HOUR_MS);
      await this.#transaction(
        'sweeping',
        (database) => dropCharges(database, hour),
        () => true,
      );
    }
    return swept;
  }

  /** Repeats a small transaction until it finds nothing more to do. */
  async #bit(body: (database: Database) => number): Promise<number> {
    for (let total = 0; ; await nextTurn()) {
      const done = await this.#transaction('sweeping', body, () => true);
      total += done;
      if (done < SWEEP_ROWS) return total;
    }
  }

  async copyTo(path: string): Promise<void> {
    await this.#read(`copying to ${path}`, (database) => copyDatabase(database, path));
  }

  async close(): Promise<void> {
    this.#stop();
    this.#watchers.clear();
    const database = this.#database;
    this.#database = undefined;
    if (database === undefined) return;
    try {
      // One binding lets go of the file only when its garbage is collected: until then the log would not be folded in.
      database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
    } catch {
      // Another process is at it, or the file takes no writes: the log stays beside the file, and nothing is lost.
    }
    database.close();
  }

  #connection(): Database {
    if (this.#database === undefined) throw new StoreError('closed', `Store ${this.place} was closed.`);
    return this.#database;
  }

  async #read<T>(doing: string, body: (database: Database) => T): Promise<T> {
    const database = this.#connection();
    try {
      return body(database);
    } catch (error) {
      throw this.#fault(error, doing);
    }
  }

  /** Runs `body` between BEGIN and COMMIT; rolls back when it throws, or when `keep` says so. */
  async #transaction<T>(doing: string, body: (database: Database) => T, keep: (result: T) => boolean): Promise<T> {
    const { clock } = this.#options;
    const deadline = clock.now() + this.#lockTimeoutMs;
    for (;;) {
      const database = this.#connection();
      try {
        database.exec('BEGIN IMMEDIATE');
      } catch (error) {
        if (!isBusy(error) || clock.now() >= deadline) throw this.#fault(error, doing);
        await pause(clock, RETRY_MS);
        continue;
      }
      try {
        const result = body(database);
        database.exec(keep(result) ? 'COMMIT' : 'ROLLBACK');
        return result;
      } catch (error) {
        try {
          database.exec('ROLLBACK');
        } catch {
          // SQLite has rolled back by itself, as it does when the disk is full.
        }
        throw this.#fault(error, doing);
      }
    }
  }

  #fault(error: unknown, doing: string): StoreError {
    const fault = sqliteFault(error, this.place, doing);
    this.#options.events?.emit('fault', { kind: `store_${fault.fault}`, where: 'store' });
    return fault;
  }

  #tell(revision: number): void {
    if (revision <= this.#seen) return;
    this.#seen = revision;
    for (const watcher of this.#watchers) watcher(revision);
  }

  /** Looks whether another process has written. A store that cannot be read now is looked at again later. */
  #poll(): void {
    if (this.#database === undefined || this.#watchers.size === 0) return;
    try {
      const revision = readMeta(this.#database, 'revision');
      if (revision < this.#seen) this.#seen = -1;
      this.#tell(revision);
    } catch (error) {
      this.#fault(error, 'polling');
    }
  }
}
