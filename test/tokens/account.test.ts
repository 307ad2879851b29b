/** A key and the tokens made of it are one to limits, budgets and the ledger, however many tokens there are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { exchangeOf, startTokenHouse, type TokenHouse } from './service.ts';

const tokenOf = async (house: TokenHouse, key: string) =>
  (await house.post('/oauth/token', exchangeOf(key))).body.access_token;

/** Calls that pass, one after the other, three of each: what has been settled is free again for the next. */
async function passed(house: TokenHouse, ...credentials: string[]): Promise<number> {
  let count = 0;
  for (const one of [...credentials, ...credentials, ...credentials]) {
    const answer = await fetch(`${house.issuer}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${one}`, 'content-type': 'application/json', connection: 'close' },
      body: '{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}',
    });
    await answer.text();
    if (answer.status === 200) count++;
    else assert.equal(answer.status, 429);
  }
  return count;
}

for (const [what, settings] of [
  ['a limit', { limits: [{ name: 'calls', key: 'apiKey', requests: '8/h' }] }],
  ['a budget', { budgets: [{ name: 'money', key: 'apiKey', credits: '8/month' }] }],
] as const) {
  test(`${what} by key counts the tokens of the key`, async (t) => {
    const house = await startTokenHouse(t, {}, { prices: { default: { perRequest: '1' } }, ...settings });
    const { key, document } = await house.key({});
    const other = await house.key({ principal: 'bob' });
    const shown = [key, await tokenOf(house, key), await tokenOf(house, key), await tokenOf(house, key)];
    assert.equal(await passed(house, ...shown), 8, 'of one key');
    assert.equal(await passed(house, other.key), 3, 'another has its own');
    // Each start has a data directory of its own, but the same store.
    if (what === 'a budget') await house.restart();
    assert.equal(await passed(house, ...shown, await tokenOf(house, key)), 0, 'what was used is known');
    assert.equal(await passed(house, await tokenOf(house, other.key)), 3);
    const whole = { [document.id]: 8, [other.document.id]: 6 };
    // The ledger is a little behind what has been answered.
    for (let used = {}, i = 0; !isDeepStrictEqual(used, whole); i++) {
      if (i === 200) assert.deepEqual(used, whole);
      await setTimeout(100);
      const answer = await fetch(`${house.gateway.adminUrl}/api/v1/usage?by=key`);
      const { sums } = (await answer.json()) as { sums: { key: string; requests: number }[] };
      used = Object.fromEntries(sums.map((one) => [one.key, one.requests]));
    }
  });
}
