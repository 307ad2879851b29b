/**
 * One thin interface over the two SQLite bindings: `node:sqlite`, where this Node has it, else the package `libsql`. Calls
 * are synchronous in both.
 */
import { StoreError } from '../error.ts';
import type { Cell, Row } from '../row.ts';

/** A prepared statement. */
export interface Statement {
  /** Rows changed. */
  run(...values: Cell[]): number;
  all(...values: Cell[]): Row[];
}

/** An open connection. Errors are those of the binding; `sqliteFault` reads them. */
export interface Database {
  /** Prepares once and remembers it. */
  prepare(sql: string): Statement;
  exec(sql: string): void;
  close(): void;
}

/** Which binding to use. */
export type Binding = 'node' | 'libsql';

interface RawStatement {
  run(...values: Cell[]): { changes: number | bigint };
  all(...values: Cell[]): unknown[];
}
interface RawDatabase {
  prepare(sql: string): RawStatement;
  exec(sql: string): unknown;
  close(): unknown;
}
type RawConstructor = new (path: string) => RawDatabase;

/** `node:sqlite` where there is one; undefined elsewhere. */
function builtin(): RawConstructor | undefined {
  const module = process.getBuiltinModule('node:sqlite' as 'node:fs') as unknown as
    | { DatabaseSync: RawConstructor }
    | undefined;
  return module?.DatabaseSync;
}

async function loadLibsql(): Promise<RawConstructor> {
  try {
    return ((await import('libsql')) as unknown as { default: RawConstructor }).default;
  } catch (error) {
    throw new StoreError(
      'missing',
      'SQLite is not there: this Node has no node:sqlite, and the optional package libsql is not installed. Use Node 22.13 or newer, or run npm install libsql.',
      error,
    );
  }
}

/** Opens a file, making it when it is not there. `binding`: for tests; the best one by default. */
export async function openDatabase(path: string, binding?: Binding): Promise<Database> {
  const own = binding === 'libsql' ? undefined : builtin();
  if (own === undefined && binding === 'node')
    throw new StoreError('missing', 'This Node has no node:sqlite: use Node 22.13 or newer.');
  const Constructor = own ?? (await loadLibsql());
  return new Connection(new Constructor(path));
}

class Connection implements Database {
  readonly #raw: RawDatabase;
  readonly #prepared = new Map<string, Statement>();

  constructor(raw: RawDatabase) {
    this.#raw = raw;
  }

  prepare(sql: string): Statement {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      const raw = this.#raw.prepare(sql);
      statement = {
        run: (...values) => Number(raw.run(...values).changes),
        all: (...values) => raw.all(...values) as Row[],
      };
      this.#prepared.set(sql, statement);
    }
    return statement;
  }

  exec(sql: string): void {
    this.#raw.exec(sql);
  }

  close(): void {
    this.#prepared.clear();
    this.#raw.close();
  }
}
