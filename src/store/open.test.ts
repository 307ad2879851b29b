import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '../kernel/clock.ts';
import { storeConfig } from './config.ts';
import { openStore } from './open.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-open-'));
after(() => rmSync(folder, { recursive: true }));

test('without settings it is one file in the data folder, made for this user alone', async () => {
  const data = join(folder, 'data');
  const store = await openStore(storeConfig.parse(undefined), data, { clock: systemClock });
  await store.write([{ op: 'put', kind: 'key', id: 'a', value: 1 }]);
  assert.deepEqual([store.driver, store.place], ['sqlite', join(data, 'gatehouse.db')]);
  const modes = [data, ...['', '-wal', '-shm'].map((end) => store.place + end)].map(
    (path) => statSync(path).mode & 0o777,
  );
  assert.deepEqual(modes, [0o700, 0o600, 0o600, 0o600]);
  await store.close();
});

test('a path of the settings is taken', async () => {
  const path = join(folder, 'elsewhere.db');
  const store = await openStore(storeConfig.parse({ driver: 'sqlite', path }), join(folder, 'none'), {
    clock: systemClock,
  });
  await store.close();
  assert.deepEqual([existsSync(path), existsSync(join(folder, 'none'))], [true, false]);
});
