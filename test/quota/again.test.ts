/** Budgets after a restart, and after their amount has become another. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Gateway } from '../gateway.ts';
import { call, house, startServer, until } from './money.fixture.ts';

const ORDER = { tokens: 1, pace: 0 };

const limitsOf = async (gateway: Gateway) => {
  const answer = (await (await fetch(`${gateway.adminUrl}/api/v1/limits`)).json()) as {
    limits: { rule: string; key: string; limit: string; used: string }[];
  };
  return answer.limits;
};

const standings = async (gateway: Gateway) =>
  (await limitsOf(gateway)).map(({ rule, key, used }) => `${rule} ${key} ${used}`).sort();

const amounts = async (gateway: Gateway) => (await limitsOf(gateway)).map(({ rule, limit }) => `${rule} ${limit}`);

test('after a restart the list shows budgets that were charged before, without a request', async (t) => {
  const server = await startServer(t);
  const budgets = [
    { name: 'all', key: 'resource', credits: '1/day' },
    { name: 'team', key: 'header:x-team', credits: '0.05/month' },
    { name: 'model', key: 'model', credits: '1/month' },
    { name: 'fresh', key: 'claim:x', credits: '1/month' },
  ];
  const { start } = house(t, server.url, { budgets });
  const first = await start();
  t.after(() => first.stop());
  for (const team of ['blue', 'red']) {
    const answer = await fetch(`${first.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-team': team },
      body: JSON.stringify({ model: 'm', messages: [], max_tokens: 1, order: ORDER }),
    });
    assert.equal(answer.status, 200, await answer.text());
  }
  await first.stop();
  const second = await start();
  t.after(() => second.stop());
  const one = '0.010045';
  const expected = [
    ...['all *', 'fresh (none)', 'model m'].map((name) => `budget:${name} 0.02009`),
    ...['blue', 'red'].map((team) => `budget:team ${team} ${one}`),
  ];
  await until('they are there again', async () => (await standings(second)).join() === expected.join());
  // What was opened from the list is not counted twice when it is used.
  assert.equal((await call(second, ORDER)).status, 200);
  await until('one more is counted', async () => (await standings(second)).includes('budget:all * 0.030135'));
  await until('so is it in the other', async () => (await standings(second)).includes(`budget:team (none) ${one}`));
});

test('alerts come again for another amount, when that is reached, and once each', async (t) => {
  const server = await startServer(t);
  const budgets = [{ name: 'all', key: 'resource', credits: '0.03/month' }];
  const { start } = house(t, server.url, { workers: 1, budgets });
  const gateway = await start();
  t.after(() => gateway.stop());
  assert.equal((await call(gateway, ORDER)).status, 200);
  assert.equal((await call(gateway, ORDER)).status, 200);
  await gateway.waitFor(/budget all: 50 % of 0\.03/);
  writeFileSync(gateway.file, readFileSync(gateway.file, 'utf8').replace('0.03/month', '0.06/month'));
  await fetch(`${gateway.adminUrl}/api/reload`, { method: 'POST' });
  await until('the other amount holds', async () => (await amounts(gateway)).includes('budget:all 0.06'));
  await setTimeout(1500);
  assert.doesNotMatch(gateway.logs, /of 0\.06/);
  assert.equal((await call(gateway, ORDER)).status, 200);
  await gateway.waitFor(/budget all: 50 % of 0\.06/);
  await setTimeout(1500);
  assert.equal(gateway.logs.match(/budget all: 50 %/g)?.length, 2);
});
