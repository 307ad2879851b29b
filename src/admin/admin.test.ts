import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { OPENMETRICS_TYPE, PROMETHEUS_TYPE } from '../observe/prometheus.ts';
import { type Admin, startAdmin } from './admin.ts';
import type { AdminHandle, AdminStatus } from './handle.ts';

const load = { underWay: 3, cpu: 0.25, ownTimeMs: 0.1, rate: 0, shedding: 0 };
const status: AdminStatus = {
  version: '0.1.0',
  node: 'v20.20.2',
  pid: 1,
  uptimeMs: 61_500,
  generation: 3,
  workers: [{ id: '0', pid: 2, state: 'ready', uptimeMs: 60_000, generation: 3, restarts: 1, load }],
  listeners: [{ name: 'public', address: '127.0.0.1:8080', tls: false }],
  upstreams: [
    {
      name: 'deepseek',
      protocol: 'openai',
      balance: 'leastRequests',
      endpoints: [
        {
          name: 'a',
          url: 'http://10.0.0.1:8000',
          weight: 2,
          healthy: false,
          reason: '<script>alert(1)</script>',
          inFlight: 4,
          ejectedBy: 0,
          breaker: 'closed',
        },
      ],
    },
  ],
};

function handleWith(more: Partial<AdminHandle> = {}): AdminHandle {
  return {
    metrics: (openMetrics) => (openMetrics ? '# EOF\n' : 'a 1\n'),
    status: () => status,
    config: () => ({ apiKey: 'sk-secret', name: 'x' }),
    health: () => ({ live: true, ready: true, reasons: [] }),
    preview: async () => ({ ok: true, generation: 1, changes: [] }),
    reload: async () => ({ ok: true, generation: 2, changes: ['routes[a]: added'] }),
    upgrade: async () => ({ ok: false, problems: ['not now'] }),
    upgrading: () => false,
    settings: () => ({}),
    ...more,
  };
}

async function start(t: TestContext, more: Partial<AdminHandle> = {}, address = '127.0.0.1:0') {
  const notices: NoticeEvent[] = [];
  const admin = await startAdmin({
    address,
    handle: handleWith(more),
    clock: new ManualClock(),
    notice: (notice) => notices.push(notice),
  });
  t.after(() => admin.close());
  return { admin, notices };
}

interface Reply {
  status: number;
  fields: IncomingHttpHeaders;
  body: string;
}

function ask(admin: Admin, path: string, method = 'GET', headers: Record<string, string> = {}): Promise<Reply> {
  const { hostname, port } = admin.url.startsWith('unix:') ? {} : new URL(admin.url);
  const where = port ? { host: hostname, port } : { socketPath: admin.url.slice('unix:'.length) };
  return new Promise((resolve, reject) => {
    const sent = request({ ...where, path, method, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, fields: response.headers, body }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

test('metrics in the format that was asked for', async (t) => {
  const { admin } = await start(t);
  const plain = await ask(admin, '/metrics');
  assert.deepEqual([plain.status, plain.fields['content-type'], plain.body], [200, PROMETHEUS_TYPE, 'a 1\n']);
  const open = await ask(admin, '/metrics?x=1', 'GET', { accept: 'application/openmetrics-text;version=1.0.0' });
  assert.deepEqual([open.status, open.fields['content-type'], open.body], [200, OPENMETRICS_TYPE, '# EOF\n']);
});

test('status and configuration as JSON, without secrets', async (t) => {
  const { admin, notices } = await start(t);
  const answer = await ask(admin, '/api/status');
  assert.equal(answer.fields['content-type'], 'application/json; charset=utf-8');
  assert.equal(answer.fields['cache-control'], 'no-store');
  assert.deepEqual(JSON.parse(answer.body), status);
  assert.deepEqual(JSON.parse((await ask(admin, '/api/config')).body), { apiKey: '[redacted]', name: 'x' });
  assert.deepEqual(notices, []);
});

test('health', async (t) => {
  let live = true;
  let ready = true;
  const { admin } = await start(t, { health: () => ({ live, ready, reasons: ['no worker is ready'] }) });
  const statuses = async () => [(await ask(admin, '/healthz')).status, (await ask(admin, '/readyz')).status];
  assert.deepEqual(await statuses(), [200, 200]);
  ready = false;
  assert.deepEqual(await statuses(), [200, 503]);
  assert.deepEqual(JSON.parse((await ask(admin, '/readyz')).body), {
    status: 'unavailable',
    reasons: ['no worker is ready'],
  });
  live = false;
  ready = true;
  assert.deepEqual(await statuses(), [503, 503]);
});

test('the page lists what there is, and foreign text in it is harmless', async (t) => {
  const { admin } = await start(t, { status: () => ({ ...status, configError: 'a < b' }) });
  const { fields, body } = await ask(admin, '/');
  assert.equal(fields['content-type'], 'text/html; charset=utf-8');
  assert.match(String(fields['content-security-policy']), /default-src 'none'/);
  for (const path of ['/metrics', '/healthz', '/readyz', '/api/status', '/api/config']) {
    assert.ok(body.includes(`href="${path}"`), path);
  }
  assert.ok(body.includes('&lt;script&gt;') && !body.includes('<script'));
  assert.ok(body.includes('a &lt; b'));
});

test('what is not there, and methods that are not allowed', async (t) => {
  const { admin } = await start(t);
  const missing = await ask(admin, '/api/nothing');
  assert.equal(missing.status, 404);
  assert.match(JSON.parse(missing.body).detail, /no \/api\/nothing here. There are \/, \/metrics/);
  const post = await ask(admin, '/metrics', 'POST');
  assert.deepEqual([post.status, post.fields.allow], [405, 'GET, HEAD']);
  assert.equal(JSON.parse(post.body).code, 'method_not_allowed');
});

test('HEAD is GET without a body', async (t) => {
  const { admin } = await start(t);
  const [head, get] = [await ask(admin, '/api/status', 'HEAD'), await ask(admin, '/api/status')];
  assert.deepEqual([head.status, head.body], [200, '']);
  assert.equal(head.fields['content-length'], get.fields['content-length']);
});

test('on loopback a foreign Host is refused', async (t) => {
  const { admin } = await start(t);
  const refused = await ask(admin, '/api/config', 'GET', { host: 'rebind.evil.example' });
  assert.equal(refused.status, 403);
  assert.match(JSON.parse(refused.body).detail, /"rebind\.evil\.example" is not this machine/);
  assert.equal((await ask(admin, '/api/config', 'GET', { host: 'localhost:9901' })).status, 200);
});

test('beyond loopback nothing answers whom nobody knows, but what is public; any Host is served', async (t) => {
  const groups = { anonymous: ['metrics' as const] };
  const { admin } = await start(t, { settings: () => groups }, '0.0.0.0:0');
  const host = { host: 'gatehouse.pod' };
  assert.equal((await ask(admin, '/metrics', 'GET', host)).status, 200);
  for (const path of ['/', '/healthz', '/api/status', '/api/config', '/api/v1/keys', '/nothing']) {
    const answer = await ask(admin, path, 'GET', host);
    assert.equal(answer.status, 401, path);
    assert.match(JSON.parse(answer.body).detail, /set admin.access/);
  }
  assert.equal((await ask(admin, '/api/reload', 'POST', host)).status, 401);
});

test('a handle that throws costs one answer and leaves a notice', async (t) => {
  const { admin, notices } = await start(t, {
    status: () => {
      throw new Error('secret detail');
    },
  });
  const answer = await ask(admin, '/api/status');
  assert.equal(answer.status, 500);
  assert.doesNotMatch(answer.body, /secret detail/);
  assert.match(notices[0]?.message ?? '', /admin GET \/api\/status failed: Error: secret detail/);
  assert.equal((await ask(admin, '/metrics')).status, 200);
});

test('a unix socket, also where a killed process left its file', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'gatehouse-admin-'));
  t.after(() => rm(dir, { recursive: true }));
  const path = join(dir, 'admin.sock');
  const killed = spawn(process.execPath, [
    '-e',
    `require('net').createServer().listen('${path}', () => console.log())`,
  ]);
  await once(killed.stdout, 'data');
  killed.kill('SIGKILL');
  await once(killed, 'close');
  assert.ok(existsSync(path));
  const { admin, notices } = await start(t, {}, `unix:${path}`);
  assert.equal(admin.url, `unix:${path}`);
  assert.equal((await ask(admin, '/metrics', 'GET', { host: 'anything' })).status, 200);
  assert.deepEqual(notices, []);
  // A living one is not pushed aside.
  await assert.rejects(start(t, {}, `unix:${path}`), /EADDRINUSE/);
});

test('an address in use is an error that names it', async (t) => {
  const blocker = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => blocker.once('listening', resolve));
  t.after(() => blocker.close());
  const { port } = blocker.address() as { port: number };
  await assert.rejects(start(t, {}, `127.0.0.1:${port}`), new RegExp(`EADDRINUSE.*127.0.0.1:${port}`));
});

test('close ends idle connections at once and stubborn ones after a second', async () => {
  const clock = new ManualClock();
  const admin = await startAdmin({ address: '127.0.0.1:0', handle: handleWith(), clock, notice: () => {} });
  const { port, hostname } = new URL(admin.url);
  const stubborn = connect(Number(port), hostname);
  await new Promise((resolve) => stubborn.once('connect', resolve));
  stubborn.write('GET / HTTP/1.1\r\nHost: localhost\r\n');
  const gone = new Promise((resolve) => stubborn.once('close', resolve));
  stubborn.on('error', () => {});
  stubborn.resume();
  await ask(admin, '/metrics');
  const closed = admin.close();
  clock.advance(1000);
  await Promise.all([closed, gone]);
});
