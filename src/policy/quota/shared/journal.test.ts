import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../../kernel/clock.ts';
import { SimulatedWorker, type Use } from '../leases.fixture.ts';
import { PooledAuthority } from '../pool.ts';
import type { Refill, Rule } from '../rule.ts';
import { JournalStore } from './journal.ts';

const ruleOf = (limit: number, refill: Refill): Rule => ({
  name: 'limit',
  unit: 'requests',
  limit,
  refill,
  known: true,
  scope: 'shared',
  onStoreLoss: 'refuse',
});

test('whenever the process dies, and wherever its last line ends, a window has not more than the limit', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-journal-'));
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.integer({ min: 1, max: 150 }),
      fc.constantFrom<Refill>(
        { type: 'sliding', windowMs: 86_400_000 },
        { type: 'calendar', every: 'day', timeZone: 'UTC' },
      ),
      async (seed, limit, refill) => {
        const clock = new ManualClock(Date.UTC(2026, 5, 10, 1), seed);
        const path = join(folder, `${++runs}.jsonl`);
        const rule = ruleOf(limit, refill);
        const uses: Use[] = [];
        for (let life = 0; life < 4; life++) {
          const journal = new JournalStore(path, clock, () => {});
          journal.open();
          journal.configure([rule]);
          const pool = new PooledAuthority(clock, (asks) => journal.ask(asks));
          pool.configure([rule]);
          const channel = { delayMost: 2, loss: 0, timeout: 1000 };
          const workers = [1, 2].map((i) => new SimulatedWorker(i, clock, rule, pool, channel, uses));
          const steps = clock.random() * 200;
          for (let t = 0; t < steps; t++) {
            for (const worker of workers)
              if (clock.random() < 0.5) worker.request('k', { units: 1, used: 1, forMs: 0 });
            clock.advance(20);
            for (let i = 0; i < 8; i++) await null;
          }
          for (const worker of workers) worker.alive = false;
          journal.close();
          if (clock.random() < 0.5) appendFileSync(path, '["limit:{\\"type\\":\\"sli');
        }
        const used = uses.reduce((sum, { units }) => sum + units, 0);
        assert.ok(used <= limit, `${used} of ${limit}`);
      },
    ),
    { numRuns: 40 },
  );
  rmSync(folder, { recursive: true, force: true });
});

test('after a line that was cut off, what is written later is read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-journal-'));
  const path = join(folder, 'limits.jsonl');
  const clock = new ManualClock();
  const rule = ruleOf(10, { type: 'sliding', windowMs: 86_400_000 });
  const ask = { rule: 'limit', key: 'k', epoch: 1, granted: 0, back: 0, used: 0, need: 4, least: 1, wish: 0 };
  const more = { heardBack: 0, heardUsed: 0, free: 0, home: '' };
  const granted: number[] = [];
  for (let life = 0; life < 4; life++) {
    const journal = new JournalStore(path, clock, () => {});
    journal.open();
    journal.configure([rule]);
    granted.push((await journal.ask([{ ...ask, ...more }]))[0]?.granted ?? -1);
    journal.close();
    appendFileSync(path, '["limit');
  }
  assert.deepEqual(granted, [4, 4, 2, 0]);
  rmSync(folder, { recursive: true, force: true });
});

for (const refill of [
  { type: 'sliding', windowMs: 86_400_000 },
  { type: 'calendar', every: 'day', timeZone: 'UTC' },
] satisfies Refill[])
  test(`${refill.type}: strangers with ever new keys: memory is bounded, and nobody gets a limit anew by it`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-journal-'));
    const clock = new ManualClock(Date.UTC(2026, 5, 10, 1));
    const journal = new JournalStore(join(folder, 'limits.jsonl'), clock, () => {}, undefined, 200);
    const rule = { ...ruleOf(10, refill), known: false };
    journal.open();
    journal.configure([rule, { ...ruleOf(10, refill), name: 'known' }]);
    let epochs = 0;
    const use = async (key: string, units: number, of = 'limit') => {
      const none = { granted: 0, back: 0, used: 0, heardBack: 0, heardUsed: 0, free: 0, home: '' };
      const ask = { rule: of, key, epoch: ++epochs, need: units, least: 1, wish: 0, ...none };
      const granted = (await journal.ask([ask]))[0]?.granted ?? 0;
      await journal.ask([{ ...ask, granted, back: granted, used: granted, need: 0, least: 0 }]);
      return granted;
    };
    assert.equal(await use('a', 5), 5);
    assert.equal(await use('a', 5, 'known'), 5);
    for (let i = 0; i < 2000; i++) await use(`stranger${i}`, 1);
    assert.ok(journal.size <= 201, `${journal.size} accounts`);
    assert.equal(await use('a', 20), 5);
    assert.equal(await use('a', 20, 'known'), 5);
    clock.advance(25 * 3_600_000);
    assert.equal(await use('a', 20), 10);
    journal.close();
    rmSync(folder, { recursive: true, force: true });
  });
