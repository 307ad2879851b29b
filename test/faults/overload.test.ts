/** Rows 35 and 36, and the limits beside them: more comes than can be carried, and what was carried is not harmed. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { ManualClock } from '../../src/kernel/clock.ts';
import { type Gateway, startGateway } from '../gateway.ts';
import { assertRefusal, withGateway, withServer } from '../inprocess.ts';
import { plainResponse, type RawPeer, rawClient, rawServer } from '../raw.ts';

const MIB = 1024 ** 2;
const patience = { timeout: 120_000 };

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

const answering = async (peer: RawPeer) => {
  for (;;) {
    await peer.read();
    await peer.send(plainResponse('fine'));
  }
};

const routes = [
  { name: 'live', match: { path: '/live' }, upstream: 'main', priority: 'realtime' as const },
  { name: 'batch', match: { path: '/batch' }, upstream: 'main' },
  { name: 'test', match: { path: '/test' }, upstream: 'main', priority: 'test' as const },
];

test('requests under way: the newest and least important are refused, what is under way ends well', async () => {
  await withServer(
    () => {},
    (server) =>
      withGateway({ upstream: server.url, routes, overload: { requests: 11 } }, async (gateway) => {
        // One of them is the stream beside.
        const clients: RawPeer[] = [];
        const send = async (path: string) => {
          const client = await gateway.client();
          await client.send(get(path));
          return client;
        };
        for (let i = 0; i < 8; i++) {
          clients.push(await send('/live'));
          await server.connection(i);
        }
        // 9 are here: the test route's share ends at 9 of 11, that of batch at 10.
        const refusedTest = await (await send('/test')).read();
        assertRefusal(refusedTest, { status: 503, code: 'load_shed', proxyError: 'http_request_denied', close: false });
        ok(Number(refusedTest.field('retry-after')) >= 1);
        equal(refusedTest.field('x-should-retry'), 'true');
        match(refusedTest.body, /overload\.requests/);
        clients.push(await send('/batch'));
        await server.connection(8);
        equal((await (await send('/batch')).read()).status, 503);
        clients.push(await send('/live'));
        await server.connection(9);
        equal((await (await send('/live')).read()).status, 503);
        for (const [i, client] of clients.entries()) {
          await (await server.connection(i)).send(plainResponse(`answer ${i}`));
          equal((await client.read()).body, `answer ${i}`);
        }
        await gateway.unharmed();
      }),
  );
});

test('row 36, readings in hand: memory, heap and event loop shed by importance', async () => {
  const readings = {
    residentBytes: 0,
    heapUsedBytes: 0,
    heapLimitBytes: 1000 * MIB,
    loopDelayMs: 0,
    cpu: { worker: 0, quota: 0, machine: 0 },
  };
  const clock = new ManualClock();
  await withServer(answering, (server) =>
    withGateway(
      { upstream: server.url, routes, overload: { memory: '1000MiB' }, readings: () => readings, clock },
      async (gateway) => {
        const statuses = async () => {
          await gateway.advance(5000);
          const all = [];
          for (const path of ['/live', '/batch', '/test']) all.push((await gateway.ask(get(path))).status);
          return all;
        };
        deepEqual(await statuses(), [200, 200, 200]);
        readings.residentBytes = 930 * MIB;
        deepEqual(await statuses(), [200, 503, 503]);
        readings.residentBytes = 1000 * MIB;
        deepEqual(await statuses(), [503, 503, 503]);
        await gateway.unharmed();
        readings.residentBytes = 100 * MIB;
        deepEqual(await statuses(), [200, 200, 200]);
        ok(gateway.notices.some((text) => /overload: refusing/.test(text)));
      },
    ),
  );
});

async function workerOf(gateway: Gateway): Promise<{ pid: number; restarts: number }> {
  const { workers } = (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as {
    workers: { pid: number; restarts: number }[];
  };
  const { pid, restarts } = workers[0] as { pid: number; restarts: number };
  return { pid, restarts };
}

test('row 35: out of file descriptors', patience, async () => {
  const server = await rawServer(answering);
  const gateway = await startGateway(
    {
      listeners: { public: { address: '127.0.0.1:0', timeouts: { head: '10min' } } },
      upstreams: { main: { endpoints: [{ url: server.url }] } },
      routes: [{ name: 'all', match: {}, upstream: 'main' }],
    },
    // The modules of the program are opened all at once when it starts: that takes most of them, for a moment.
    { descriptors: 300 },
  );
  const clients: RawPeer[] = [];
  try {
    const before = await workerOf(gateway);
    // Heads that do not end keep their connections; more of them than there are descriptors.
    for (let i = 0; i < 400; i++) {
      const client = await rawClient(gateway.port);
      clients.push(client);
      await client.send('GET / HTTP/1.1\r\nHost: a\r\n');
    }
    await gateway.metricReaches('gatehouse_faults_total{kind="accept_paused"}', 1);
    const open = await gateway.metric('gatehouse_connections_open');
    ok(open > 10 && open < 268, `${open} are open`);
    // The admin port has descriptors of its own.
    equal((await fetch(`${gateway.adminUrl}/healthz`)).status, 200);
    equal((await fetch(`${gateway.adminUrl}/readyz`)).status, 200);
    equal(await gateway.metric('gatehouse_faults_total{kind="accept_failed"}'), 0);
    deepEqual(
      clients.filter(({ ending }) => ending !== undefined),
      [],
      'nobody was thrown out: who is not accepted waits',
    );
    // Who is here is served, all at once: there is a descriptor for the way to the server.
    const here = clients.slice(0, open);
    await Promise.all(here.map((client) => client.send('\r\n')));
    for (const client of here) equal((await client.read()).body, 'fine');
    // As they go, the others get their turn.
    for (const client of clients.splice(0, 300)) client.close();
    for (const client of clients) await client.send('\r\n');
    for (const client of clients) equal((await client.read()).body, 'fine');
    equal((await fetch(gateway.url)).status, 200);
    deepEqual(await workerOf(gateway), before, 'no worker was replaced');
  } finally {
    for (const client of clients) client.close();
    await gateway.stop();
    await server.close();
  }
});

test('connections over the limit wait for their turn; idle ones make room', patience, async () => {
  const server = await rawServer(answering);
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0', limits: { connections: 4 } } },
    upstreams: { main: { endpoints: [{ url: server.url }] } },
    routes: [{ name: 'all', match: {}, upstream: 'main' }],
  });
  const clients: RawPeer[] = [];
  try {
    for (let i = 0; i < 12; i++) clients.push(await rawClient(gateway.port));
    // Each keeps its connection after its answer.
    await Promise.all(
      clients.map(async (client) => {
        await client.send(get('/'));
        equal((await client.read()).body, 'fine');
      }),
    );
    ok((await gateway.metricReaches('gatehouse_faults_total{kind="accept_paused"}', 1)) >= 1);
    equal(await gateway.metric('gatehouse_faults_total{kind="too_many_connections"}'), 0);
  } finally {
    for (const client of clients) client.close();
    await gateway.stop();
    await server.close();
  }
});

test('row 36: the memory cap is reached', patience, async () => {
  const server = await rawServer(async (peer) => {
    for (;;) {
      const request = await peer.read();
      await peer.send(plainResponse(String(request.body.length)));
    }
  });
  const gateway = await startGateway({
    // The bound on held bodies is another one: memory is to be what runs out here, however late it is looked at.
    listeners: { public: { address: '127.0.0.1:0', timeouts: { body: '10min' }, limits: { held: '4GiB' } } },
    upstreams: { main: { protocol: 'openai', endpoints: [{ url: server.url }] } },
    models: { m: { versions: [{ name: 'v', upstream: 'main' }] } },
    routes: [{ name: 'all', match: { path: '/v1/*' }, models: ['m'] }],
    overload: { memory: '320MiB' },
  });
  const clients: RawPeer[] = [];
  try {
    const before = await workerOf(gateway);
    // Bodies that are held, and never end, until the memory is gone.
    const body = `{"model":"m","messages":[],"pad":"${'x'.repeat(8 * MIB)}"}`;
    const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`;
    const refused = () => clients.find(({ received }) => received.includes('service_unavailable_error'));
    for (let i = 0; i < 60 && refused() === undefined; i++) {
      const client = await rawClient(gateway.port);
      clients.push(client);
      await client.send(head);
      await client.send(body.slice(0, -1));
      await setTimeout(100);
    }
    // On a busy machine the worker may be behind.
    for (let i = 0; i < 300 && refused() === undefined; i++) await setTimeout(100);
    const refusal = refused()?.received ?? '';
    const held = clients.filter(({ received }) => received === '');
    match(refusal, /^HTTP\/1\.1 503 /);
    match(refusal, /\r\nRetry-After: \d+\r\n/i);
    match(refusal, /\r\nProxy-Status: gatehouse; error=http_request_denied; details="load_shed"\r\n/i);
    match(refusal, /"service_unavailable_error"/);
    ok(held.length > 5, `${held.length} were taken before`);
    equal((await fetch(`${gateway.adminUrl}/healthz`)).status, 200);
    ok((await gateway.metricReaches('gatehouse_denied_total{code="load_shed",rule="overload.memory"}', 1)) >= 1);
    await gateway.metricReaches('gatehouse_overload_shedding_ratio', Number.MIN_VALUE);
    // What was taken before is still answered: the newest went, not these.
    const [survivor] = held as [RawPeer];
    await survivor.send(body.slice(-1));
    equal((await survivor.read()).body, String(body.length));
    for (const client of clients.splice(0)) client.close();
    // It gets over it by itself.
    let status = 503;
    for (let i = 0; i < 300 && status === 503; i++) {
      await setTimeout(100);
      const again = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        body: '{"model":"m","messages":[]}',
      });
      status = again.status;
    }
    equal(status, 200);
    deepEqual(await workerOf(gateway), before, 'no worker died');
  } finally {
    for (const client of clients) client.close();
    await gateway.stop();
    await server.close();
  }
});
