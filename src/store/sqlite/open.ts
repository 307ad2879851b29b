/** Opening the file: made for this user alone, checked before anything is written, and brought to the newest tables. */
import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { SqliteConfig } from '../config.ts';
import { StoreError } from '../error.ts';
import type { StoreOptions } from '../options.ts';
import { pause } from '../turn.ts';
import { type Binding, type Database, openDatabase } from './database.ts';
import { isBusy, sqliteFault } from './fault.ts';
import { migrate, readVersion, SCHEMA_VERSION } from './schema.ts';

const RETRY_MS = 20;

/**
 * Opens the database. Throws a `StoreError`. `synchronous = FULL`: a write is answered when it is on the disk, so that it
 * outlives a power cut too; NORMAL would save one fsync and could lose the last writes then.
 */
export async function openFile(
  config: SqliteConfig & { path: string },
  options: StoreOptions,
  binding?: Binding,
): Promise<Database> {
  const path = resolve(config.path);
  prepareFile(path, options);
  let database: Database;
  try {
    database = await openDatabase(path, binding);
  } catch (error) {
    throw sqliteFault(error, path, 'opening');
  }
  try {
    await settle(database, path, config, options);
    return database;
  } catch (error) {
    database.close();
    throw sqliteFault(error, path, 'opening');
  }
}

/** Makes folder and file with the modes of what holds secrets. Links `-wal` and `-shm` take the mode of the file. */
function prepareFile(path: string, options: StoreOptions): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC')
      throw new StoreError('full', `Store ${path}: it cannot be made: ${message}. Make room on the disk.`, error);
    if (code === 'EROFS')
      throw new StoreError(
        'readonly',
        `Store ${path}: it cannot be made: ${message}. Name a path that can be written.`,
        error,
      );
    if (code !== 'EEXIST')
      throw new StoreError(
        'denied',
        `Store ${path}: it cannot be made: ${message}. Make the folder ${dirname(path)} for the user that runs Gatehouse, or name another path (store.path).`,
        error,
      );
    tighten(path, options);
  }
}

function tighten(path: string, options: StoreOptions): void {
  try {
    if ((statSync(path).mode & 0o077) === 0) return;
    chmodSync(path, 0o600);
    const message = `Store ${path} could be read by other users; its mode is 600 now.`;
    options.events?.emit('notice', { level: 'warn', message });
  } catch (error) {
    const message = `Store ${path} can be read by other users, and its mode cannot be changed: ${(error as Error).message}. Run chmod 600 on it.`;
    options.events?.emit('notice', { level: 'warn', message });
  }
}

async function settle(database: Database, path: string, config: SqliteConfig, options: StoreOptions): Promise<void> {
  const { clock } = options;
  const deadline = clock.now() + config.lockTimeout;
  const patiently = async <T>(body: () => T): Promise<T> => {
    for (;;) {
      try {
        return body();
      } catch (error) {
        if (!isBusy(error) || clock.now() >= deadline) throw error;
        await pause(clock, RETRY_MS);
      }
    }
  };
  const version = await patiently(() => readVersion(database, path));
  checkIntegrity(database, path);
  try {
    await patiently(() => database.prepare('PRAGMA journal_mode = WAL').all());
  } catch (error) {
    // Without leave to write it stays as it is, and can be read if its tables are the newest.
    if (version !== SCHEMA_VERSION || sqliteFault(error, path, '').fault !== 'readonly') throw error;
  }
  // 32 MiB of pages in memory: with the usual 2 a big import writes each page of its indexes many times.
  database.exec('PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -32768');
  if (version === SCHEMA_VERSION) return;
  // Of several processes that start at once, one migrates and the others find it done.
  await patiently(() => database.exec('BEGIN EXCLUSIVE'));
  try {
    migrate(database, readVersion(database, path));
    database.exec('COMMIT');
  } catch (error) {
    try {
      database.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself.
    }
    throw error;
  }
}

function checkIntegrity(database: Database, path: string): void {
  const found = Object.values(database.prepare('PRAGMA quick_check(1)').all()[0] ?? {})[0];
  if (found === 'ok') return;
  throw new StoreError(
    'corrupt',
    `Store ${path}: it is damaged (${String(found).replace(/\s+/g, ' ')}) and was left as it is. Move it away and put the last good copy in its place.`,
  );
}
