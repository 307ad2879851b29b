import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { claimData } from './dataclaim.ts';
import { bornAt } from './lives.ts';

test('a data directory that another gateway has is told of; that of a dead one, or of the one before an upgrade, is taken', async (t) => {
  const folder = join(mkdtempSync(join(tmpdir(), 'gatehouse-claim-')), 'state');
  t.after(() => rmSync(join(folder, '..'), { recursive: true, force: true }));
  const told: string[] = [];
  const claim = (predecessor = 0) => {
    claimData(folder, predecessor, ({ message }) => told.push(message));
    return readFileSync(join(folder, 'gateway'), 'utf8');
  };
  const own = `${process.pid} ${bornAt(process.pid)}`;
  assert.equal(claim(), own);
  assert.equal(claim(), own, 'once more');
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  const pid = other.pid as number;
  const theirs = `${pid} ${bornAt(pid)}`;
  writeFileSync(join(folder, 'gateway'), theirs);
  assert.equal(claim(), theirs);
  assert.match(
    told.splice(0).join(),
    new RegExp(`^process ${pid} is a gateway with the data directory .*XDG_STATE_HOME`),
  );
  assert.equal(claim(pid), own);
  writeFileSync(join(folder, 'gateway'), `${pid} 1`);
  assert.equal(claim(), own, 'another process has the number now');
  writeFileSync(join(folder, 'gateway'), theirs);
  other.kill('SIGKILL');
  await once(other, 'exit');
  assert.equal(claim(), own);
  writeFileSync(join(folder, 'gateway'), 'nonsense');
  assert.equal(claim(), own);
  assert.deepEqual(told, []);
});
