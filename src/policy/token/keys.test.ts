import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { ManualClock } from '../../kernel/clock.ts';
import { tokensConfig } from './config.ts';
import { type KeyRecord, makeKey, planKeys, SigningKeys } from './keys.ts';
import { BATCH, CREDENTIALS, DAY, house, ISSUER, MINUTE, PEPPER, SETTINGS } from './token.fixture.ts';

test('keys rotate: published before they sign, kept until what they signed has ended', async (t) => {
  const { send, clock, published, service } = await house(t, { rotateKeys: '30d', publishAhead: '1h' });
  const token = async () => (await send('/oauth/token', CREDENTIALS, BATCH)).told.access_token as string;
  const jwks = async () =>
    JSON.parse((await send('/oauth/jwks', undefined)).body) as { keys: { kid: string; d?: string }[] };
  const kidOf = (text: string) => decodeProtectedHeader(text).kid;
  const settle = async () => {
    // The timer of the service has fired; its work is done when this is.
    await service.configure(tokensConfig.parse({ ...SETTINGS }) as never, [PEPPER]);
  };
  const before = await token();
  assert.equal((await jwks()).keys.length, 1);
  clock.advance(30 * DAY - 30 * MINUTE);
  await settle();
  const ahead = await jwks();
  assert.equal(ahead.keys.length, 2);
  assert.ok(ahead.keys.every((key) => key.d === undefined));
  const last = await token();
  assert.equal(kidOf(last), kidOf(before), 'the old one signs until the new one is known everywhere');
  clock.advance(61 * MINUTE);
  await settle();
  const next = await token();
  assert.notEqual(kidOf(next), kidOf(before));
  const set = createLocalJWKSet((await jwks()) as never);
  await jwtVerify(next, set, { issuer: ISSUER, currentDate: new Date(clock.wall()) });
  await jwtVerify(last, set, { issuer: ISSUER, currentDate: new Date(clock.wall() - 61 * MINUTE) });
  clock.advance(40 * MINUTE);
  await settle();
  assert.deepEqual(
    (await jwks()).keys.map(({ kid }) => kid),
    [kidOf(next)],
  );
  assert.equal(published.length, 3);
});

test('the plan of keys: one signs at any time, and a new one is asked for once', () => {
  const schedule = { algorithm: 'ES256' as const, rotateKeys: 30 * DAY, publishAhead: DAY, lifetime: 30 * MINUTE };
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40 * DAY }), { maxLength: 60 }), (steps) => {
      const alike = makeKey(1, 'ES256', 0, PEPPER);
      let keys: KeyRecord[] = [];
      let now = 0;
      for (const step of steps) {
        now += step;
        const { nextFrom } = planKeys(keys, now, schedule);
        if (nextFrom !== undefined) keys = [...keys, { ...alike, sequence: keys.length + 1, signsFrom: nextFrom }];
        const { current, spent, nextFrom: another } = planKeys(keys, now, schedule);
        assert.equal(another, undefined);
        assert.ok(current !== undefined && !spent.includes(current));
        assert.ok(keys.length === 1 || nextFrom === undefined || nextFrom >= now + DAY);
        keys = keys.filter((key) => !spent.includes(key));
        // Sequences stay those of the row.
        keys = keys.map((key, i) => ({ ...key, sequence: i + 1 }));
      }
    }),
    { numRuns: 50 },
  );
});

test('another pepper: keys of the old one do not open, and a new one takes their place', async (t) => {
  const { send, service } = await house(t);
  const config = tokensConfig.parse(SETTINGS) as never;
  const kid = async () =>
    decodeProtectedHeader((await send('/oauth/token', CREDENTIALS, BATCH)).told.access_token as string).kid;
  const before = await kid();
  await service.configure(config, ['another pepper of more than 32 characters', PEPPER]);
  assert.equal(await kid(), before);
  await service.configure(config, ['a third pepper of more than 32 characters']);
  assert.notEqual(await kid(), before);
});

test('who asks while a key is made gets what is due at that time, not what was due when that began', async () => {
  const clock = new ManualClock();
  const kept: KeyRecord[] = [];
  let held: (() => void) | undefined;
  const store = {
    list: async () => ({ documents: kept.map((value) => ({ value })) }),
    write: async (writes: readonly { value: KeyRecord }[]) => {
      await new Promise<void>((done) => {
        held = done;
      });
      kept.push(...writes.map(({ value }) => value));
      return { ok: true };
    },
  };
  const published: number[] = [];
  const schedule = { algorithm: 'ES256' as const, rotateKeys: 30 * DAY, publishAhead: DAY, lifetime: 30 * MINUTE };
  const publish = (all: readonly unknown[]) => void published.push(all.length);
  const keys = new SigningKeys({ clock, store: store as never, publish, notice: () => {} }, schedule, [PEPPER]);
  const release = async () => {
    while (held === undefined) await new Promise((done) => setImmediate(done));
    held();
    held = undefined;
  };
  const first = keys.refresh();
  while (held === undefined) await new Promise((done) => setImmediate(done));
  clock.advance(29.5 * DAY);
  const [second, third] = [keys.refresh(), keys.refresh()];
  await release();
  await first;
  await release();
  await Promise.all([second, third]);
  assert.deepEqual(published, [1, 2], 'the next key is published ahead');
});
