/** Settings → an open store. */
import { join } from 'node:path';
import type { PostgresConfig, SqliteConfig } from './config.ts';
import type { StoreOptions } from './options.ts';
import { openPostgres } from './postgres/postgres.ts';
import { openSqlite } from './sqlite/sqlite.ts';
import type { Store } from './store.ts';

/** Opens what the settings name. `dataFolder`: where the file is when they name none. Rejects with a `StoreError`. */
export async function openStore(
  config: SqliteConfig | PostgresConfig,
  dataFolder: string,
  options: StoreOptions,
): Promise<Store> {
  if (config.driver === 'postgres') return openPostgres(config, options);
  return openSqlite({ ...config, path: config.path ?? join(dataFolder, 'gatehouse.db') }, options);
}
