import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import { KeyLimits, type LeaseAsk, SharedStore } from '../policy/quota/quota.ts';
import { bornAt } from './lives.ts';
import { NodeRoll } from './noderoll.ts';

function setUp(t: TestContext, files: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-roll-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'nodes'));
  for (const file of files) writeFileSync(join(folder, 'nodes', file), '');
  const said: string[] = [];
  const state = { orphans: false };
  const notice = ({ message }: { message: string }) => void said.push(message);
  const roll = new NodeRoll({ folder, notice, orphans: () => state.orphans });
  return { roll, said, state, files: () => readdirSync(join(folder, 'nodes')) };
}

test('who has died can be told; who is alive, such as the old process of an upgrade, not before', async (t) => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  const pid = child.pid as number;
  const { roll, state, said, files } = setUp(t, [
    `ali-ve_.${pid}.${bornAt(pid)}`,
    `reused.${process.pid}.1`,
    'no name',
  ]);
  roll.enter('mine');
  assert.deepEqual(roll.dead(), bornAt(pid) === '' ? [] : ['reused'], 'another process has its number now');
  state.orphans = true;
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.deepEqual(roll.dead(), [], 'its workers may spend');
  state.orphans = false;
  assert.ok(roll.dead().includes('ali-ve_'));
  roll.buried('ali-ve_');
  assert.equal(said.length, 1);
  assert.ok(!roll.dead().includes('ali-ve_'));
  assert.ok(!files().some((file) => file.startsWith('ali-ve_')));
  assert.ok(files().some((file) => file.startsWith('mine.')));
  roll.leave();
  assert.ok(!files().some((file) => file.startsWith('mine.')));
});

test('a node that spends its part without the store is missed when it dies: nobody was told', async (t) => {
  const { roll, files } = setUp(t, []);
  const clock = new ManualClock();
  let down = false;
  const store = new SharedStore({
    clock,
    node: 'mine',
    prefix: () => '',
    nodes: () => 2,
    notice: () => {},
    keyLimits: new KeyLimits(),
    caughtUp: () => true,
    ledger: () => ({
      known: () => undefined,
      read: async () => {},
      lost: () => {},
      writtenAt: () => undefined,
      ended: () => true,
    }),
    run: async (_keys, args) => {
      if (down) throw new Error('down');
      return ['1', 'home', 2, 0, ...(args[8] === 'lease' ? ['0 0 0 0'] : ['mine'])];
    },
    roll,
  });
  t.after(() => store.close());
  const limit = { name: 'a', unit: 'requests', limit: 10, known: true, scope: 'shared', onStoreLoss: 'localShare' };
  store.configure([
    { ...limit, refill: { type: 'sliding', windowMs: 1000 } } as Parameters<typeof store.configure>[0][0],
  ]);
  const steps = async (ms: number) => {
    for (let at = 0; at < ms; at += 500) {
      clock.advance(500);
      for (let i = 0; i < 16; i++) await null;
    }
  };
  await store.start();
  assert.equal(files().length, 1);
  down = true;
  await steps(5000);
  assert.equal(files().length, 1, 'it has spent nothing by itself');
  const sums = { epoch: 1, granted: 0, back: 0, used: 0, heardBack: 0, heardUsed: 0, free: 10, home: 'home' };
  const ask: LeaseAsk = { rule: 'a', key: 'k', need: 1, least: 1, wish: 0, ...sums };
  const [grant] = await store.ask([ask]);
  assert.equal(grant?.granted, 1);
  assert.equal(files().length, 0);
  down = false;
  await steps(1000);
  assert.equal(files().length, 1, 'it has told everything');
});
