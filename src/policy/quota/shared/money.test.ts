/** Budgets of several nodes in simulated time, whatever dies, is cut off, delayed or lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../../kernel/clock.ts';
import type { Rule } from '../rule.ts';
import { SimulatedStore } from './nodes.fixture.ts';
import { SimulatedLedger, Spender } from './purse.fixture.ts';

const HOUR = 3_600_000;

const ruleOf = (limit: number, onStoreLoss: Rule['onStoreLoss']): Rule => ({
  name: 'budget:all',
  unit: 'credits',
  limit,
  refill: { type: 'calendar', every: 'hour', timeZone: 'UTC' },
  known: true,
  scope: 'shared',
  onStoreLoss,
  budget: { key: ['resource'], alerts: [], only: {} },
});

async function run(clock: ManualClock, ms: number, step: number, each: () => void): Promise<void> {
  for (let t = 0; t < ms; t += step) {
    each();
    clock.advance(step);
    for (let i = 0; i < 24; i++) await null;
  }
}

const near = { delayMost: 1, loss: 0, timeout: 1000 };
const calm = { delayMost: 2, loss: 0, timeout: 300 };

/** Some nodes at `minute` past the hour. */
function town(rule: Rule, count: number, weather = calm, seed = 1, minute = 5) {
  const clock = new ManualClock(undefined, seed);
  const into = clock.wall() % HOUR;
  clock.advance(HOUR - into + minute * 60_000);
  const store = new SimulatedStore(clock, weather);
  const ledger = new SimulatedLedger();
  const born = () => new Spender(clock, rule, store, ledger, near);
  const all = Array.from({ length: count }, born);
  return { clock, store, ledger, born, all, living: [...all], startedAt: clock.wall() - minute * 60_000 };
}

const workersOf = (spenders: readonly Spender[]) => spenders.flatMap(({ node }) => node.workers);

test('spent is never more than the budget while the store keeps its data, however late the ledger is', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(2000, 20_000, 200_000),
      fc.record({
        delayMost: fc.constantFrom(2, 40, 200),
        loss: fc.constantFrom(0, 0, 0.05, 0.3),
        timeout: fc.constant(300),
      }),
      fc.constantFrom(0, 0.0005, 0.002),
      fc.constantFrom(0, 0.002),
      fc.constantFrom(0, 0.001, 0.01),
      fc.constantFrom(5, 50),
      async (seed, count, limit, weather, deaths, cuts, stalls, minute) => {
        const { clock, store, ledger, born, all, living, startedAt } = town(
          ruleOf(limit, 'refuse'),
          count,
          weather,
          seed,
          minute,
        );
        await run(clock, 15 * 60_000, 200, () => {
          living.forEach((spender, i) => {
            if (clock.random() < deaths) {
              spender.kill();
              living[i] = born();
              all.push(living[i] as Spender);
            }
            if (clock.random() < deaths) spender.killWorker(0);
            if (clock.random() < stalls) spender.stall(clock.random() * 120_000);
            if (clock.random() < cuts) {
              spender.node.cut = true;
              clock.after(clock.random() * 60_000, () => {
                spender.node.cut = false;
              });
            }
            for (const worker of spender.node.workers) {
              if (clock.random() > 0.2) continue;
              const units = 1 + Math.floor((clock.random() * limit) / 100);
              const used = Math.floor(clock.random() * (units + 1));
              worker.request('*', { units, used, forMs: clock.random() < 0.5 ? 0 : clock.random() * 20_000 });
            }
          });
        });
        store.down = true;
        for (const spender of living) spender.kill();
        for (const spender of all) spender.push();
        for (const from of [startedAt, startedAt + HOUR]) {
          const sum = ledger.sum(from, from + HOUR);
          assert.ok(sum <= limit, `${sum} of ${limit}`);
        }
      },
    ),
    { numRuns: 10 },
  );
});

test('a dead node gives back no more than it had left, though the ledger of another is far behind', async () => {
  const limit = 100_000;
  const { clock, ledger, living, all } = town(ruleOf(limit, 'refuse'), 2);
  const [first, second] = living as [Spender, Spender];
  const load = (of: Spender, units: number) => () => {
    for (const worker of workersOf([of])) worker.request('*', { units, used: units, forMs: 0 });
  };
  await run(clock, 2000, 20, () => {});
  for (let i = 0; i < 3; i++)
    first.node.workers[0]?.request('*', { units: limit / 10, used: limit / 10, forMs: 60_000 });
  await run(clock, 2000, 20, load(second, 100));
  // What it spends is told to the store from here on, and is in the ledger much later.
  second.stall(90_000);
  await run(clock, 2000, 20, load(second, 100));
  first.kill(0.2);
  first.push();
  first.node.bury();
  await run(clock, 85_000, 100, load(second, 400));
  for (const spender of all) spender.push();
  assert.ok(ledger.sum(0) <= limit, `${ledger.sum(0)} of ${limit}`);
  await run(clock, 60_000, 100, load(second, 400));
  for (const spender of all) spender.push();
  assert.ok(
    ledger.sum(0) <= limit && ledger.sum(0) > limit - 1000,
    `${ledger.sum(0)} of ${limit}: the rest comes back`,
  );
});

test('what a dead node held comes back, but for what it had spent; and when it comes back, at once', async () => {
  const limit = 100_000;
  for (const dies of [true, false]) {
    const { clock, ledger, living, startedAt } = town(ruleOf(limit, 'refuse'), 2);
    const [first, second] = living as [Spender, Spender];
    await run(clock, 2000, 20, () => {});
    // Half of the budget is reserved where it dies, or is cut off; less than that is spent in the end.
    for (let i = 0; i < 5; i++)
      first.node.workers[0]?.request('*', { units: limit / 10, used: limit / 20, forMs: 30_000 });
    await run(clock, 3000, 20, () => {});
    if (dies) first.kill(0.5);
    else {
      first.node.cut = true;
      clock.after(60_000, () => {
        first.node.cut = false;
      });
    }
    const load = () => {
      for (const worker of workersOf([second])) worker.request('*', { units: 100, used: 100, forMs: 0 });
    };
    const passed = () => workersOf([second]).reduce((sum, worker) => sum + worker.written, 0);
    await run(clock, 30_000, 50, load);
    assert.ok(
      passed() <= limit / 2 && passed() > limit / 2 - 1000,
      `${passed()}: what it held is spent by nobody else`,
    );
    await run(clock, dies ? 14 * 60_000 : 90_000, 100, load);
    const all = ledger.sum(startedAt);
    assert.ok(all <= limit && all > limit - 1000, `${all} of ${limit}`);
  }
});

test('what a node that is cut off may still be spending counts in the period that follows as well', async () => {
  const limit = 100_000;
  const { clock, ledger, living, startedAt } = town(ruleOf(limit, 'refuse'), 2, calm, 1, 59);
  const [first, second] = living as [Spender, Spender];
  await run(clock, 2000, 20, () => {});
  for (let i = 0; i < 4; i++)
    first.node.workers[0]?.request('*', { units: limit / 10, used: limit / 20, forMs: 100_000 });
  await run(clock, 3000, 20, () => {});
  first.node.cut = true;
  const load = () => {
    for (const worker of workersOf([second])) worker.request('*', { units: 400, used: 400, forMs: 0 });
  };
  // They end in the next period.
  await run(clock, 120_000, 100, load);
  const next = startedAt + HOUR;
  assert.ok(
    ledger.sum(next) <= limit && ledger.sum(next) > limit - limit / 5 - 1000,
    `${ledger.sum(next)} of ${limit}`,
  );
  // Whoever is there again has it again, and gives back what it has not used.
  first.node.cut = false;
  await run(clock, 60_000, 100, load);
  assert.ok(ledger.sum(next) <= limit && ledger.sum(next) > limit - 1000, `${ledger.sum(next)} of ${limit}`);
});

test('nothing is counted twice: reservations that are too small, nodes that come and go, quiet times', async () => {
  const limit = 10_000_000;
  const { clock, ledger, born, living, startedAt } = town(ruleOf(limit, 'refuse'), 2);
  await run(clock, 15 * 60_000, 100, () => {
    const minute = Math.floor(clock.wall() / 60_000);
    // Every other minute only one of them is asked.
    const asked = minute % 4 === 0 ? living.slice(0, 1) : minute % 4 === 2 ? [] : living;
    if (clock.random() < 0.0005) living.push(born());
    for (const worker of workersOf(asked)) {
      if (clock.random() > 0.3) continue;
      const units = 1 + Math.floor(clock.random() * 1000);
      worker.request('*', { units, used: Math.floor(units * clock.random() * 2), forMs: clock.random() * 3000 });
    }
  });
  await run(clock, 20_000, 100, () => {});
  for (const worker of workersOf(living)) worker.request('*', { units: 1, used: 1, forMs: 0 });
  await run(clock, 20_000, 100, () => {});
  const counted = Math.max(...living.map(({ node }) => node.store.usedOf('budget:all', '*')));
  assert.ok(ledger.sum(startedAt) > limit / 10);
  assert.equal(counted, ledger.sum(startedAt));
});

test('when the store has lost its data, no more is spent beyond than the ledger had not heard', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(0, 0.001),
      fc.integer({ min: 0, max: 15_000 }),
      async (seed, count, deaths, downMs) => {
        const limit = 100_000;
        const { clock, store, ledger, born, all, living, startedAt } = town(ruleOf(limit, 'refuse'), count, calm, seed);
        const load = () => {
          living.forEach((spender, i) => {
            if (clock.random() < deaths) {
              spender.kill();
              living[i] = born();
              all.push(living[i] as Spender);
            }
            for (const worker of spender.node.workers) {
              if (clock.random() > 0.3) continue;
              const units = 1 + Math.floor(clock.random() * 200);
              worker.request('*', {
                units,
                used: Math.floor(clock.random() * (units + 1)),
                forMs: clock.random() * 2000,
              });
            }
          });
        };
        await run(clock, 60_000 + clock.random() * 60_000, 100, load);
        // What is not in the ledger, and what the nodes may spend of what they have.
        const held = living.reduce((sum, { node }) => sum + node.pool.held, 0);
        const unheard = all.reduce((sum, spender) => sum + spender.unpushed, 0) + held;
        store.down = true;
        await run(clock, downMs, 100, load);
        store.lose();
        store.down = false;
        await run(clock, 4 * 60_000, 100, load);
        store.down = true;
        for (const spender of living) spender.kill();
        for (const spender of all) spender.push();
        const sum = ledger.sum(startedAt);
        assert.ok(sum <= limit + unheard, `${sum} of ${limit} and ${unheard}`);
      },
    ),
    { numRuns: 10 },
  );
});

test('without the store nodes spend their part of what was left, and with it again no more than the budget', async () => {
  for (const loses of [false, true]) {
    const limit = 100_000;
    const { clock, store, ledger, living, startedAt } = town(ruleOf(limit, 'localShare'), 2);
    const load = (units: number) => () => {
      for (const worker of workersOf(living)) worker.request('*', { units, used: units, forMs: 0 });
    };
    await run(clock, 20_000, 50, load(20));
    await run(clock, 12_000, 50, () => {});
    const before = ledger.sum(startedAt);
    assert.ok(before > limit / 10 && before < limit / 2);
    store.down = true;
    await run(clock, 120_000, 50, load(100));
    const alone = ledger.sum(startedAt);
    assert.ok(alone <= limit && alone > limit - 2000, `${alone} of ${limit}`);
    if (loses) store.lose();
    store.down = false;
    await run(clock, 60_000, 50, load(100));
    assert.ok(ledger.sum(startedAt) <= limit);
  }
});
