/** What lies idle with one worker is there for the others when they want for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../kernel/clock.ts';
import { LocalAuthority } from './authority.ts';
import { run, SimulatedWorker } from './leases.fixture.ts';
import type { Rule } from './rule.ts';

const rule: Rule = {
  name: 'budget:small',
  unit: 'credits',
  limit: 3_000_000,
  refill: { type: 'calendar', every: 'day', timeZone: 'UTC' },
  known: true,
  scope: 'node',
  onStoreLoss: 'localShare',
  budget: { key: ['resource'], alerts: [1], only: {} },
};

test('a small budget is spent to the end, whichever worker is asked', async () => {
  for (const order of [
    [0, 1],
    [0, 0, 1],
    [1, 0, 0],
  ]) {
    const clock = new ManualClock();
    const authority = new LocalAuthority(clock);
    authority.configure([rule]);
    const still = { delayMost: 0, loss: 0, timeout: 1000 };
    const workers = [1, 2].map((holder) => new SimulatedWorker(holder, clock, rule, authority, still, []));
    const passed = () => workers.reduce((sum, worker) => sum + worker.passed, 0);
    let i = 0;
    for (; i < 100 && passed() < 3; i++) {
      workers[order[i % order.length] as number]?.request('k', { units: 1_000_000, used: 1_000_000, forMs: 5 });
      await run(clock, 1000, 10, () => {});
    }
    assert.equal(passed(), 3, `of ${i}`);
    assert.ok(i <= 5, `${i} tries for ${order}`);
  }
});

test('a worker that dies takes little of a long window with it', async () => {
  const { budget: _, ...terms } = rule;
  const requests: Rule = { ...terms, name: 'long', unit: 'requests', limit: 10_000 };
  const clock = new ManualClock();
  const authority = new LocalAuthority(clock);
  authority.configure([requests]);
  const still = { delayMost: 0, loss: 0, timeout: 1000 };
  let lost = 0;
  let passed = 0;
  for (let holder = 1; holder <= 8; holder++) {
    const worker = new SimulatedWorker(holder, clock, requests, authority, still, []);
    // Twenty in a second, and not always as long.
    await run(clock, 25_000 + holder * 1234, 50, () => worker.request('k', { units: 1, used: 1, forMs: 0 }));
    worker.alive = false;
    authority.gone(holder);
    passed += worker.passed;
    lost = authority.counted('long', 'k') - passed;
  }
  // What it has in hand for the next seconds; mostly less.
  assert.ok(lost >= 0 && lost <= 8 * 4 * 20, `${lost} beside ${passed}`);
});
