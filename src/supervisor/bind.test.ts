import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bind } from './bind.ts';
import { Listeners } from './listeners.ts';

const folder = () => mkdtempSync(join(tmpdir(), 'gatehouse-'));

test('bind: reports where it is, port 0 included', async () => {
  for (const [address, shown] of [
    ['127.0.0.1:0', /^127\.0\.0\.1:[1-9]\d*$/],
    ['localhost:0', /^(127\.0\.0\.1|\[::1\]):[1-9]\d*$/],
    [':0', /^(\[::\]|0\.0\.0\.0):[1-9]\d*$/],
    ['*:0', /^(\[::\]|0\.0\.0\.0):[1-9]\d*$/],
  ] as const) {
    const bound = await bind(address, 'listeners.a.address');
    assert.match(bound.address, shown);
    bound.close();
  }
});

test('bind: each failure names the setting, the address and what to do', async () => {
  const dir = folder();
  const server = net.createServer().listen(0, '127.0.0.1');
  const local = net.createServer().listen(join(dir, 'live.sock'));
  for (const s of [server, local]) if (!s.listening) await new Promise((done) => s.once('listening', done));
  const { port } = server.address() as net.AddressInfo;
  writeFileSync(join(dir, 'file'), 'precious');
  const cases: [string, string, RegExp][] = [
    [`127.0.0.1:${port}`, 'EADDRINUSE', /another process listens there; stop it .* or choose another port/],
    [`unix:${dir}/live.sock`, 'EADDRINUSE', /another process listens there/],
    [`unix:${dir}/file`, 'EEXIST', /is not a socket; move it away/],
    [`unix:${dir}/none/a.sock`, 'ENOENT|EACCES', /directory/],
    ['192.0.2.1:0', 'EADDRNOTAVAIL', /this machine has no such address/],
    ['no-such-name.invalid:80', 'ENOTFOUND', /has no address; write an IP address/],
    ['127.0.0.1:70000', 'EINVAL', /the highest is 65535/],
  ];
  for (const [address, code, message] of cases) {
    await assert.rejects(bind(address, 'listeners.a.address'), (error: Error & { code: string }) => {
      assert.match(error.code, new RegExp(code), address);
      assert.match(error.message, message, address);
      assert.ok(error.message.startsWith('listeners.a.address: '));
      return true;
    });
  }
  assert.ok(existsSync(join(dir, 'file')));
  server.close();
  local.close();
});

test('bind: a socket file that nobody answers on is replaced; permissions are set; closing removes it', async () => {
  const path = join(folder(), 'stale.sock');
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  assert.ok(existsSync(path));
  const bound = await bind(`unix:${path}`, 'listeners.a.address');
  assert.equal(statSync(path).mode & 0o777, 0o660);
  bound.close();
  await new Promise((done) => setImmediate(done));
  assert.equal(existsSync(path), false);
});

test('listeners: a plan that fails leaves nothing bound; what stays keeps its socket', async () => {
  const listeners = new Listeners();
  const first = await listeners.plan({ a: { address: '127.0.0.1:0' } });
  first.commit();
  const [a] = first.listeners;
  await assert.rejects(
    listeners.plan({ a: { address: '127.0.0.1:0' }, b: { address: '127.0.0.1:0' }, c: { address: '192.0.2.1:0' } }),
    { code: 'EADDRNOTAVAIL' },
  );
  await assert.rejects(listeners.plan({ a: { address: '127.0.0.1:8' }, b: { address: '127.0.0.1:8' } }), Error);
  const next = await listeners.plan({ a: { address: '127.0.0.1:0' }, b: { address: '127.0.0.1:0' } });
  assert.deepEqual(next.listeners[0], a);
  assert.notEqual(next.listeners[1]!.address, a!.address);
  next.commit();
  listeners.close();
});
