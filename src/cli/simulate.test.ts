import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('./cli.js', import.meta.url));

async function run(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [CLI, 'simulate', ...args]);
  let out = '';
  let err = '';
  child.stdout.on('data', (part) => {
    out += part;
  });
  child.stderr.on('data', (part) => {
    err += part;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

test('one line tells the address; SIGTERM ends it', async () => {
  const child = spawn(process.execPath, [
    CLI,
    'simulate',
    '--model',
    'a',
    '--model',
    'b',
    '--tokens',
    '3',
    '--fail',
    '1x:status=500',
  ]);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const url = /^gatehouse simulate: ready on (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(String(line))?.[1];
  assert.ok(url);
  assert.equal((await fetch(`${url}/v1/models/b`)).status, 500);
  assert.equal((await fetch(`${url}/v1/models/b`)).status, 200);
  child.kill('SIGTERM');
  const [code] = (await once(child, 'close')) as [number | null];
  assert.equal(code, 0);
});

test('the table of faults, and mistakes', async () => {
  const list = await run('--list-faults');
  assert.match(list.out, /^status=CODE +answer +Answers with this status/m);
  assert.ok(list.out.split('\n').length > 90);
  for (const [args, said] of [
    [['--fail', 'nonsense'], /no fault 'nonsense'/],
    [['--listen', 'nowhere'], /expected HOST:PORT or unix:PATH/],
    [['--rate', 'fast'], /Expected a number/],
    [['--max-concurrency', '0'], /Expected a whole number from 1/],
  ] as const) {
    const { code, err } = await run(...args);
    assert.equal(code, 1);
    assert.match(err, said);
  }
});
