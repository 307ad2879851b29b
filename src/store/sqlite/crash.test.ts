import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { crash } from '../crash.fixture.ts';

test('sqlite: a process killed while it writes leaves every write it was promised, and none by half', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-crash-'));
  t.after(() => rmSync(folder, { recursive: true }));
  await crash({ driver: 'sqlite', path: join(folder, 'gatehouse.db'), lockTimeout: 60_000 }, 5);
});
