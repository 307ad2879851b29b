/** A pool after an upgrade: what workers of the process before us had in hand was written down as used when we began. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../kernel/clock.ts';
import { LocalAuthority } from './authority.ts';
import { holderBefore } from './handover.ts';
import { run } from './leases.fixture.ts';
import { PooledAuthority } from './pool.ts';
import type { LeaseAsk, LeaseGrant } from './protocol.ts';
import type { Rule } from './rule.ts';

const rule: Rule = {
  name: 'r',
  unit: 'requests',
  limit: 10,
  refill: { type: 'sliding', windowMs: 3_600_000 },
  known: true,
  scope: 'node',
  onStoreLoss: 'refuse',
};

const said = (more: Partial<LeaseAsk>): LeaseAsk => ({
  rule: 'r',
  key: 'k',
  epoch: 1,
  granted: 5,
  back: 2,
  used: 2,
  need: 0,
  least: 0,
  wish: 0,
  heardBack: 2,
  heardUsed: 2,
  free: 5,
  home: '',
  ...more,
});

test('what they had counts once', async () => {
  const clock = new ManualClock();
  const store = new LocalAuthority(clock);
  store.configure([rule]);
  const pool = new PooledAuthority(clock, async (asks) => store.exchange(0, asks));
  pool.configure([rule]);
  // Two were used, three were in hand.
  store.spend('r', 'k', 5);
  const holder = holderBefore(1);
  const exchange = async (more: Partial<LeaseAsk>): Promise<LeaseGrant> => {
    const grants = pool.exchange(holder, [said(more)]);
    await run(clock, 20_000, 50, () => {});
    return (await grants)[0] as LeaseGrant;
  };
  assert.equal((await exchange({ back: 3, used: 3 })).granted, 5);
  assert.equal((await exchange({ back: 5, used: 5 })).granted, 5);
  assert.equal(store.counted('r', 'k'), 5);
  assert.equal((await exchange({ back: 5, used: 5, need: 2, least: 1 })).granted, 7);
  await exchange({ granted: 7, back: 7, used: 7 });
  assert.equal(store.counted('r', 'k'), 7);
  pool.gone(holder);
  await run(clock, 20_000, 50, () => {});
  assert.equal(store.counted('r', 'k'), 7);
});

test('who decided meanwhile has granted what a worker says to have', async () => {
  const clock = new ManualClock();
  const store = new LocalAuthority(clock);
  store.configure([rule]);
  const pool = new PooledAuthority(clock, async (asks) => store.exchange(0, asks));
  pool.configure([rule]);
  const first = { granted: 0, back: 0, used: 0, heardBack: 0, heardUsed: 0 };
  const grants = pool.exchange(1, [said({ ...first, need: 2, least: 2 })]);
  await run(clock, 1000, 50, () => {});
  assert.equal((await grants)[0]?.granted, 2);
  const again = await pool.exchange(1, [said({ ...first, granted: 4, back: 3, used: 3 })]);
  assert.equal(again[0]?.granted, 4, 'it is never told less than it has');
  await run(clock, 20_000, 50, () => {});
  assert.equal(store.counted('r', 'k'), 4);
});
