/** Rows 27, 29, 30, 32 and 33 of the fault table, and what a reload keeps. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { ManualClock } from '../../src/kernel/clock.ts';
import { type Certificate, makeCertificate } from '../certificate.ts';
import { type Gateway, startGateway } from '../gateway.ts';
import { withGateway } from '../inprocess.ts';
import { plainResponse, rawClient, rawServer } from '../raw.ts';
import { startEcho, startTraffic } from '../traffic.ts';

const patience = { timeout: 180_000 };
const folder = () => mkdtempSync(join(tmpdir(), 'gatehouse-up-'));

async function beforeEcho(t: TestContext, more: Record<string, unknown> = {}): Promise<Gateway> {
  const echo = await startEcho();
  t.after(() => echo.close());
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: { one: { retries: { attempts: 1 }, endpoints: [{ url: echo.url }] } },
    routes: [{ name: 'all', upstream: 'one' }],
    ...more,
  });
  t.after(() => gateway.stop());
  return gateway;
}

test('27: a worker is killed mid-stream', patience, async (t) => {
  const gateway = await beforeEcho(t);
  const client = await rawClient(gateway.port);
  await client.send('GET /endless/1 HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.readUntil('data: 1 3');
  const traffic = startTraffic({ port: gateway.port, fresh: 4, pause: 2 });
  t.after(() => traffic.stop());
  await traffic.reaches({ answered: 20 });
  const { workers } = (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as { workers: { pid: number }[] };
  process.kill(workers[0]!.pid, 'SIGKILL');
  await client.readToEnd();
  // No terminal chunk: what was cut does not look like an end.
  ok(!client.received.endsWith('0\r\n\r\n'), client.received.slice(-40));
  await traffic.reaches({ answered: traffic.tally.answered + 20 });
  const tally = await traffic.stop();
  deepEqual({ refused: tally.refused, wrong: tally.wrong }, { refused: 0, wrong: 0 }, tally.losses.join('\n'));
  ok(tally.reset <= 4, 'each client loses at most the request that the killed worker held');
  await gateway.metricReaches('gatehouse_worker_exits_total{reason="SIGKILL"}', 1);
});

/** The name of the certificate that a new handshake is shown. */
async function shown(port: number): Promise<string> {
  const socket = await secure(port);
  const { subject } = new X509Certificate(socket.getPeerCertificate().raw);
  socket.destroy();
  return subject;
}

function secure(port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => resolve(socket));
    socket.on('error', reject);
  });
}

const ask = (socket: TLSSocket, id: number) =>
  new Promise<string>((resolve, reject) => {
    let text = '';
    const take = (data: Buffer) => {
      text += data.toString('latin1');
      if (!text.endsWith(`\r\n\r\n${id}`)) return;
      socket.off('data', take);
      resolve(text);
    };
    socket.on('data', take);
    socket.once('close', () => reject(new Error(`closed after ${text}`)));
    socket.write(`GET /echo/${id} HTTP/1.1\r\nHost: one.test\r\n\r\n`);
  });

test('29, 30: a certificate is rotated; half written or expired ones are refused', patience, async (t) => {
  const at = folder();
  const put = ({ certificate, key }: Pick<Certificate, 'certificate' | 'key'>) => {
    writeFileSync(join(at, 'cert.pem'), certificate);
    writeFileSync(join(at, 'key.pem'), key);
  };
  put(makeCertificate({ name: 'one.test' }));
  const tls = { certificates: [{ certificate: join(at, 'cert.pem'), key: join(at, 'key.pem') }] };
  const gateway = await beforeEcho(t, { listeners: { public: { address: '127.0.0.1:0', tls } } });
  const old = await secure(gateway.port);
  t.after(() => old.destroy());
  match(await ask(old, 1), /\r\n\r\n1$/);
  const traffic = startTraffic({ port: gateway.port, tls: true, keepAlive: 2, fresh: 2, streams: 2, pause: 5 });
  t.after(() => traffic.stop());

  // Noticed without being told.
  put(makeCertificate({ name: 'two.test' }));
  await gateway.waitFor(/configuration 2 is in force/);
  match(await shown(gateway.port), /two\.test/);
  match(await ask(old, 2), /\r\n\r\n2$/);

  const reload = async () => (await fetch(`${gateway.adminUrl}/api/reload`, { method: 'POST' })).text();
  const three = makeCertificate({ name: 'three.test' });
  // One file is written after the other, and the gateway may look between: no two that follow each other make a right pair.
  const { key: another } = makeCertificate({ name: 'x' });
  const wrong: [string, Pick<Certificate, 'certificate' | 'key'>, RegExp][] = [
    ['half written', { certificate: three.certificate.slice(0, 200), key: another }, /no certificate in it|cut short/],
    ['without its key yet', { certificate: three.certificate, key: another }, /does not belong/],
    ['expired', makeCertificate({ name: 'x', from: 0, to: Date.now() - 1000 }), /expired on/],
  ];
  for (const [what, pair, reason] of wrong) {
    put(pair);
    match(await reload(), reason, what);
    match(await shown(gateway.port), /two\.test/);
    match(await ask(old, 3), /\r\n\r\n3$/);
  }
  put(three);
  match(await reload(), /"ok": true/);
  match(await shown(gateway.port), /three\.test/);
  const { refused, reset, wrong: bad, cut, losses } = await traffic.stop();
  deepEqual({ refused, reset, bad, cut }, { refused: 0, reset: 0, bad: 0, cut: 0 }, losses.join('\n'));
});

test('a secret in a file is rotated', patience, async (t) => {
  const secret = join(folder(), 'secret');
  writeFileSync(secret, 'Bearer first\n');
  const server = createServer((request, response) => response.end(request.headers.authorization)).listen(
    0,
    '127.0.0.1',
  );
  await new Promise((done) => server.once('listening', done));
  t.after(() => server.close());
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: { one: { endpoints: [{ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }] } },
    routes: [
      { name: 'all', upstream: 'one', rewrite: { requestHeaders: { set: { Authorization: `file:${secret}` } } } },
    ],
  });
  t.after(() => gateway.stop());
  equal(await (await fetch(gateway.url)).text(), 'Bearer first');
  writeFileSync(secret, 'Bearer second\n');
  await gateway.waitFor(/configuration 2 is in force/);
  equal(await (await fetch(gateway.url)).text(), 'Bearer second');
});

test('32: the disk of the access log is full', { ...patience, skip: !existsSync('/dev/full') }, async (t) => {
  const log = join(folder(), 'access.log');
  symlinkSync('/dev/full', log);
  const gateway = await beforeEcho(t, { log: { access: log } });
  for (let i = 0; i < 50; i++) equal(await (await fetch(`${gateway.url}/echo/${i}`)).text(), `${i}`);
  await gateway.metricReaches('gatehouse_log_lines_dropped_total', 1);
  equal(await (await fetch(`${gateway.url}/echo/51`)).text(), '51');
});

test('33: the wall clock jumps by hours', patience, async () => {
  const clock = new ManualClock();
  const server = await rawServer(async (peer) => {
    for (;;) {
      await peer.read();
      await peer.send(plainResponse());
    }
  });
  try {
    await withGateway({ upstream: server.url, clock }, async (gateway) => {
      const client = await gateway.client();
      for (const hours of [0, 5, -48, 24 * 365]) {
        clock.jumpWall(hours * 3_600_000);
        await gateway.advance(100);
        await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
        const { status } = await client.read();
        equal(status, 200, `${hours} h`);
      }
      // The same connection all along: no deadline fired, none froze.
      equal(server.connections.length, 1);
      client.close();
    });
  } finally {
    await server.close();
  }
});

test('what is known of an endpoint survives a reload of its upstream', patience, async (t) => {
  const dead = createTcp((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await new Promise((done) => dead.once('listening', done));
  t.after(() => dead.close());
  let asked = 0;
  dead.on('connection', () => asked++);
  const echo = await startEcho();
  t.after(() => echo.close());
  let connections = 0;
  echo.server.on('connection', () => connections++);
  const endpoints = [{ url: echo.url }, { url: `http://127.0.0.1:${(dead.address() as AddressInfo).port}` }];
  const settings = (total: string) => ({
    listeners: { public: { address: '127.0.0.1:0' } },
    admin: { address: '127.0.0.1:0' },
    workers: 1,
    upstreams: {
      one: {
        endpoints,
        balance: 'roundRobin',
        timeouts: { total },
        pool: { idleTimeout: '60s' },
        passive: { consecutiveErrors: 1, ejectFor: '10m' },
      },
    },
    routes: [{ name: 'all', upstream: 'one' }],
  });
  const gateway = await startGateway(settings('60s'));
  t.after(() => gateway.stop());
  for (let i = 0; i < 6; i++) await (await fetch(`${gateway.url}/echo/${i}`)).text();
  equal(asked, 1, 'it is out after its first error');
  const before = connections;
  for (const total of ['61s', '62s', '63s']) {
    writeFileSync(gateway.file, JSON.stringify(settings(total)));
    const answer = await fetch(`${gateway.adminUrl}/api/reload`, { method: 'POST' });
    equal(answer.status, 200, await answer.text());
    // It may have been noticed before it was told: what counts is that it is in force.
    const { upstreams } = (await (await fetch(`${gateway.adminUrl}/api/config`)).json()) as {
      upstreams: { one: { timeouts: { total: number } } };
    };
    equal(upstreams.one.timeouts.total, Number.parseInt(total, 10) * 1000);
    for (let i = 0; i < 6; i++) equal(await (await fetch(`${gateway.url}/echo/${i}`)).text(), `${i}`);
  }
  equal(asked, 1, 'it is still out');
  equal(connections, before, 'pooled connections are used on');
});
