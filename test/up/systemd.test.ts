import { equal, match, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { needs } from '../peers.ts';
import { CLI, listenTo, runCli } from '../program.ts';
import { exchange } from '../raw.ts';
import { inRepository } from '../root.ts';
import { startEcho } from '../traffic.ts';

const patience = { timeout: 180_000 };

/** Prints every datagram that comes to the socket at its argument, as systemd would read it. */
const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True: print(s.recv(65536).decode().replace('\\n', ' '), flush=True)
`;

function configFile(upstream: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'gatehouse-systemd-')), 'gatehouse.yaml');
  writeFileSync(
    file,
    `listeners: { public: { address: "0.0.0.0:1" } }
admin: { address: "127.0.0.1:0" }
workers: 1
log: { access: "off" }
upstreams: { one: { endpoints: [ { url: "${upstream}" } ] } }
routes: [ { name: all, upstream: one } ]
`,
  );
  return file;
}

test('systemd is told what happens', {
  ...patience,
  ...needs({ commands: ['python3', 'systemd-notify'] }),
}, async (t) => {
  const socket = join(mkdtempSync(join(tmpdir(), 'gatehouse-notify-')), 'notify');
  const told = listenTo(spawn('python3', ['-c', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'inherit'] }));
  t.after(() => told.stop());
  await told.waitFor(/bound/);
  const file = configFile('http://127.0.0.1:1');
  writeFileSync(file, readFileSync(file, 'utf8').replace('0.0.0.0:1', '127.0.0.1:0'));
  const gateway = runCli(['serve', '-c', file], { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000' });
  t.after(() => gateway.stop());
  await told.waitFor(new RegExp(`READY=1 MAINPID=${gateway.child.pid} STATUS=serving configuration 1`));
  await told.waitFor(/WATCHDOG=1/);
  gateway.child.kill('SIGHUP');
  await told.waitFor(/RELOADING=1 MONOTONIC_USEC=\d+/);
  await told.waitFor(/READY=1 .* STATUS=serving configuration 2/);
  writeFileSync(file, 'nonsense');
  gateway.child.kill('SIGHUP');
  await told.waitFor(/READY=1 .* STATUS=a reload was refused/);
  gateway.child.kill('SIGTERM');
  await told.waitFor(/STOPPING=1/);
});

test(
  'systemd is slow to listen: no word is lost, and none waits behind ever more signs of life',
  patience,
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-notify-'));
    const [heard, listens] = [join(folder, 'heard'), join(folder, 'listens')];
    // A sign of life is heard only when the test lets it.
    const script = `#!/bin/sh
case "$1" in WATCHDOG*) echo waits >> '${heard}'; while [ ! -e '${listens}' ]; do sleep 0.1; done ;; esac
echo "$*" >> '${heard}'
`;
    writeFileSync(join(folder, 'systemd-notify'), script, { mode: 0o755 });
    const file = configFile('http://127.0.0.1:1');
    writeFileSync(file, readFileSync(file, 'utf8').replace('0.0.0.0:1', '127.0.0.1:0'));
    const env = { NOTIFY_SOCKET: 'here', WATCHDOG_USEC: '20000', PATH: `${folder}:${process.env.PATH}` };
    const gateway = runCli(['serve', '-c', file], env);
    t.after(() => gateway.stop());
    const lines = () => (existsSync(heard) ? readFileSync(heard, 'utf8').trim().split('\n') : []);
    while (!lines().includes('waits')) await setTimeout(20);
    // Meanwhile many more would be due.
    gateway.child.kill('SIGHUP');
    await gateway.waitFor(/configuration 2 is in force/);
    const ended = once(gateway.child, 'close');
    gateway.child.kill('SIGTERM');
    await gateway.waitFor(/draining for at most/);
    writeFileSync(listens, '');
    await ended;
    const words = lines().filter((line) => line !== 'waits');
    equal(words.at(-1), 'STOPPING=1 STATUS=draining');
    ok(words.filter((word) => word === 'WATCHDOG=1').length <= 2, words.join('\n'));
  },
);

test('a socket that systemd holds is served, whoever connected before we came included', patience, async (t) => {
  const echo = await startEcho();
  t.after(() => echo.close());
  const held = createServer().listen(0, '127.0.0.1');
  await once(held, 'listening');
  const { port } = held.address() as AddressInfo;
  const { fd } = (held as unknown as { _handle: { fd: number } })._handle;
  const child = spawn(process.execPath, [CLI, 'serve', '-c', configFile(echo.url)], {
    stdio: ['ignore', 'pipe', 'pipe', fd],
    env: { ...process.env, LISTEN_FDS: '1', LISTEN_FDNAMES: 'public' },
  });
  const gateway = listenTo(child);
  t.after(() => gateway.stop());
  await gateway.waitFor(/ready public=http:\/\/127\.0\.0\.1:\d+/);
  match(gateway.logs, new RegExp(`public=http://127\\.0\\.0\\.1:${port} `));
  held.close();
  const answer = await exchange(port, 'GET /echo/9 HTTP/1.1\r\nHost: a\r\n\r\n');
  equal(answer.body, '9');
});

test('the unit says what the program does', () => {
  const unit = readFileSync(inRepository('deploy', 'systemd', 'gatehouse.service'), 'utf8');
  match(unit, /^Type=notify$/m);
  match(unit, /^NotifyAccess=all$/m);
});
