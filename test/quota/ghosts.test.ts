/** A node that is killed and started again in its data directory: the others hold nothing back for its ghost. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Gateway } from '../gateway.ts';
import { needs } from '../peers.ts';
import { runCli } from '../program.ts';
import { startRedis } from '../redis.ts';
import { call, house, killSupervisor, startServer, workerPids } from './money.fixture.ts';

const PATIENCE = { ...needs({ commands: ['redis-server'] }), timeout: 280_000 };
const ORDER = { tokens: 1, pace: 0 };

/** Two nodes with one limit. */
async function nodes(t: TestContext, limit: Record<string, unknown>) {
  const redis = await startRedis();
  t.after(() => redis.kill());
  const server = await startServer(t);
  const shared = { url: redis.url, timeout: '20s', connectTimeout: '20s' };
  const more = { redis: shared, workers: 1, limits: [{ name: 'all', key: 'resource', ...limit }] };
  const houses = [house(t, server.url, more), house(t, server.url, more)] as const;
  const start = async (i: 0 | 1): Promise<Gateway> => {
    const gateway = await houses[i].start();
    t.after(() => gateway.stop());
    return gateway;
  };
  const gateways = [await start(0), await start(1)] as [Gateway, Gateway];
  for (const gateway of gateways) await gateway.metricReaches('gatehouse_limit_store_nodes', 2);
  return { redis, server, houses, gateways, start };
}

/** Waits until a metric is as it should be. */
async function metricIs(gateway: Gateway, series: string, value: number): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (let now = Number.NaN; now !== value; ) {
    if (performance.now() > deadline) assert.equal(now, value, series);
    now = await gateway.metric(series);
    await setTimeout(100);
  }
}

/** How many of so many calls, to both in turn, are let through. */
async function passing(gateways: readonly Gateway[], calls: number): Promise<number> {
  let passed = 0;
  for (let i = 0; i < calls; i++) {
    const answer = await call(gateways[i % gateways.length] as Gateway, ORDER);
    await answer.text();
    if (answer.status === 200) passed++;
  }
  return passed;
}

/** While a node is missing, everybody can know why there is less. */
async function saysSo(gateway: Gateway): Promise<void> {
  await gateway.waitFor(/1 of 2 nodes that share limits has not been heard of/);
  await metricIs(gateway, 'gatehouse_limit_store_nodes_missing', 1);
  const shown = runCli(['limits', '--admin', new URL(gateway.adminUrl).host]);
  await once(shown.child, 'close');
  assert.match(shown.logs, /^1 of 2 nodes that share limits are missing/m);
}

test('nodes that were killed time and again leave no ghosts once they are back', PATIENCE, async (t) => {
  const { gateways, houses, start } = await nodes(t, { requests: '40/10m' });
  let [healthy, other] = gateways;
  for (let life = 0; life < 3; life++) {
    await killSupervisor(other, await workerPids(other));
    if (life === 0) await saysSo(healthy);
    other = await start(1);
    await metricIs(healthy, 'gatehouse_limit_store_nodes', 2);
    await metricIs(healthy, 'gatehouse_limit_store_nodes_missing', 0);
    assert.match(other.logs, /the gateway that was here before has died/);
    assert.doesNotMatch(other.logs, /cannot be reached/);
  }
  assert.equal(await passing([healthy, other], 60), 40, 'all of the limit is there');
  await killSupervisor(other, await workerPids(other));
  await saysSo(healthy);
  const refused = await call(healthy, ORDER);
  assert.equal(refused.status, 429);
  assert.match(await refused.text(), /of it the part of nodes that are missing \(1 of 2 nodes\) is held back/);
  other = await start(1);
  await metricIs(healthy, 'gatehouse_limit_store_nodes_missing', 0);
  await other.stop();
  assert.deepEqual(readdirSync(join(houses[1].folder, 'gatehouse', 'nodes')), []);
});
