/**
 * The way to the server: a pool of connections that come back by themselves, a deadline on every call, and one connection
 * that listens.
 */
import type { Options, Sql } from 'postgres';
import type { Timer } from '../../kernel/clock.ts';
import type { PostgresConfig } from '../config.ts';
import { StoreError } from '../error.ts';
import type { StoreOptions } from '../options.ts';
import type { Cell, Row } from '../row.ts';
import { postgresFault } from './fault.ts';

/** Runs one statement; several, when there are no values. */
export type Query = (sql: string, values?: readonly Cell[]) => Promise<Row[]>;

type Driver = (url: string, options: Options<Record<string, never>>) => Sql;

/** Pause before the listener tries again: doubled each time, with chance, so that nodes do not come all at once. */
const RETRY_MS = 200;
const RETRY_MS_MAX = 5000;

/** Server and database of an address, without user and password. */
export const placeOf = (url: string): string =>
  `postgres://${url.replace(/^[a-z]+:\/\/(.*@)?/, '').replace(/\?.*$/, '')}`;

/** Loads the client. Throws a `StoreError` when the optional package is not installed. */
export async function loadDriver(): Promise<Driver> {
  try {
    return (await import('postgres')).default as unknown as Driver;
  } catch (error) {
    const message =
      'store.driver postgres needs the optional package postgres, which is not installed: npm install postgres.';
    throw new StoreError('missing', message, error);
  }
}

/** The connections of one store. */
export class Connection {
  readonly place: string;
  readonly #driver: Driver;
  readonly #config: PostgresConfig;
  readonly #options: StoreOptions;
  #pool: Sql;
  #listener: Sql | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #reached = true;
  #closed = false;

  constructor(driver: Driver, config: PostgresConfig, options: StoreOptions) {
    this.place = `${placeOf(config.url)} schema ${config.schema}`;
    this.#driver = driver;
    this.#config = config;
    this.#options = options;
    this.#pool = this.#connect({ max: config.connections });
  }

  #connect(more: Options<Record<string, never>>): Sql {
    try {
      return this.#driver(this.#config.url, {
        connect_timeout: Math.ceil(this.#config.timeout / 1000),
        keep_alive: 10,
        fetch_types: false,
        onnotice: () => undefined,
        connection: { application_name: 'gatehouse' },
        // Numbers are below 2⁵³ here: revisions, times and counts.
        types: { whole: { to: 20, from: [20], serialize: String, parse: Number } } as never,
        ...more,
      });
    } catch {
      // The error of the client would hold the address with its password.
      const message = `Store ${this.place}: store.url is no proper address: write postgres://USER:PASSWORD@HOST:PORT/DATABASE, special characters in %XX.`;
      throw new StoreError('denied', message);
    }
  }

  /** Runs one statement by itself. */
  query(doing: string, sql: string, values: readonly Cell[] = [], writing = false): Promise<Row[]> {
    return this.#guard(doing, writing, () => run(this.#pool, sql, values));
  }

  /** Runs `body` in a transaction, which is rolled back when it throws. `body` sees what was committed before each statement. */
  transaction<T>(doing: string, body: (query: Query) => Promise<T>): Promise<T> {
    return this.#guard(
      doing,
      true,
      () =>
        this.#pool.begin('isolation level read committed', (sql) =>
          body((text, values = []) => run(sql as unknown as Sql, text, values)),
        ) as Promise<T>,
    );
  }

  /** Puts a deadline on a call, and says it when the server is lost and found. */
  async #guard<T>(doing: string, writing: boolean, call: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreError('closed', `Store ${this.place} was closed.`);
    let timer: Timer | undefined;
    try {
      const late = new Promise<never>((_, reject) => {
        timer = this.#options.clock.after(this.#config.timeout, () => {
          this.#renew();
          const message = `no answer within ${this.#config.timeout} ms`;
          reject(Object.assign(new Error(message), { code: 'ETIMEDOUT' }));
        });
      });
      const called = call();
      called.catch(() => undefined);
      const result = await Promise.race([called, late]);
      this.#found();
      return result;
    } catch (error) {
      throw this.#fault(error, doing, writing);
    } finally {
      timer?.cancel();
    }
  }

  /** Drops all connections, and with them every transaction under way, so that none is committed after all. */
  #renew(): void {
    if (this.#closed) return;
    const old = this.#pool;
    this.#pool = this.#connect({ max: this.#config.connections });
    old.end({ timeout: 0 }).catch(() => undefined);
  }

  #found(): void {
    if (this.#reached) return;
    this.#reached = true;
    this.#options.events?.emit('notice', { level: 'info', message: `Store ${this.place} is reached again.` });
  }

  #fault(error: unknown, doing: string, writing: boolean): StoreError {
    if (this.#closed) return new StoreError('closed', `Store ${this.place} was closed.`);
    const own = error instanceof StoreError;
    const fault = postgresFault(error, this.place, doing, writing);
    if (own) return fault;
    this.#options.events?.emit('fault', { kind: `store_${fault.fault}`, where: 'store' });
    if (fault.fault === 'unreachable' && this.#reached) {
      this.#reached = false;
      this.#options.events?.emit('notice', { level: 'warn', message: fault.message });
    }
    return fault;
  }

  /**
   * Listens on a channel until `close`, through every loss of the connection. `heard` gets what is told, and '' each time
   * listening has begun: whatever was told before that is lost.
   */
  listen(channel: string, heard: (payload: string) => void): void {
    if (this.#closed) return;
    this.#listener ??= this.#connect({
      max: 1,
      idle_timeout: 0,
      max_lifetime: null,
      ...({ onnotify: (_: string, payload: string) => heard(payload) } as object),
      onclose: () => this.#listenAgain(channel, heard),
    });
    run(this.#listener, `LISTEN "${channel}"`, []).then(
      () => {
        this.#failures = 0;
        heard('');
      },
      () => this.#listenAgain(channel, heard),
    );
  }

  #listenAgain(channel: string, heard: (payload: string) => void): void {
    if (this.#closed || this.#retry !== undefined) return;
    const { clock } = this.#options;
    const delayMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** this.#failures++) * (0.5 + clock.random() / 2);
    this.#retry = clock.after(delayMs, () => {
      this.#retry = undefined;
      this.listen(channel, heard);
    });
  }

  /** Ends all connections; what is under way may end first, for as long as a call may take. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#retry?.cancel();
    const ended = Promise.allSettled([this.#pool.end({ timeout: 1 }), this.#listener?.end({ timeout: 0 })]);
    // The client may wait for ever for a connection that was being made anew; whoever closes does not.
    await Promise.race([ended, new Promise<void>((done) => this.#options.clock.after(CLOSE_MS, done))]);
  }
}

/** How long a close may take, in milliseconds. */
const CLOSE_MS = 3000;

const run = (sql: Sql, text: string, values: readonly Cell[]): Promise<Row[]> =>
  sql.unsafe(text, values as Cell[], { prepare: values.length > 0 }) as unknown as Promise<Row[]>;
