/** A budget for a few requests is spent to its end, whichever worker gets them, and then all of it is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { call, house, startServer } from './money.fixture.ts';

test('a budget for three requests serves three', async (t) => {
  const server = await startServer(t);
  const prices = { models: { m: { input: '0', output: '0', perRequest: '0.001' } } };
  const budgets = [{ name: 'small', key: 'resource', credits: '0.003/day' }];
  const { start } = house(t, server.url, { prices, budgets });
  const gateway = await start();
  t.after(() => gateway.stop());
  const deadline = performance.now() + 60_000;
  let served = 0;
  while (served < 3) {
    const answer = await call(gateway, { tokens: 1, pace: 0 });
    const text = await answer.text();
    if (answer.status === 200) served++;
    else {
      assert.equal(answer.headers.get('x-should-retry'), 'true', text);
      assert.ok(performance.now() < deadline, `stuck after ${served}: ${text}`);
      await setTimeout(500);
    }
  }
  const refused = await call(gateway, { tokens: 1, pace: 0 });
  assert.equal(refused.status, 429);
  await refused.text();
  await gateway.waitFor(/budget small: 100 %/);
});

test('who has spent all that a request could be paid with is told, though something is left', async (t) => {
  const server = await startServer(t);
  const prices = { models: { m: { input: '0', output: '0', perRequest: '0.001' } } };
  const budgets = [{ name: 'odd', key: 'resource', credits: '0.0025/day' }];
  const { start } = house(t, server.url, { prices, budgets, workers: 1 });
  const gateway = await start();
  t.after(() => gateway.stop());
  const statuses: number[] = [];
  for (let i = 0; i < 3; i++) {
    const answer = await call(gateway, { tokens: 1, pace: 0 });
    await answer.text();
    statuses.push(answer.status);
  }
  assert.deepEqual(statuses, [200, 200, 429]);
  await gateway.waitFor(/budget odd: 100 % .*less than a request needs/);
});
