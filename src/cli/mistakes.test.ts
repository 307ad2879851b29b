import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

const CLI = join(import.meta.dirname, 'cli.js');
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-mistakes-'));
after(() => rmSync(folder, { recursive: true }));

function config(address: string, more = ''): string {
  const file = join(folder, 'gatehouse.yaml');
  writeFileSync(
    file,
    `listeners: { public: { address: "${address}" } }
admin: { address: 127.0.0.1:0 }
workers: 1
upstreams: { one: { endpoints: [{ url: "http://127.0.0.1:1" }] } }
routes: [{ name: all, upstream: one }]
${more}
`,
  );
  return file;
}

function run(args: string[], stdout: 'pipe' | number = 'pipe') {
  return spawnSync(process.execPath, [CLI, ...args], { stdio: ['ignore', stdout, 'pipe'], encoding: 'utf8' });
}

describe('what cannot be had is said in words, with what to do, and ends with 1', () => {
  const cases: [name: string, args: () => string[], said: RegExp][] = [
    ['a command that is none', () => ['sevre'], /unknown command 'sevre'\n\(Did you mean serve\?\)/],
    [
      'a port that is none',
      () => ['demo', '--port', 'x'],
      /'x' is invalid\. Expected a port, a number from 0 to 65535/,
    ],
    [
      'a socket in no folder',
      () => ['serve', '-c', config('unix:/no/such/folder/a.sock')],
      /not started: listeners\.public\.address: cannot listen on unix:\S+: its directory does not exist; create it/,
    ],
    [
      'a log in no folder',
      () => ['serve', '-c', config('127.0.0.1:0', 'log: { access: /no/such/folder/a.log }')],
      /not started: log\.access: \/no\/such\/folder\/a\.log cannot be opened: its folder does not exist; create it/,
    ],
    [
      'an address of another machine',
      () => ['simulate', '--listen', '192.0.2.1:0'],
      /--listen: cannot listen on 192\.0\.2\.1:0: this machine has no such address/,
    ],
  ];
  for (const [name, args, said] of cases) {
    test(name, () => {
      const { status, stderr } = run(args());
      assert.match(stderr, said);
      assert.doesNotMatch(stderr, /^\s+at /m, 'no stack trace');
      assert.equal(status, 1);
    });
  }

  for (const words of [['changes'], ['usage'], ['keys', 'list']]) {
    test(`no admin port, and the name of \`${words.join(' ')}\` once`, () => {
      const { status, stderr } = run([...words, '--admin', 'http://127.0.0.1:1']);
      assert.ok(stderr.startsWith(`gatehouse ${words.join(' ')}: `), stderr);
      assert.equal(status, 2);
    });
  }

  test('a full disk behind standard output', { skip: !existsSync('/dev/full') }, () => {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = run(['schema'], full);
    closeSync(full);
    assert.match(stderr, /^gatehouse: standard output cannot be written: ENOSPC.*\n$/);
    assert.equal(status, 1);
  });
});
