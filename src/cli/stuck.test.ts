import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { test } from 'node:test';

test('a stuck loop: its stack is told once, and it goes on', { timeout: 30_000 }, async (t) => {
  const stuck = new URL('./stuck.js', import.meta.url).href;
  const program = `
    import { watchLoop } from '${stuck}';
    watchLoop(3, 300, (reason) => { console.log('failed', reason); });
    function spinning() { for (const end = Date.now() + 1500; Date.now() < end; ); }
    setTimeout(function theHandler() { spinning(); console.log('went on'); process.exit(); }, 500);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const text = { out: '', told: '' };
  child.stdout?.on('data', (chunk) => (text.out += chunk));
  (child.stdio[3] as Readable).on('data', (chunk) => (text.told += chunk));
  await new Promise((done) => child.once('close', done));
  assert.equal(text.out, 'went on\n');
  assert.match(text.told, /^the event loop has been stuck for \d+ s, at spinning \(.*:\d+\) < theHandler \(.*\n$/);
  assert.equal(text.told.split('\n').length, 2);
});
