import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

test('a stuck loop: its stack is told once, and it goes on', { timeout: 120_000 }, async (t) => {
  const stuck = new URL('./stuck.js', import.meta.url).href;
  // It spins until it has been told of, which a file shows to both, and a while longer. Three seconds: on a busy machine a
  // loop may get no time for one or two.
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-stuck-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'told');
  const report = openSync(file, 'w');
  const program = `
    import { fstatSync } from 'node:fs';
    import { watchLoop } from '${stuck}';
    watchLoop(3, 3000, (reason) => { console.log('failed', reason); });
    function spinning() {
      for (let turns = 1, end = Infinity; Date.now() < end; turns++) {
        if (turns % 1_000_000 === 0 && end === Infinity && fstatSync(3).size > 0) end = Date.now() + 4000;
      }
    }
    setTimeout(function theHandler() { spinning(); console.log('went on'); process.exit(); }, 500);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit', report],
  });
  t.after(() => child.kill('SIGKILL'));
  let out = '';
  child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  await new Promise((done) => child.once('close', done));
  closeSync(report);
  assert.equal(out, 'went on\n');
  const told = readFileSync(file, 'utf8');
  assert.match(told, /^the event loop has been stuck for \d+ s, at spinning \(.*:\d+\) < theHandler \(.*\n$/);
  assert.equal(told.split('\n').length, 2);
});
