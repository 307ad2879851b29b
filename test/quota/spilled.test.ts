/** Money by version, where requests go over to another version: the counters and the ledger say the same, also after a restart. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Gateway } from '../gateway.ts';
import { call, house, startServer } from './money.fixture.ts';

/** Version → what it has used of the budget, as the admin API says. */
async function used(gateway: Gateway): Promise<Record<string, number>> {
  const answer = (await (await fetch(`${gateway.adminUrl}/api/v1/limits`)).json()) as {
    limits: { rule: string; key: string; used: string }[];
  };
  const own = answer.limits.filter(({ rule }) => rule === 'budget:ver');
  return Object.fromEntries(own.map(({ key, used }) => [key, Number(used)]));
}

test('a budget by version is charged where the request was answered', { timeout: 240_000 }, async (t) => {
  const server = await startServer(t);
  const endpoints = [{ url: server.url }];
  const { start } = house(t, server.url, {
    workers: 1,
    upstreams: {
      own: { protocol: 'openai', endpoints: [{ url: server.url, maxConcurrency: 1 }], queue: { wait: '60s' } },
      spot: { protocol: 'openai', endpoints },
    },
    models: {
      m: {
        versions: [
          { name: 'own', upstream: 'own', spillover: { to: 'spot', after: '0s' } },
          { name: 'spot', upstream: 'spot', weight: 0 },
        ],
      },
    },
    prices: { default: { perRequest: '1', when: [{ upstream: 'spot', perRequest: '5' }] } },
    budgets: [{ name: 'ver', key: 'version', credits: '100/day', only: { spot: 12 } }],
  });
  let gateway = await start();
  t.after(() => gateway.stop());
  // One is with its own server; of those that find it busy two can be paid elsewhere, and the others wait.
  const statuses = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const answer = await call(gateway, { tokens: 1, pace: 2000 });
      await answer.text();
      return answer.status;
    }),
  );
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 200]);
  const expected = { own: 4, spot: 10 };
  const settled = async () => {
    for (let i = 0; i < 300; i++) {
      const now = await used(gateway);
      if (now.own === expected.own && now.spot === expected.spot) break;
      await new Promise((done) => setTimeout(done, 100));
    }
    assert.deepEqual(await used(gateway), expected);
  };
  await settled();
  const gone = once(gateway.child, 'exit');
  gateway.child.kill('SIGTERM');
  await gone;
  gateway = await start();
  // Its past is read when somebody asks.
  const last = await call(gateway, { tokens: 1, pace: 0 });
  assert.equal(last.status, 200);
  await last.text();
  expected.own = 5;
  const both = await Promise.all(
    Array.from({ length: 2 }, async () => (await call(gateway, { tokens: 1, pace: 2000 })).status),
  );
  assert.deepEqual(both, [200, 200], 'the one that finds its server busy waits, as before');
  expected.own = 7;
  await settled();
});
