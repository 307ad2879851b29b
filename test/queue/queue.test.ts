/** The queue on real sockets, across real worker processes: the server never sees more than it may; who waits, waits in order. */
import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Gateway, startGateway } from '../gateway.ts';

/** A server that answers when it is told to, and counts how many requests it has at once. */
async function startServer(t: TestContext) {
  const seen = { now: 0, most: 0, order: [] as string[] };
  const held: ServerResponse[] = [];
  const server = createServer((request, response) => {
    seen.now++;
    seen.most = Math.max(seen.most, seen.now);
    seen.order.push(String(request.url));
    response.on('close', () => seen.now--);
    held.push(response);
  });
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  /** Answers the request that it has had longest. */
  const answer = () => {
    seen.now--;
    const response = held.shift();
    response?.removeAllListeners('close');
    response?.end('done');
  };
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, seen, held, answer };
}

async function gatewayFor(
  t: TestContext,
  url: string,
  more: { workers?: number; maxConcurrency?: number; queue?: object; upstream?: object; route?: object } = {},
) {
  const gateway = await startGateway({
    workers: more.workers ?? 1,
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: {
      app: {
        endpoints: [{ url, maxConcurrency: more.maxConcurrency ?? 1 }],
        // On a busy machine some wait for long.
        queue: { wait: '10min', agedShare: '0%', ...more.queue },
        ...more.upstream,
      },
    },
    routes: [
      { name: 'live', match: { path: '/live/*' }, upstream: 'app', priority: 'realtime', ...more.route },
      { name: 'test', match: { path: '/test/*' }, upstream: 'app', priority: 'test' },
      { name: 'all', upstream: 'app' },
    ],
  });
  t.after(() => gateway.stop());
  return gateway;
}

/** Requests that wait; the first one may have waited too, for the moment until its place was granted. */
async function waiting({ adminUrl }: Gateway): Promise<number> {
  const { queues } = (await (await fetch(`${adminUrl}/api/queue`)).json()) as { queues: { waiting: number }[] };
  return queues[0]?.waiting ?? 0;
}

const until = async (what: () => boolean, name: string) => {
  const deadline = performance.now() + 60_000;
  while (!what() && performance.now() < deadline) await pause(10);
  assert.ok(what(), name);
};

test('two workers, four places: the server never sees five, and everybody is served', async (t) => {
  const server = await startServer(t);
  const gateway = await gatewayFor(t, server.url, { workers: 2, maxConcurrency: 4 });
  for (let round = 0; round < 3; round++) {
    const asked = Array.from({ length: 60 }, async (_, i) => {
      const answer = await fetch(`${gateway.url}/${i}`);
      await answer.text();
      return answer.status;
    });
    for (let left = asked.length; left > 0; left--) {
      await until(() => server.held.length >= Math.min(4, left), `all places are taken, ${left} are left`);
      server.answer();
    }
    assert.deepEqual(new Set(await Promise.all(asked)), new Set([200]));
    await pause(round * 80);
  }
  assert.equal(server.seen.most, 4);
});

test('the more important go first; those who leave, leave the queue', async (t) => {
  const server = await startServer(t);
  const gateway = await gatewayFor(t, server.url);
  const asked: Promise<unknown>[] = [fetch(`${gateway.url}/first`)];
  await until(() => server.held.length === 1, 'the first request arrives');
  const ask = async (path: string, signal?: AbortSignal) => {
    asked.push(fetch(gateway.url + path, signal === undefined ? {} : { signal }).catch(() => {}));
    while ((await waiting(gateway)) < asked.length - 1) await pause(10);
  };
  const leaving = new AbortController();
  for (const path of ['/test/1', '/batch/1', '/live/1', '/test/2', '/live/2']) await ask(path);
  await ask('/live/gone', leaving.signal);
  leaving.abort();
  await gateway.metricReaches('gatehouse_queue_left_total{end="left"}', 1);
  for (let i = 0; i < 6; i++) {
    await until(() => server.held.length === 1, `request ${i} arrives`);
    server.answer();
  }
  await Promise.all(asked);
  assert.deepEqual(server.seen.order, ['/first', '/live/1', '/live/2', '/batch/1', '/test/1', '/test/2']);
  assert.equal(server.seen.most, 1);
});

test('a full queue refuses the least important, and says what it would be to wait', async (t) => {
  const server = await startServer(t);
  const gateway = await gatewayFor(t, server.url, { queue: { length: 2 } });
  const first = fetch(`${gateway.url}/first`);
  await until(() => server.held.length === 1, 'the first request arrives');
  const evicted = fetch(`${gateway.url}/test/1`);
  const batch = fetch(`${gateway.url}/batch`);
  await gateway.metricReaches('gatehouse_queue_entered_total', 2);
  const low = await fetch(`${gateway.url}/test/2`);
  assert.equal(low.status, 503);
  assert.match(low.headers.get('retry-after') ?? '', /^\d+$/);
  assert.equal(low.headers.get('x-gatehouse-queue-position'), '3');
  assert.match(low.headers.get('x-gatehouse-queue-wait') ?? '', /^\d+$/);
  assert.match(low.headers.get('proxy-status') ?? '', /queue_full/);
  const live = fetch(`${gateway.url}/live/1`);
  assert.equal((await evicted).status, 503);
  for (let i = 0; i < 3; i++) {
    await until(() => server.held.length === 1, `request ${i} arrives`);
    server.answer();
  }
  assert.deepEqual(
    (await Promise.all([first, batch, live])).map(({ status }) => status),
    [200, 200, 200],
  );
  assert.deepEqual(server.seen.order, ['/first', '/live/1', '/batch']);
  await gateway.metricReaches('gatehouse_queue_left_total{end="evicted"}', 1);
});

test('who waits too long is told so; the place is not lost', async (t) => {
  const server = await startServer(t);
  const gateway = await gatewayFor(t, server.url, { queue: { wait: '150ms' } });
  const first = fetch(`${gateway.url}/first`);
  await until(() => server.held.length === 1, 'the first request arrives');
  const late = await fetch(`${gateway.url}/late`);
  assert.equal(late.status, 503);
  assert.match(late.headers.get('proxy-status') ?? '', /queue_timeout/);
  assert.equal(late.headers.get('x-gatehouse-queue-position'), '1');
  assert.match(late.headers.get('x-gatehouse-queue-wait') ?? '', /^[1-9]\d*$/);
  server.answer();
  assert.equal((await first).status, 200);
  // Who comes while the place is on its way back may wait too long for it, too.
  let next = 0;
  const asking = async () => {
    for (const deadline = performance.now() + 60_000; next !== 200 && performance.now() < deadline; )
      next = (await fetch(`${gateway.url}/next`)).status;
  };
  const asked = asking();
  await until(() => server.held.length === 1, 'the next request arrives');
  server.answer();
  await asked;
  assert.equal(next, 200);
});

test('a body that has not been read waits with its request, and arrives whole', async (t) => {
  const server = await startServer(t);
  const gateway = await gatewayFor(t, server.url);
  const first = fetch(`${gateway.url}/first`);
  await until(() => server.held.length === 1, 'the first request arrives');
  const second = fetch(`${gateway.url}/second`, { method: 'POST', body: 'x'.repeat(300_000) });
  await gateway.metricReaches('gatehouse_queue_entered_total', 1);
  server.answer();
  await first;
  await until(() => server.held.length === 1, 'the second request arrives');
  server.answer();
  assert.equal((await second).status, 200);
});
