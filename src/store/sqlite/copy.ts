/** A copy of the whole database in one file, taken while work goes on. */
import { closeSync, openSync, rmSync } from 'node:fs';
import { StoreError } from '../error.ts';
import type { Database } from './database.ts';

/** Writes the copy to `path`, for this user alone. Throws a `StoreError` when there is a file already. */
export function copyDatabase(database: Database, path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    const { message } = error as Error;
    throw new StoreError(
      'denied',
      `The copy ${path} cannot be made: ${message}. Name a new file in a folder of yours.`,
      error,
    );
  }
  try {
    database.prepare('VACUUM INTO ?').run(path);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}
