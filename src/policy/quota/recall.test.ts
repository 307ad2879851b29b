/** What lies idle with one worker is there for the others when they want for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../kernel/clock.ts';
import { LocalAuthority } from './authority.ts';
import { run, SimulatedWorker } from './leases.fixture.ts';
import type { Authority } from './protocol.ts';
import { Recall } from './recall.ts';
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

/** Workers whose asks and recalls take up to `delayMost` ms; those in `deaf` hear no recall. */
function recalling(clock: ManualClock, limited: Rule, delayMost: number, deaf: readonly number[] = []) {
  const authority = new LocalAuthority(clock);
  authority.configure([limited]);
  const workers: SimulatedWorker[] = [];
  let rounds = 0;
  const recall = new Recall(clock, authority, (notes) => {
    rounds++;
    for (const { holder, leases } of workers) {
      if (deaf.includes(holder)) continue;
      clock.after(clock.random() * delayMost, () => {
        for (const note of notes) leases.recall(note);
      });
    }
  });
  const granting: Authority = {
    exchange: (holder, asks) => recall.exchange(holder, asks),
    gone: (holder) => authority.gone(holder),
  };
  const weather = { delayMost, loss: 0, timeout: 1000 };
  for (const holder of [1, 2, 3, 4]) workers.push(new SimulatedWorker(holder, clock, limited, granting, weather, []));
  return { workers, rounds: () => rounds, passed: () => workers.reduce((sum, { passed }) => sum + passed, 0) };
}

const calls: Rule = {
  name: 'calls',
  unit: 'requests',
  limit: 100,
  refill: { type: 'sliding', windowMs: 60_000 },
  known: true,
  scope: 'node',
  onStoreLoss: 'localShare',
};

test('of 400 calls exactly 100 pass, however they come to which workers', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const clock = new ManualClock(undefined, seed);
    const { workers, passed } = recalling(clock, calls, seed % 3 === 0 ? 0 : 8);
    let sent = 0;
    await run(clock, 5000, 5, () => {
      // Some have had their callers early; all others come to one.
      for (let i = Math.floor(clock.random() * 6); i > 0 && sent < 400; i--, sent++) {
        const near = sent < 45 ? Math.floor(sent / 15) : clock.random() < 0.02 ? 2 : 3;
        workers[near]?.request('k', { units: 1, used: 1, forMs: 0 });
      }
    });
    assert.equal(passed(), 100, `seed ${seed}`);
    const refused = workers.reduce((sum, worker) => sum + worker.refused, 0);
    assert.equal(refused, 300, `seed ${seed}`);
  }
});

test('who does not answer a recall holds up nobody for long', async () => {
  const clock = new ManualClock(undefined, 7);
  const { workers, passed, rounds } = recalling(clock, calls, 2, [1]);
  // Held by one that hears nothing.
  for (let i = 0; i < 60; i++) workers[0]?.request('k', { units: 1, used: 1, forMs: 20_000 });
  await run(clock, 50, 5, () => {});
  for (let i = 0; i < 60; i++) workers[1]?.request('k', { units: 1, used: 1, forMs: 20_000 });
  await run(clock, 300, 5, () => {});
  assert.equal(passed(), 100);
  assert.equal(workers[1]?.refused, 20);
  assert.ok(rounds() >= 1);
  // Nobody is asked again and again.
  const before = rounds();
  await run(clock, 2000, 5, () => workers[1]?.request('k', { units: 1, used: 1, forMs: 0 }));
  assert.ok(rounds() - before <= 11, `${rounds() - before} rounds`);
});
