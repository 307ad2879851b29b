/** Budgets that several nodes share: leased from a real Redis, written down in a real PostgreSQL, and never exceeded. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Gateway } from '../gateway.ts';
import { needs } from '../peers.ts';
import { startPostgres } from '../postgres.ts';
import { startRedis } from '../redis.ts';
import {
  call,
  costOfTokens,
  house,
  kill,
  killSupervisor,
  startServer,
  until,
  usedOf,
  workerPids,
} from './money.fixture.ts';

const PATIENCE = { ...needs({ commands: ['pg_lsclusters', 'redis-server'] }), timeout: 280_000 };

/** Two nodes with a budget, and all that they share. */
async function nodes(t: TestContext, budgets: readonly Record<string, unknown>[], more: Record<string, unknown> = {}) {
  const postgres = await startPostgres();
  t.after(() => postgres.close());
  const redis = await startRedis();
  t.after(() => redis.kill());
  const server = await startServer(t);
  const shared = {
    budgets,
    redis: { url: redis.url, timeout: '5s', connectTimeout: '5s' },
    store: { driver: 'postgres', url: postgres.url },
    ...more,
  };
  const houses = [house(t, server.url, shared), house(t, server.url, shared)];
  // One after the other: both would make the tables.
  const gateways: Gateway[] = [];
  for (const { start } of houses) {
    const gateway = await start();
    t.after(() => gateway.stop());
    gateways.push(gateway);
  }
  for (const gateway of gateways) await gateway.metricReaches('gatehouse_limit_store_nodes', 2);
  return { gateways, houses, redis, server };
}

/** What the ledger of all nodes says was spent. */
async function spent(gateway: Gateway): Promise<number> {
  const usage = await (await fetch(`${gateway.adminUrl}/api/v1/usage?by=route`)).json();
  return Math.round(Number((usage as { sums: { cost: string }[] }).sums[0]?.cost ?? 0) * 1e9);
}

/** Asks all nodes at once, round after round, until nobody gets anything `rounds` times; how many were served. */
async function hammer(gateways: readonly Gateway[], tokens: number, rounds = 1): Promise<number> {
  let served = 0;
  for (let quiet = 0; quiet < rounds; ) {
    const answers = await Promise.all(
      Array.from({ length: 24 }, async (_, i) => {
        const answer = await call(gateways[i % gateways.length] as Gateway, { tokens, pace: 5 });
        const text = await answer.text();
        // 503: the store is not reached, or has begun anew and is being told.
        assert.ok([200, 429, 503].includes(answer.status), text);
        return answer.status;
      }),
    );
    const some = answers.filter((status) => status === 200).length;
    served += some;
    quiet = answers.every((status) => status === 429) ? quiet + 1 : 0;
    // What lies idle with one node comes back to the others.
    if (some === 0 && quiet < rounds) await setTimeout(quiet > 0 ? 2500 : 300);
  }
  return served;
}

test('two nodes hammer a budget until they are refused: all that the ledger has is within it', PATIENCE, async (t) => {
  const { gateways, redis, houses } = await nodes(t, [{ name: 'all', key: 'resource', credits: '1/day' }]);
  const [first, second] = gateways as [Gateway, Gateway];
  const cost = costOfTokens(10, 20);
  const served = await hammer(gateways, 20, 3);
  await until('all is in the ledger', async () => (await spent(first)) === served * cost);
  assert.ok(served * cost <= 1e9, `${served * cost} of 1e9`);
  assert.ok(served * cost > 0.95e9, `${served * cost} of 1e9: nothing is left lying`);
  for (const gateway of gateways) await until('both see it', async () => (await usedOf(gateway, 'all')) <= 1e9);
  const warned = () => gateways.filter(({ logs }) => /budget all: 50 %/.test(logs)).length;
  await until('somebody is told', async () => warned() > 0);
  assert.equal(warned(), 1, 'an alert comes once for all nodes');
  // More for a while, on both.
  const raise = (gateway: Gateway) =>
    fetch(`${gateway.adminUrl}/api/v1/limits/raise`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ rule: 'all', key: '*', by: '0.2', for: '1h' }),
    });
  assert.equal((await raise(first)).status, 200);
  await until('the other node knows', async () => (await call(second, { tokens: 20, pace: 0 })).status === 200);
  await hammer(gateways, 20);
  await setTimeout(1000);
  assert.ok((await spent(first)) <= 1.2e9);
  // The store begins anew: what was spent is known by the ledger.
  await redis.kill();
  await redis.start();
  for (const gateway of gateways) await gateway.metricReaches('gatehouse_limit_store_up', 1);
  await hammer(gateways, 20);
  await setTimeout(1000);
  assert.ok((await spent(first)) <= 1.2e9, `${await spent(first)} of 1.2e9`);
  // Nodes that begin anew know it as well, whatever the store has kept.
  await second.stop();
  await redis.ask('FLUSHALL');
  const third = await (houses[1] as (typeof houses)[0]).start();
  t.after(() => third.stop());
  await hammer([third], 20);
  await setTimeout(1000);
  assert.ok((await spent(first)) <= 1.2e9);
  // Forgotten, for all of them.
  const release = await fetch(`${third.adminUrl}/api/v1/limits/release`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ rule: 'all', key: '*' }),
  });
  assert.equal(release.status, 200, await release.text());
  for (const gateway of [first, third])
    await until('it begins anew', async () => (await call(gateway, { tokens: 20, pace: 0 })).status === 200);
});

test(
  'workers die, and then Redis: what they held comes back, and each node goes on with its part',
  PATIENCE,
  async (t) => {
    const { gateways, redis } = await nodes(t, [{ name: 'all', key: 'resource', credits: '1.2/day' }]);
    const cost = costOfTokens(10, 20);
    for (let round = 0; round < 4; round++) {
      const calls = Array.from({ length: 12 }, (_, i) =>
        call(gateways[i % 2] as Gateway, { tokens: 40, pace: 15, stream: true })
          .then((answer) => answer.text())
          .catch(() => {}),
      );
      await setTimeout(300);
      const [pid] = await workerPids(gateways[round % 2] as Gateway);
      kill(pid as number);
      await Promise.all(calls);
    }
    const same = async () => {
      const [used, all] = [await usedOf(gateways[0] as Gateway, 'all'), await spent(gateways[1] as Gateway)];
      return used === all;
    };
    await until('the budget has used what the ledger says', same);
    await redis.kill();
    for (const gateway of gateways)
      await until('it goes on alone', async () => (await call(gateway, { tokens: 20, pace: 0 })).status === 200);
    await hammer(gateways, 20, 2);
    const all = () => spent(gateways[0] as Gateway);
    await until('almost all of it is spent', async () => (await all()) > 1.2e9 - 20 * cost);
    await setTimeout(1000);
    assert.ok((await all()) <= 1.2e9, `${await all()} of 1.2e9`);
    await redis.start();
    for (const gateway of gateways) await gateway.metricReaches('gatehouse_limit_store_up', 1);
    await hammer(gateways, 20);
    await setTimeout(1000);
    assert.ok((await spent(gateways[0] as Gateway)) <= 1.2e9);
  },
);

test(
  'what a node held that was killed comes back once it is started again, and not a request more',
  PATIENCE,
  async (t) => {
    const prices = { default: { perRequest: '0.01' } };
    const { gateways, houses, server } = await nodes(t, [{ name: 'all', key: 'resource', credits: '0.1/day' }], {
      prices,
      // What has just begun is not written down yet, and not charged when its worker dies.
      ledger: { flush: '1s' },
    });
    const [first, second] = gateways as [Gateway, Gateway];
    for (let i = 0; i < 5; i++) call(second, { tokens: 1, pace: 20_000 }).catch(() => {});
    await until('they are with the server', async () => server.asked.size === 5);
    await killSupervisor(second, await workerPids(second));
    const again = await (houses[1] as (typeof houses)[0]).start();
    t.after(() => again.stop());
    const deadline = performance.now() + 180_000;
    while ((await spent(first)) < 0.1e9) {
      const answer = await call(first, { tokens: 1, pace: 0 });
      const text = await answer.text();
      assert.ok([200, 429, 503].includes(answer.status), text);
      assert.ok(performance.now() < deadline, `${await spent(first)} of 1e8: ${text}`);
      await setTimeout(answer.status === 200 ? 0 : 250);
    }
    for (const gateway of [first, again]) {
      const answer = await call(gateway, { tokens: 1, pace: 0 });
      assert.equal(answer.status, 429, await answer.text());
    }
    assert.equal(await spent(first), 0.1e9);
  },
);
