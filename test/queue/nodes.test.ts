/** Places that two nodes share: each has its part, and all of them when the other has gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Gateway, startGateway } from '../gateway.ts';
import { startRedis } from '../redis.ts';
import { until } from './pools.ts';

async function limitOf({ adminUrl }: Gateway): Promise<number | undefined> {
  const { queues } = (await (await fetch(`${adminUrl}/api/queue`)).json()) as {
    queues: { endpoints: { limit: number }[] }[];
  };
  return queues[0]?.endpoints[0]?.limit;
}

test('the places of a server are divided by the nodes that are there', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.kill());
  const settings = {
    listeners: { public: { address: '127.0.0.1:0' } },
    redis: { url: redis.url },
    upstreams: { gpu: { endpoints: [{ url: 'http://127.0.0.1:1', maxConcurrency: 9 }], queue: { scope: 'shared' } } },
    routes: [{ name: 'all', upstream: 'gpu' }],
  };
  const one = await startGateway(settings);
  t.after(() => one.stop());
  assert.equal(await limitOf(one), 9);
  const other = await startGateway(settings);
  t.after(() => other.stop());
  await until(async () => (await limitOf(one)) === 4 && (await limitOf(other)) === 4, 'each has its part');
  await other.stop();
  await until(async () => (await limitOf(one)) === 9, 'the one that is left has all');
});
