import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ManualClock } from '../../kernel/clock.ts';
import { contract } from '../contract.fixture.ts';
import { modelTest } from '../model.fixture.ts';
import { type Subject, shown } from '../stage.fixture.ts';
import { nextTurn } from '../turn.ts';
import { openSqlite } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-store-'));
after(() => rmSync(folder, { recursive: true }));

const hasBuiltin = process.getBuiltinModule?.('node:sqlite' as 'node:fs') !== undefined;

for (const binding of ['node', 'libsql'] as const) {
  if (binding === 'node' && !hasBuiltin) {
    test('sqlite by node', { skip: 'this Node has no node:sqlite' }, () => undefined);
    continue;
  }
  const clock = new ManualClock();
  let number = 0;
  const subject: Subject = {
    open: () => {
      const path = join(folder, `${binding}-${number}`, 'gatehouse.db');
      return openSqlite({ driver: 'sqlite', path, lockTimeout: 60_000 }, { clock, shown }, binding);
    },
    wipe: async () => {
      number++;
    },
    advance: (ms) => clock.advance(ms),
    settle: async () => {
      clock.advance(500);
      await nextTurn();
    },
  };
  contract(`sqlite by ${binding}`, subject);
  modelTest(subject, 60);
}
