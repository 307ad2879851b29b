/** What was used beyond a sliding limit counts in the windows that follow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import { LocalAuthority } from './authority.ts';
import { DEBT_WINDOWS, SlidingCounter, SlidingWindow } from './counter.ts';
import { most, type Use } from './leases.fixture.ts';
import type { LeaseAsk } from './protocol.ts';
import type { Rule } from './rule.ts';
import { newAccount, serveLease } from './shared/account.ts';
import type { StoreAsk } from './shared/terms.ts';

const WINDOW = 640;
const LIMIT = 100;
const counterOf = (limit = LIMIT) => new SlidingCounter(new SlidingWindow(limit, WINDOW));

test('in any k windows no more is used than k limits and what one window had overdrawn', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: DEBT_WINDOWS }),
      fc.array(
        fc.record({
          wait: fc.integer({ min: 0, max: WINDOW / 2 }),
          units: fc.integer({ min: 1, max: LIMIT }),
          times: fc.double({ min: 0, max: 1, noNaN: true }),
          ends: fc.nat(3),
        }),
        { minLength: 20, maxLength: 200 },
      ),
      (fold, steps) => {
        const counter = counterOf();
        const uses: Use[] = [];
        const open: { units: number; used: number }[] = [];
        let now = 1000;
        for (const { wait, units, times, ends } of steps) {
          now += wait;
          const granted = Math.min(units, Math.floor(counter.free(now)));
          if (granted > 0) {
            counter.hold(granted);
            open.push({ units: granted, used: Math.floor(granted * fold * times) });
          }
          for (let i = 0; i < ends && open.length > 0; i++) {
            const one = open.shift() as { units: number; used: number };
            counter.settle(one.units, one.used, now);
            uses.push({ at: now, units: one.used });
          }
        }
        for (const k of [1, 2, 3, 5, 10]) {
          const found = most(uses, WINDOW * k);
          assert.ok(found <= LIMIT * (k + fold - 1), `${found} in ${k} windows, ${fold}-fold`);
        }
        for (const { units, used } of open) counter.settle(units, used, now);
        assert.ok(counter.resetMs(now) <= (WINDOW + WINDOW / 64) * (DEBT_WINDOWS + 1));
        assert.ok(counter.empty(now + counter.resetMs(now)));
      },
    ),
    { numRuns: 300 },
  );
});

test('whoever overdraws each time gets as much as the limit in the long run, no more and hardly less', () => {
  for (const fold of [1, 1.1, 1.5, 3, 9]) {
    const counter = counterOf();
    let total = 0;
    for (let now = 0; now < WINDOW * 100; now += 10) {
      const units = Math.min(10, Math.floor(counter.free(now)));
      if (units < 1) continue;
      counter.hold(units);
      counter.settle(units, units * fold, now);
      total += units * fold;
    }
    assert.ok(total <= LIMIT * (100 + fold), `${total}, ${fold}-fold`);
    assert.ok(total >= LIMIT * 95, `${total}, ${fold}-fold`);
  }
});

test('what is told to wait for is when it is free, not before and not much later', () => {
  const spent = () => {
    const counter = counterOf();
    counter.hold(LIMIT);
    counter.settle(60, 60, 0);
    // 350 of 100: two windows of debts, and half of one.
    counter.settle(40, 290, 200);
    return counter;
  };
  let last = 0;
  for (const units of [1, 40, 50, 51, 100]) {
    const wait = spent().retryAfter(units, 210);
    assert.ok(wait >= last && wait > WINDOW * 2, `${units}: ${wait}`);
    last = wait;
    assert.ok(spent().free(210 + wait - 1) < units, `${units} before ${wait}`);
    assert.ok(spent().free(210 + wait) >= units, `${units} after ${wait}`);
  }
  assert.equal(spent().resetMs(210), last);
  assert.ok(spent().empty(210 + last));
});

test('what was held and comes back pays debts; use within what was reserved makes none', () => {
  const counter = counterOf();
  counter.hold(100);
  counter.settle(10, 150, 0);
  assert.equal(counter.free(0), -140);
  counter.settle(90, 0, 0);
  assert.equal(counter.free(0), -50);
  assert.equal(counter.free(WINDOW + 10), 50);
  // The limit was lowered meanwhile: what was granted before is no debt.
  const window = new SlidingWindow(LIMIT, WINDOW);
  const lowered = new SlidingCounter(window);
  lowered.hold(100);
  window.limit = 10;
  lowered.settle(100, 100, 0);
  assert.equal(lowered.free(0), -90);
  assert.equal(lowered.free(WINDOW + 10), 10);
  // What a key may use beyond the limit neither.
  const raised = counterOf();
  raised.hold(500);
  raised.settle(500, 510, 0, 400);
  assert.equal(raised.free(0), -410);
  assert.equal(raised.free(WINDOW + 10), 90);
});

test('beyond ten windows debts are forgotten', () => {
  const counter = counterOf();
  counter.hold(100);
  counter.settle(100, 1e9, 0);
  assert.equal(counter.free(0), -LIMIT * DEBT_WINDOWS);
  assert.ok(counter.empty((WINDOW + 10) * (DEBT_WINDOWS + 1)));
});

test('the supervisor and a shared store count debts alike', () => {
  const rule: Rule = {
    name: 'l',
    unit: 'tokens',
    limit: LIMIT,
    refill: { type: 'sliding', windowMs: WINDOW },
    known: true,
    scope: 'node',
    onStoreLoss: 'refuse',
  };
  const more = { windowMs: WINDOW, burst: 0, period: 0, left: 0, share: false, again: 0, known: -1, past: 0 };
  for (let seed = 1; seed < 40; seed++) {
    const clock = new ManualClock(undefined, seed);
    const pick = (n: number) => Math.floor(clock.random() * n);
    const authority = new LocalAuthority(clock);
    authority.configure([rule]);
    const sums = { epoch: 1, granted: 0, back: 0, used: 0 };
    let account: ReturnType<typeof newAccount> | undefined;
    for (let step = 0; step < 300; step++) {
      clock.advance(pick(8) === 0 ? pick(WINDOW * 3) : pick(20));
      const now = clock.now();
      const back = pick(sums.granted - sums.back + 1);
      sums.back += back;
      sums.used += pick(4) === 0 ? pick(400) : pick(back + 1);
      const need = pick(60);
      const least = Math.min(need, 1 + pick(30));
      const ask: LeaseAsk = {
        ...{ rule: 'l', key: 'k', ...sums, need, least, wish: pick(20) },
        ...{ heardBack: 0, heardUsed: 0, free: 0, home: '' },
      };
      const question: StoreAsk = { ...ask, ...more, type: 's', limit: LIMIT, forgiven: 0, age: -1, heard: 0 };
      account ??= newAccount(question, now);
      const [{ granted, retryAfterMs, free, resetMs }] = authority.exchange(1, [ask]) as [
        ReturnType<LocalAuthority['exchange']>[number],
      ];
      const stored = serveLease(account, 'n', question, now, 1e15, { missing: 0, boot: '', written: () => undefined });
      assert.deepEqual({ granted, retryAfterMs, free, resetMs }, stored, `seed ${seed} step ${step}`);
      sums.granted = granted;
    }
  }
});
