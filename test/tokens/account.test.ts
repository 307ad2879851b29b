/** A key and the tokens made of it are one to limits, budgets and the ledger, however many tokens there are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { decided } from '../workers.ts';
import { exchangeOf, startTokenHouse, type TokenHouse } from './service.ts';

const tokenOf = async (house: TokenHouse, key: string) =>
  (await house.post('/oauth/token', exchangeOf(key))).body.access_token;

const call = (house: TokenHouse, credential: string) =>
  decided(async () => {
    const answer = await fetch(`${house.issuer}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json', connection: 'close' },
      body: '{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}',
    });
    await answer.text();
    return answer;
  });

/** Calls one after the other, until so many have passed: what lies with a worker that is busy comes to the next a little later. */
async function pass(house: TokenHouse, count: number, ...credentials: string[]): Promise<void> {
  for (let passed = 0, i = 0; passed < count; i++) {
    const { status } = await call(house, credentials[i % credentials.length] as string);
    if (status === 200) passed++;
    else assert.equal(status, 429);
  }
}

/** Three calls of each, of which none passes. */
async function none(house: TokenHouse, ...credentials: string[]): Promise<void> {
  for (const one of [...credentials, ...credentials, ...credentials])
    assert.equal((await call(house, one)).status, 429);
}

for (const [what, settings] of [
  ['a limit', { limits: [{ name: 'calls', key: 'apiKey', requests: '8/h' }] }],
  ['a budget', { budgets: [{ name: 'money', key: 'apiKey', credits: '8/month' }] }],
] as const) {
  test(`${what} by key counts the tokens of the key`, { timeout: 180_000 }, async (t) => {
    const house = await startTokenHouse(t, {}, { prices: { default: { perRequest: '1' } }, ...settings });
    const { key, document } = await house.key({});
    const other = await house.key({ principal: 'bob' });
    // A start reads all keys that there are, before anybody is let in.
    await house.restart();
    const shown = [key, await tokenOf(house, key), await tokenOf(house, key), await tokenOf(house, key)];
    await pass(house, 8, ...shown);
    await none(house, ...shown);
    // Another has its own.
    await pass(house, 3, other.key);
    // Each start has a data directory of its own, but the same store.
    if (what === 'a budget') await house.restart();
    // What was used is known.
    await none(house, ...shown, await tokenOf(house, key));
    await pass(house, 3, await tokenOf(house, other.key));
    const whole = { [document.id]: 8, [other.document.id]: 6 };
    // The ledger is a little behind what has been answered.
    for (let used = {}, i = 0; !isDeepStrictEqual(used, whole); i++) {
      if (i === 600) assert.deepEqual(used, whole);
      await setTimeout(100);
      const answer = await fetch(`${house.gateway.adminUrl}/api/v1/usage?by=key`);
      const { sums } = (await answer.json()) as { sums: { key: string; requests: number }[] };
      used = Object.fromEntries(sums.map((one) => [one.key, one.requests]));
    }
  });
}
