/** What requests leave of their reservations: with the next request here while nobody misses it, with the others when they may. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import { LocalAuthority } from './authority.ts';
import { countedLeases, most, run, SimulatedWorker, type Use } from './leases.fixture.ts';
import type { Rule } from './rule.ts';

const ruleOf = (limit: number): Rule => ({
  name: 'tokens',
  unit: 'tokens',
  limit,
  refill: { type: 'sliding', windowMs: 60_000 },
  known: true,
  scope: 'shared',
  onStoreLoss: 'refuse',
});

/** A prompt, and far more output allowed than is used. */
const RESERVED = 4300;
const USED = 500;

test('while half of a limit is free, few requests ask the authority, though each reserves much and uses little', async () => {
  const clock = new ManualClock();
  const rule = ruleOf(100_000);
  const { leases, owner, counted } = countedLeases(clock, rule);
  let passed = 0;
  for (let sent = 0; sent < 2000; sent++) {
    const lease = leases.lease(owner, `key${sent % 20}`);
    const claims = [{ lease, units: RESERVED, rule }];
    const retry = () => {
      if (leases.take(claims, { retry }) !== undefined) return;
      passed++;
      leases.settle(lease, RESERVED, USED);
    };
    retry();
    clock.advance(50);
    for (let i = 0; i < 4; i++) await null;
  }
  assert.equal(passed, 2000);
  assert.ok(counted.asked < passed * 0.7, `${counted.asked} questions for ${passed} requests`);
});

test('reservations that are far too large never let more through than the limit, and little of it lies idle', async () => {
  for (const [limit, workers] of [
    [100_000, 1],
    [100_000, 4],
    [1_000_000, 4],
    [1_000_000, 8],
  ] as const) {
    const clock = new ManualClock();
    const rule = ruleOf(limit);
    const authority = new LocalAuthority(clock);
    authority.configure([rule]);
    const uses: Use[] = [];
    const channel = { delayMost: 0.3, loss: 0, timeout: 1000 };
    const all = Array.from(
      { length: workers },
      (_, i) => new SimulatedWorker(i, clock, rule, authority, channel, uses),
    );
    // Half as much again as the limit, steadily.
    const step = 60;
    const due = (limit / 60_000) * step * 1.5;
    let owed = 0;
    await run(clock, 60_000 * 5, step, () => {
      for (owed += due; owed >= USED; owed -= USED)
        all[Math.floor(clock.random() * workers)]?.request('k', { units: RESERVED, used: USED, forMs: 20 });
    });
    const used = uses.filter(({ at }) => at >= 120_000).reduce((sum, { units }) => sum + units, 0);
    const share = used / (limit * 3);
    // A request needs its whole reservation free, and then some are under way.
    const open = (RESERVED * 2) / limit;
    assert.ok(share >= 0.95 - open && share <= 1.02, `${limit} and ${workers} workers: ${share}`);
    assert.ok(most(uses, 60_000) <= limit);
  }
});

test('what lies idle with one worker is there for another within a quarter of a minute, and no interval has more than the limit', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 90_000 }), async (first, units) => {
      const clock = new ManualClock();
      const rule = ruleOf(100_000);
      const authority = new LocalAuthority(clock);
      authority.configure([rule]);
      const uses: Use[] = [];
      const channel = { delayMost: 1, loss: 0, timeout: 1000 };
      const [one, other] = [1, 2].map((holder) => new SimulatedWorker(holder, clock, rule, authority, channel, uses));
      for (let i = 0; i < first; i++) {
        one?.request('k', { units: RESERVED, used: USED, forMs: 30 });
        await run(clock, 40, 10, () => {});
      }
      // A client that is refused comes again.
      for (let tries = 0; tries < 150 && other?.passed === 0; tries++) {
        other?.request('k', { units, used: units, forMs: 0 });
        await run(clock, 100, 10, () => {});
      }
      const free = 100_000 - first * USED;
      // A little may lie idle for longer.
      if (units <= free - 100_000 / 16) assert.equal(other?.passed, 1, `${units} of ${free}`);
      assert.ok(most(uses, 60_000) <= 100_000);
    }),
    { numRuns: 40 },
  );
});
