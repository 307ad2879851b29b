/** Bytes that nobody knows before they have passed: requests side by side reserve what they may have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../kernel/clock.ts';
import { Events } from '../../kernel/event.ts';
import type { Exchange } from '../../kernel/exchange.ts';
import { LocalAuthority } from './authority.ts';
import { allRules } from './compile.ts';
import { limitsConfig } from './config.ts';
import type { Demand } from './demand.ts';
import { Quota } from './quota.ts';

const NOTHING = { tokens: 0, inputTokens: 0, outputTokens: 0, credits: 0 };
const exchangeOf = (tenant: string | undefined) =>
  ({
    identity: tenant === undefined ? undefined : { tenant },
    head: { known: () => undefined },
  }) as unknown as Exchange;
const settled = async () => {
  for (let i = 0; i < 20; i++) await null;
};

function start(bytes: string, workers = 4, key = 'resource') {
  const clock = new ManualClock();
  const limits = limitsConfig.parse([{ key, bytes }]);
  const authority = new LocalAuthority(clock);
  authority.configure(allRules({ limits, routes: [], plans: {}, tenants: {} }));
  const all = Array.from({ length: workers }, (_, holder) => {
    const quota = new Quota({ clock, events: new Events(), ask: async (asks) => authority.exchange(holder, asks) });
    return { quota, compiled: quota.compile({ limits, routes: [{ name: 'r', limits: [] }], plans: {}, tenants: {} }) };
  });
  /** So many at the same time, one worker after the other; those that were let in. */
  const enter = async (count: number, demand: Partial<Demand>, tenant?: string) => {
    const exchange = exchangeOf(tenant);
    const passed: ReturnType<Quota['admission']>[] = [];
    for (let i = 0; i < count; i++) {
      const { quota, compiled } = all[i % workers] as (typeof all)[number];
      const admission = quota.admission(
        quota.limitsFor(compiled, 0, exchange),
        exchange,
        { ...NOTHING, bytes: 1, ...demand },
        (exhausted) => exhausted ?? passed.push(admission),
      );
      if (admission.begin() === undefined) passed.push(admission);
    }
    await settled();
    return passed;
  };
  const end = async (passed: Awaited<ReturnType<typeof enter>>, bytes: number, answerBytes = 0) => {
    for (const one of passed) one.end({ ...NOTHING, bytes, answerBytes, answerWhole: true });
    await settled();
  };
  const pass = async (ms: number) => {
    for (let t = 0; t < ms; t += 100) {
      clock.advance(100);
      await settled();
    }
  };
  return { enter, end, pass };
}

test('of many bodies of unknown length side by side no more pass than the limit has room for', async () => {
  const { enter, end, pass } = start('10KiB/10s');
  const first = await enter(60, { bytesMost: 1 << 20 });
  assert.equal(first.length, 1);
  await end(first, 14_000);
  assert.equal((await enter(60, { bytesMost: 1 << 20 })).length, 0);
  await pass(30_000);
  const later = await enter(60, { bytesMost: 4096 });
  assert.ok(later.length >= 2 && later.length <= 3, `${later.length}`);
  // What they have not used is there for the next.
  await end(later, 100);
  await pass(1000);
  assert.ok((await enter(60, { bytesMost: 4096 })).length >= 2);
});

test('the bytes of answers are expected to be as the latest have been', async () => {
  const { enter, end, pass } = start('100KB/10s', 1);
  for (let i = 0; i < 6; i++) {
    const one = await enter(1, {});
    assert.equal(one.length, 1);
    await end(one, 14_000, 14_000);
    await pass(12_000);
  }
  const many = await enter(100, {});
  assert.ok(many.length >= 6 && many.length <= 8, `${many.length}`);
  await end(many, 500, 500);
  // Small ones are learnt as well, more slowly.
  for (let i = 0; i < 60; i++) {
    await end(await enter(1, {}), 500, 500);
    await pass(500);
  }
  await pass(12_000);
  const small = await enter(40, {});
  assert.equal(small.length, 40);
});

test('who fetches something large raises the reservations of nobody else', async () => {
  const { enter, end, pass } = start('1MB/10s', 2, 'tenant');
  for (let round = 0; round < 3; round++) {
    const many = await enter(20, {}, 'eve');
    assert.equal(many.length, 20, `round ${round}`);
    await end(many, 430, 430);
    await end(await enter(2, {}, 'ds'), 5_000_000, 5_000_000);
    await pass(1000);
  }
  const fresh = await enter(20, {}, 'new');
  assert.equal(fresh.length, 20);
});

test('what has the whole limit to itself passes, known or not', async () => {
  for (const demand of [{ bytes: 10_000 }, { bytes: 1, bytesMost: 64 << 20 }]) {
    const { enter, end, pass } = start('10KB/10s');
    for (let i = 0; i < 3; i++) {
      const one = await enter(1, demand);
      assert.equal(one.length, 1);
      await end(one, 10_000);
      await pass(12_000);
    }
  }
});
