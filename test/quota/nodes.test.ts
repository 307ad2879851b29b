/** Nodes that share their limits in a real Redis. `npm run hammer` hammers for a minute. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { test } from 'node:test';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';
import { startRedis } from '../redis.ts';
import { hammer } from './hammer.ts';
import { startWire } from './wire.ts';

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** A store that is there is waited for. */
const PATIENT = { timeout: '20s', connectTimeout: '20s' };

const configOf = (
  url: string,
  simulator: string,
  limits: readonly Record<string, unknown>[],
  more: object = PATIENT,
) => ({
  listeners: { public: { address: '127.0.0.1:0' } },
  workers: 2,
  redis: { url, ...more },
  upstreams: { sim: { protocol: 'openai', endpoints: [{ url: simulator }] } },
  routes: [{ name: 'ai', match: { path: '/*' }, upstream: 'sim', limits }],
});

/** Status of one request of a key; 0: no answer. */
function ask(gateway: Gateway, key: string): Promise<number> {
  return new Promise((done) => {
    const call = request(`${gateway.url}/v1/models`, { agent, headers: { 'x-key': key } }, (answer) => {
      answer.resume();
      answer.once('close', () => done(answer.statusCode ?? 0));
    });
    call.once('error', () => done(0));
    call.end();
  });
}

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

async function nodes(t: { after(fn: () => unknown): void }, limits: readonly Record<string, unknown>[], more?: object) {
  const redis = await startRedis();
  t.after(() => redis.kill());
  const simulator = await startSimulator('--model', 'm', '--ttft', '0');
  t.after(() => simulator.stop());
  const gateways = await Promise.all(
    Array.from({ length: 2 }, () => startGateway(configOf(redis.url, simulator.url, limits, more))),
  );
  for (const gateway of gateways) t.after(() => gateway.stop());
  return { redis, gateways };
}

test('50 keys hammered on two nodes: none gets more than its limit by one, and none starves', async (t) => {
  const load = { nodes: 2, workers: 2, connections: 48, depth: 4 };
  const found = await hammer({ seconds: 6, keys: 50, limit: 8, windowMs: 1000, ...load });
  t.diagnostic(JSON.stringify(found));
  assert.ok(found.most <= 8, `${found.most} of 8 in one window`);
  assert.ok((found.statuses[200] ?? 0) > 0);
  // How much that is of the limit depends on what this machine can send.
  assert.ok(found.leastShare >= found.mostShare / 4, `from ${found.leastShare} to ${found.mostShare}`);
});

test('of 300 calls on two nodes exactly 100 pass where 100 in ten minutes may', async (t) => {
  const { gateways } = await nodes(t, [{ key: 'resource', requests: '100/10m' }]);
  const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => ask(gateways[i % 2] as Gateway, 'k')));
  const [passed, refused] = [200, 429].map((status) => answers.filter((one) => one === status).length);
  assert.equal(refused, 300 - (passed as number));
  // What somebody who had to wait for his processor has kept in hand meanwhile is to be had afterwards.
  assert.equal((passed as number) + (await all(gateways, 'k', 100)), 100);
});

/** Asks until it is answered so; each time for another key with `{n}` in it. */
async function until(gateway: Gateway, key: string, status: number): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (let n = 0; ; n++) {
    const got = await ask(gateway, key.replace('{n}', String(n)));
    if (got === status) return;
    if (performance.now() > deadline) throw new Error(`${key} is answered with ${got}, not ${status}`);
    await pause(100);
  }
}

/** Waits until a node has noticed that it does not reach the store. */
async function lost(gateway: Gateway): Promise<void> {
  const deadline = performance.now() + 60_000;
  while ((await gateway.metric('gatehouse_limit_store_up')) !== 0) {
    if (performance.now() > deadline) throw new Error('the store is still reached');
    await pause(100);
  }
}

/** Asks in rounds, all nodes in turn, until no more than nothing passes; how many have passed. */
async function all(gateways: readonly Gateway[], key: string, limit: number): Promise<number> {
  let passed = 0;
  // What one node has in hand for a moment comes back to the others within a while.
  for (let quiet = 0; quiet < 3; ) {
    const answers = await Promise.all(
      Array.from({ length: limit }, (_, i) => ask(gateways[i % gateways.length] as Gateway, key)),
    );
    const some = answers.filter((status) => status === 200).length;
    passed += some;
    quiet = some === 0 && answers.every((status) => status === 429) ? quiet + 1 : 0;
    await pause(some === 0 ? 500 : 0);
  }
  return passed;
}

test('the store is killed: a rule refuses, and goes on when it is back', async (t) => {
  const { redis, gateways } = await nodes(t, [{ key: 'header:x-key', requests: '1000/s', onStoreLoss: 'refuse' }]);
  const [first] = gateways as [Gateway, Gateway];
  for (const gateway of gateways) await until(gateway, 'a', 200);
  await redis.kill();
  await until(first, 'b{n}', 503);
  await redis.start();
  await until(first, 'b', 200);
});

test('the store is killed: nodes pass their part, together never more than the limit', async (t) => {
  const { redis, gateways } = await nodes(t, [{ key: 'header:x-key', requests: '20/10m' }]);
  for (const gateway of gateways) {
    await until(gateway, 'a', 200);
    // Both have seen each other.
    await gateway.metricReaches('gatehouse_limit_store_nodes', 2);
  }
  await redis.kill();
  // They go on alone.
  for (const gateway of gateways) {
    await lost(gateway);
    await until(gateway, 'alone{n}', 200);
  }
  assert.equal(await all(gateways, 'new', 20), 20);
  await redis.start();
  for (const gateway of gateways) await gateway.metricReaches('gatehouse_limit_store_up', 1);
  for (const gateway of gateways) await until(gateway, 'back{n}', 200);
  assert.equal(await all(gateways, 'new', 20), 0, 'what was used without the store is known to it');
});

test('the store hangs for a while: nobody waits for long, and nothing is let through twice', async (t) => {
  const limits = [{ key: 'header:x-key', requests: '30/10m', onStoreLoss: 'refuse' }];
  const { redis, gateways } = await nodes(t, limits, {});
  process.kill(redis.pid, 'SIGSTOP');
  const statuses = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(gateways[i % 2] as Gateway, 'k')));
  process.kill(redis.pid, 'SIGCONT');
  assert.deepEqual([...new Set(statuses)], [503]);
  for (const gateway of gateways) await until(gateway, 'back{n}', 200);
  assert.equal(await all(gateways, 'k', 30), 30);
});

test('a node that is cut off from the store by its own network refuses, or spends its part; the other goes on', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.kill());
  const wire = await startWire(Number(new URL(redis.url).port));
  t.after(() => wire.stop());
  const simulator = await startSimulator('--model', 'm', '--ttft', '0');
  t.after(() => simulator.stop());
  const limits = [{ key: 'header:x-key', requests: '20/10m' }];
  const [near, far] = await Promise.all(
    [redis.url, `redis://127.0.0.1:${wire.port}`].map((url) =>
      startGateway(configOf(url, simulator.url, limits, { timeout: '2s', connectTimeout: '2s' })),
    ),
  );
  t.after(() => near?.stop());
  t.after(() => far?.stop());
  const both = [near, far] as [Gateway, Gateway];
  for (const gateway of both) await gateway.metricReaches('gatehouse_limit_store_nodes', 2);
  wire.cut();
  await lost(both[1]);
  await until(both[1], 'alone{n}', 200);
  // The other leaves half of the limit to it.
  await until(both[0], 'a', 200);
  assert.ok((await all(both, 'k', 20)) <= 20);
  wire.mend();
  await both[1].metricReaches('gatehouse_limit_store_up', 1);
  await until(both[1], 'back{n}', 200);
  wire.slow(80);
  assert.equal(await all(both, 'slow', 20), 20, 'a slow store grants as much as a fast one');
});
