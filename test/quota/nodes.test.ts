/** Nodes that share their limits in a real Redis. `npm run hammer` hammers for a minute. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { test } from 'node:test';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';
import { type RedisServer, startRedis } from '../redis.ts';
import { hammer } from './hammer.ts';

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

const configOf = (redis: RedisServer, simulator: string, limits: readonly Record<string, unknown>[]) => ({
  listeners: { public: { address: '127.0.0.1:0' } },
  workers: 2,
  redis: { url: redis.url },
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

async function nodes(t: { after(fn: () => unknown): void }, limits: readonly Record<string, unknown>[], count = 2) {
  const redis = await startRedis();
  t.after(() => redis.kill());
  const simulator = await startSimulator('--model', 'm', '--ttft', '0');
  t.after(() => simulator.stop());
  const gateways = await Promise.all(
    Array.from({ length: count }, () => startGateway(configOf(redis, simulator.url, limits))),
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

test('of 300 calls on two nodes exactly 100 pass where 100 a minute may', async (t) => {
  const { gateways } = await nodes(t, [{ key: 'resource', requests: '100/min' }]);
  const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => ask(gateways[i % 2] as Gateway, 'k')));
  assert.deepEqual(
    [200, 429].map((status) => answers.filter((one) => one === status).length),
    [100, 200],
  );
});

test('the store is killed: a rule refuses, another spends the part of this node; both go on when it is back', async (t) => {
  const { redis, gateways } = await nodes(t, [
    { name: 'strict', key: 'header:x-strict', requests: '1000/s', onStoreLoss: 'refuse' },
    { name: 'part', key: 'header:x-key', requests: '20/2s' },
  ]);
  const [first, second] = gateways as [Gateway, Gateway];
  assert.equal(await ask(first, 'a'), 200);
  assert.equal(await ask(second, 'a'), 200);
  await redis.kill();
  await pause(300);
  const refused: number = await ask(first, 'b');
  assert.ok(refused === 503, 'refuse: nobody can be asked');
  await redis.start();
  let status = 0;
  for (let i = 0; i < 100 && status !== 200; i++) {
    await pause(100);
    status = await ask(first, 'b');
  }
  assert.equal(status, 200);
});

test('the store is killed: nodes pass their part, together never more than the limit', async (t) => {
  const { redis, gateways } = await nodes(t, [{ key: 'header:x-key', requests: '20/min' }]);
  for (const gateway of gateways) assert.equal(await ask(gateway, 'a'), 200);
  // Both have seen each other.
  await pause(1500);
  await redis.kill();
  await pause(4500);
  const answers = await Promise.all(Array.from({ length: 80 }, (_, i) => ask(gateways[i % 2] as Gateway, 'new')));
  assert.equal(answers.filter((one) => one === 200).length, 20);
  await redis.start();
  await pause(3000);
  const later = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(gateways[i % 2] as Gateway, 'new')));
  assert.equal(later.filter((one) => one === 200).length, 0, 'what was used without the store is known to it');
});

test('the store hangs for a while: nobody waits for long, and nothing is let through twice', async (t) => {
  const { redis, gateways } = await nodes(t, [{ key: 'header:x-key', requests: '30/min', onStoreLoss: 'refuse' }]);
  const statuses: number[] = [];
  process.kill(redis.pid, 'SIGSTOP');
  const from = performance.now();
  statuses.push(...(await Promise.all(Array.from({ length: 20 }, (_, i) => ask(gateways[i % 2] as Gateway, 'k')))));
  assert.deepEqual([...new Set(statuses)], [503]);
  assert.ok(performance.now() - from < 5000);
  process.kill(redis.pid, 'SIGCONT');
  await pause(2500);
  for (let i = 0; i < 3; i++)
    statuses.push(...(await Promise.all(Array.from({ length: 40 }, (_, i) => ask(gateways[i % 2] as Gateway, 'k')))));
  assert.equal(statuses.filter((status) => status === 200).length, 30);
});
