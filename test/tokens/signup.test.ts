/** Whoever signs up gets a key that works at once, as often as the settings allow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { untilAll } from '../workers.ts';
import { startTokenHouse } from './service.ts';

/** How long all of it may take. */
const ENOUGH_MS = 100_000;
const DAY_MS = 86_400_000;

test('sign-up: a key that works, once for each address, and no more than the day allows', {
  timeout: 2 * ENOUGH_MS,
}, async (t) => {
  const house = await startTokenHouse(
    t,
    {},
    {
      signup: { plan: 'trial', perDay: 3, perNetwork: 10, emailDomains: ['example.com'], scopes: ['chat'] },
      plans: { trial: { trialPeriod: '14d', permissions: { routes: ['api'] } } },
    },
  );
  // What a day allows is counted by days of the calendar: all of it is to be of one.
  const left = DAY_MS - (Date.now() % DAY_MS);
  if (left < ENOUGH_MS) await setTimeout(left + 1000);
  const signUp = async (body: unknown, type = 'application/json') => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await fetch(`${house.issuer}/signup`, {
      method: 'POST',
      body: text,
      headers: { 'content-type': type },
    });
    return { status: answer.status, told: (await answer.json()) as Record<string, string> };
  };
  const { status, told } = await signUp({ email: 'ada@example.com', name: 'Ada' });
  assert.equal(status, 201, JSON.stringify(told));
  const days = (Date.parse(told.expires_at as string) - Date.now()) / 86_400_000;
  assert.ok(days > 13.9 && days <= 14, `${days} days`);
  await untilAll(() => house.ask(told.api_key as string), 200);
  assert.equal((await signUp({ email: 'ADA@example.com' })).status, 409);
  for (const [what, expected] of [
    [{ email: 'ada@elsewhere.com' }, 403],
    [{ email: 'no address' }, 400],
    [{ email: 'bob@example.com', plan: 'enterprise' }, 400],
    ['{', 400],
    ['[]', 400],
  ] as const) {
    assert.equal((await signUp(what)).status, expected, JSON.stringify(what));
  }
  assert.equal((await signUp('email=bob@example.com', 'application/x-www-form-urlencoded')).status, 415);
  // Two are left of the day, however many ask at once.
  const many = await Promise.all(Array.from({ length: 6 }, (_, i) => signUp({ email: `person${i}@example.com` })));
  const begun = many.filter((one) => one.status === 201).length;
  assert.equal(begun, 2, JSON.stringify(many.map((one) => one.status)));
});
