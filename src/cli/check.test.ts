import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const CLI = join(import.meta.dirname, 'cli.js');
const ROOT = join(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-check-'));
after(() => rmSync(folder, { recursive: true }));

function gatehouse(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { cwd: ROOT, encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('check says in one line what a right file holds', () => {
  const { status, stdout } = gatehouse('check', '-c', 'examples/models.yaml');
  assert.equal(stdout, 'examples/models.yaml: ok: 1 listener, 3 upstreams, 5 endpoints, 2 models, 2 routes\n');
  assert.equal(status, 0);
});

test('check tells each problem on a line and exits with 1', () => {
  const file = join(folder, 'wrong.yaml');
  writeFileSync(file, 'listeners:\n  p: { adress: ":80" }\nroutes:\n  - { name: r, upstream: x }\n');
  const { status, stdout } = gatehouse('check', '-c', file);
  assert.equal(status, 1);
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    `${file}:2:8: listeners.p.adress: unknown key "adress"; did you mean "address"?`,
    `${file}:4:26: routes[0].upstream: no upstream is named "x"; there are no upstreams`,
  ]);
  const told = JSON.parse(gatehouse('check', '--json', '-c', file).stdout);
  assert.equal(told.ok, false);
  assert.deepEqual(told.problems[0], {
    file,
    line: 2,
    column: 8,
    path: 'listeners.p.adress',
    message: 'unknown key "adress"; did you mean "address"?',
  });
});

test('check without a file says how to use it', () => {
  const { status, stderr } = gatehouse('check');
  assert.equal(status, 1);
  assert.match(stderr, /required option '-c, --config <file>'/);
});

test('schema prints the JSON Schema', () => {
  const { status, stdout } = gatehouse('schema');
  assert.equal(status, 0);
  const schema = JSON.parse(stdout);
  assert.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema');
  assert.deepEqual(schema.required, ['listeners', 'routes']);
});
