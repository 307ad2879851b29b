import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import { LocalAuthority } from './authority.ts';
import { countedLeases, most, run, SimulatedWorker, type Use } from './leases.fixture.ts';
import type { Refill, Rule } from './rule.ts';

const ruleOf = (limit: number, refill: Refill, unit: Rule['unit'] = 'requests'): Rule => ({
  name: 'limit',
  unit,
  limit,
  refill,
  known: true,
  scope: 'shared',
  onStoreLoss: 'refuse',
});

const weather = fc.record({
  delayMost: fc.constantFrom(0, 1, 20, 300),
  loss: fc.constantFrom(0, 0, 0.1, 0.5),
  timeout: fc.constant(1000),
});

test('no interval has more than the limit, whatever the channel does and whoever dies', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 300 }),
      fc.constantFrom(1000, 5000),
      weather,
      fc.constantFrom(1, 7, 40),
      fc.constantFrom(0, 0, 30, 700),
      fc.constantFrom(0, 0.002),
      async (seed, count, limit, windowMs, channel, size, forMs, deaths) => {
        const clock = new ManualClock(undefined, seed);
        const rule = ruleOf(limit, { type: 'sliding', windowMs });
        const authority = new LocalAuthority(clock);
        authority.configure([rule]);
        const uses: Use[] = [];
        let holders = 0;
        const born = () => new SimulatedWorker(++holders, clock, rule, authority, channel, uses);
        const workers = Array.from({ length: count }, born);
        await run(clock, windowMs * 3, 10, () => {
          workers.forEach((worker, i) => {
            if (clock.random() < deaths) {
              worker.alive = false;
              clock.after(clock.random() * 50, () => authority.gone(worker.holder));
              workers[i] = born();
            } else if (clock.random() < 0.5) {
              const units = 1 + Math.floor(clock.random() * size);
              worker.request('k', {
                units,
                used: Math.floor(clock.random() * (units + 1)),
                forMs: forMs * clock.random(),
              });
            }
          });
        });
        uses.sort((a, b) => a.at - b.at);
        assert.ok(most(uses, windowMs) <= limit, `${most(uses, windowMs)} of ${limit}`);
      },
    ),
    { numRuns: 150 },
  );
});

test('a bucket gives at most its burst and what has come back since, in any interval', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 200 }),
      weather,
      async (seed, limit, burst, channel) => {
        const clock = new ManualClock(undefined, seed);
        const rule = ruleOf(limit, { type: 'bucket', windowMs: 1000, burst });
        const authority = new LocalAuthority(clock);
        authority.configure([rule]);
        const uses: Use[] = [];
        const workers = [1, 2, 3].map((i) => new SimulatedWorker(i, clock, rule, authority, channel, uses));
        await run(clock, 5000, 10, () => {
          for (const worker of workers) if (clock.random() < 0.7) worker.request('k', { units: 1, used: 1, forMs: 0 });
        });
        for (const length of [0.001, 10, 100, 1000, 3000]) {
          const bound = burst + (limit * length) / 1000;
          assert.ok(most(uses, length) <= bound + 1e-6, `${most(uses, length)} in ${length} ms of ${bound}`);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('permits: never more requests at once than allowed, and those of a dead worker come back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.integer({ min: 1, max: 20 }),
      weather,
      async (seed, limit, storm) => {
        const clock = new ManualClock(undefined, seed);
        const channel = { ...storm };
        const rule = ruleOf(limit, { type: 'held' }, 'concurrency');
        const authority = new LocalAuthority(clock);
        authority.configure([rule]);
        let holders = 0;
        const born = () => new SimulatedWorker(++holders, clock, rule, authority, channel, []);
        const workers = [born(), born(), born()];
        let dead = 0;
        let early = 0;
        const passed = () => dead + workers.reduce((sum, worker) => sum + worker.passed, 0);
        await run(clock, 12_000, 10, () => {
          const open = workers.reduce((sum, worker) => sum + worker.open, 0);
          assert.ok(open <= limit, `${open} of ${limit}`);
          workers.forEach((worker, i) => {
            if (clock.random() < 0.002) {
              worker.alive = false;
              dead += worker.passed;
              authority.gone(worker.holder);
              workers[i] = born();
            } else if (clock.random() < 0.5) {
              worker.request('k', { units: 1, used: 1, forMs: 1 + clock.random() * 500 });
            }
          });
          if (clock.now() === 6000) {
            early = passed();
            channel.loss = 0;
          }
        });
        assert.ok(passed() > early, 'requests still pass at the end');
      },
    ),
    { numRuns: 60 },
  );
});

test('under steady load beyond the limit at most a twentieth of it is left unused', async () => {
  for (const [limit, windowMs, workers] of [
    [200, 1000, 1],
    [200, 1000, 4],
    [1000, 1000, 4],
    [1000, 60_000, 4],
    [100, 10_000, 8],
  ] as const) {
    const clock = new ManualClock();
    const rule = ruleOf(limit, { type: 'sliding', windowMs });
    const authority = new LocalAuthority(clock);
    authority.configure([rule]);
    const uses: Use[] = [];
    const channel = { delayMost: 0.3, loss: 0, timeout: 1000 };
    const all = Array.from(
      { length: workers },
      (_, i) => new SimulatedWorker(i, clock, rule, authority, channel, uses),
    );
    const step = windowMs / 1000;
    const due = (limit / windowMs) * step * 1.5;
    let owed = 0;
    await run(clock, windowMs * 8, step, () => {
      for (owed += due; owed >= 1; owed--)
        all[Math.floor(clock.random() * workers)]?.request('k', { units: 1, used: 1, forMs: 0 });
    });
    const used = uses.filter(({ at }) => at >= windowMs * 2).length;
    const share = used / (limit * 6);
    assert.ok(share >= 0.95 && share <= 1.02, `${limit} per ${windowMs} ms, ${workers} workers: ${share}`);
    assert.ok(most(uses, windowMs) <= limit);
  }
});

test('of a burst on all workers at once exactly the limit passes', async () => {
  const clock = new ManualClock();
  const rule = ruleOf(100, { type: 'sliding', windowMs: 60_000 });
  const authority = new LocalAuthority(clock);
  authority.configure([rule]);
  const uses: Use[] = [];
  const channel = { delayMost: 1, loss: 0, timeout: 1000 };
  const all = [1, 2, 3, 4].map((i) => new SimulatedWorker(i, clock, rule, authority, channel, uses));
  await run(clock, 100, 1, () => {
    for (const worker of all) worker.request('k', { units: 1, used: 1, forMs: 0 });
  });
  assert.equal(uses.length, 100);
});

for (const [said, limit, windowMs, keys, perSecond, most] of [
  ['a large limit a second', 100_000, 1000, 2000, 4000, 0.05],
  ['a large limit a minute', 6_000_000, 60_000, 2000, 4000, 0.05],
  ['a usual limit a minute', 1000, 60_000, 200, 600, 0.35],
] as const)
  test(`keys that are seldom used, under ${said}: few requests ask the authority`, async () => {
    const clock = new ManualClock();
    const rule = ruleOf(limit, { type: 'sliding', windowMs });
    const { leases, owner, counted } = countedLeases(clock, rule);
    let passed = 0;
    const use = (key: string) => {
      const lease = leases.lease(owner, key);
      const retry = () => {
        if (leases.take([{ lease, units: 1, rule }], { retry }) !== undefined) return;
        passed++;
        leases.settle(lease, 1, 1);
      };
      retry();
    };
    let sent = 0;
    for (let ms = 0; ms < 60_000; ms += 10) {
      if (ms === 20_000) {
        counted.asked = 0;
        passed = 0;
      }
      for (const due = (ms * perSecond) / 1000; sent < due; sent++) use(`key${sent % keys}`);
      clock.advance(10);
      for (let i = 0; i < 4; i++) await null;
    }
    assert.ok(counted.asked <= passed * most, `${counted.asked} questions for ${passed} requests`);
  });
