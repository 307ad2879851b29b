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

const CHAT = 'POST http://api.example.com/v1/chat/completions model=deepseek-chat';

test('check --explain tells where a request goes', () => {
  const { status, stdout, stderr } = gatehouse('check', '-c', 'examples/models.yaml', '--explain', CHAT);
  assert.equal(stderr, '');
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    'request: POST api.example.com/v1/chat/completions  model=deepseek-chat',
    'route inference wins: host api.example.com, prefix path /v1/*',
    'route local (host localhost, prefix path /v1/*) loses: host must be localhost, is api.example.com',
    'route local (host 127.0.0.1, prefix path /v1/*) loses: host must be 127.0.0.1, is api.example.com',
    'target: /v1/chat/completions',
    'model deepseek-chat: sticky by user',
    '  version stable: 95%, asked for as deepseek-ai/DeepSeek-V3',
    '    upstream deepseek: openai, leastRequests',
    '      endpoint http://10.0.0.1:8000 (weight 2)',
    '      endpoint http://10.0.0.2:8000',
    '  version candidate: 5%, asked for as deepseek-ai/DeepSeek-V3.1',
    '    upstream deepseek-next: openai, leastRequests',
    '      endpoint http://10.0.1.1:8000',
  ]);
  assert.equal(status, 0);
});

test('check --explain --json holds the same for programs', () => {
  const { status, stdout } = gatehouse('check', '-c', 'examples/models.yaml', '--json', '--explain', CHAT);
  const { ok, explanation } = JSON.parse(stdout);
  assert.equal(ok, true);
  assert.equal(explanation.route, 'inference');
  assert.deepEqual(explanation.request.model, 'deepseek-chat');
  assert.deepEqual(explanation.model.versions[1], {
    name: 'candidate',
    share: 5,
    model: 'deepseek-ai/DeepSeek-V3.1',
    upstream: {
      name: 'deepseek-next',
      protocol: 'openai',
      balance: 'leastRequests',
      endpoints: [{ url: 'http://10.0.1.1:8000', weight: 1 }],
    },
  });
  assert.equal(status, 0);
});

test('check --explain of what is no request says how to write one', () => {
  const { status, stdout, stderr } = gatehouse('check', '-c', 'examples/models.yaml', '--explain', 'GET /x what');
  assert.equal(stdout, '');
  assert.match(stderr, /^gatehouse check: --explain: "what" is neither .*; write it as '\[METHOD\] URL .*\n$/);
  assert.equal(status, 2);
  const told = gatehouse('check', '-c', 'examples/models.yaml', '--json', '--explain', '');
  assert.match(JSON.parse(told.stdout).error, /^--explain: the request has no URL; write it as/);
  assert.equal(told.status, 2);
});

test('check --explain with a wrong file tells its problems', () => {
  const file = join(folder, 'wrong-explain.yaml');
  writeFileSync(file, 'listeners: {}\nroutes: 1\n');
  const { status, stdout } = gatehouse('check', '-c', file, '--explain', '/');
  assert.equal(status, 1);
  assert.match(stdout, /:2:9: routes: /);
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
