/** Strangers that make up more keys than are kept: memory stays bounded, and no key gets more than its limit by it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import { LocalAuthority } from './authority.ts';
import { most, type Use } from './leases.fixture.ts';
import type { LeaseAsk } from './protocol.ts';
import { Remains } from './remains.ts';
import type { Refill, Rule } from './rule.ts';

const ruleOf = (limit: number, refill: Refill, known = false): Rule => ({
  name: 'limit',
  unit: refill.type === 'held' ? 'concurrency' : 'requests',
  limit,
  refill,
  known,
  scope: 'node',
  onStoreLoss: 'refuse',
});

/** A worker that asks for each unit and tells of it at once. */
class Worker {
  readonly #authority: LocalAuthority;
  readonly #holder: number;
  #epochs = 0;

  constructor(authority: LocalAuthority, holder = 1) {
    this.#authority = authority;
    this.#holder = holder;
  }

  /** Asks for one unit; whether it was granted. `keep`: it is held, not used. */
  use(key: string, keep = false): boolean {
    const ask: LeaseAsk = {
      rule: 'limit',
      key,
      epoch: ++this.#epochs,
      granted: 0,
      back: 0,
      used: 0,
      need: 1,
      least: 1,
      wish: 0,
      heardBack: 0,
      heardUsed: 0,
      free: 0,
      home: '',
    };
    const [grant] = this.#authority.exchange(this.#holder, [ask]);
    const granted = grant?.granted ?? 0;
    if (granted === 0) return false;
    if (!keep) this.#authority.exchange(this.#holder, [{ ...ask, granted, back: granted, used: granted, need: 0 }]);
    return true;
  }
}

const REFILLS: readonly Refill[] = [
  { type: 'sliding', windowMs: 6000 },
  { type: 'bucket', windowMs: 6000, burst: 8 },
];

for (const refill of REFILLS)
  test(`${refill.type}: no key has more than its limit, however many others there are`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 31 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 300 }),
        (seed, limit, maxKeys, keys) => {
          const clock = new ManualClock(undefined, seed);
          const authority = new LocalAuthority(clock, maxKeys);
          authority.configure([ruleOf(limit, refill)]);
          const worker = new Worker(authority);
          const uses = new Map<string, Use[]>();
          for (let i = 0; i < 2000; i++) {
            clock.advance(clock.random() * 20);
            const key = `key${Math.floor(clock.random() ** 3 * keys)}`;
            if (!worker.use(key)) continue;
            const own = uses.get(key) ?? [];
            own.push({ at: clock.now(), units: 1 });
            uses.set(key, own);
            assert.ok(authority.size <= maxKeys + 1, `${authority.size} accounts`);
          }
          for (const own of uses.values()) {
            if (refill.type === 'sliding') assert.ok(most(own, refill.windowMs) <= limit);
            else for (const ms of [1, 1000, 9000]) assert.ok(most(own, ms) <= 8 + (limit * ms) / 6000 + 1e-6);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

test('a day: what a key has used is remembered to its end, and no longer', () => {
  const clock = new ManualClock(Date.UTC(2026, 10, 1));
  const authority = new LocalAuthority(clock, 100);
  authority.configure([ruleOf(10, { type: 'calendar', every: 'day', timeZone: 'UTC' })]);
  const worker = new Worker(authority);
  for (let i = 0; i < 5; i++) assert.ok(worker.use('known'));
  for (let i = 0; i < 5000; i++) worker.use(`stranger${i}`);
  clock.advance(20 * 3_600_000);
  const passed = () => Array.from({ length: 20 }, () => worker.use('known')).filter(Boolean).length;
  assert.equal(passed(), 5);
  clock.advance(4 * 3_600_000);
  assert.equal(passed(), 10);
});

test('what is held is never dropped, and does not keep the rest from making room', () => {
  const clock = new ManualClock();
  const authority = new LocalAuthority(clock, 100);
  authority.configure([ruleOf(1, { type: 'sliding', windowMs: 60_000 })]);
  const worker = new Worker(authority);
  for (let i = 0; i < 50; i++) assert.ok(worker.use(`stream${i}`, true));
  for (let i = 0; i < 5000; i++) worker.use(`stranger${i}`);
  assert.ok(authority.size <= 101, `${authority.size} accounts`);
  const other = new Worker(authority, 2);
  for (let i = 0; i < 50; i++) assert.ok(!other.use(`stream${i}`));
});

test('accounts of known keys are forgotten when nothing is counted any more', () => {
  const clock = new ManualClock();
  const authority = new LocalAuthority(clock, 100);
  authority.configure([ruleOf(5, { type: 'sliding', windowMs: 1000 }, true)]);
  const worker = new Worker(authority);
  for (let i = 0; i < 20_000; i++) {
    clock.advance(1);
    assert.ok(worker.use(`key${i}`));
  }
  assert.ok(authority.size <= 2100, `${authority.size} accounts`);
  assert.equal(authority.evicted, 0);
});

test('of many standings the nearest to their limit', () => {
  const clock = new ManualClock();
  const authority = new LocalAuthority(clock);
  authority.configure([ruleOf(100, { type: 'sliding', windowMs: 60_000 })]);
  const worker = new Worker(authority);
  const counts = Array.from({ length: 300 }, (_, i) => ((i * 7) % 90) + 1);
  counts.forEach((count, i) => {
    for (let n = 0; n < count; n++) worker.use(`key${i}`);
  });
  const used = authority.standings(10).map(({ limit, free }) => limit - free);
  assert.deepEqual(used, counts.toSorted((a, b) => b - a).slice(0, 10));
});

test('never less is remembered than was kept', () => {
  const clock = new ManualClock(undefined, 7);
  const remains = new Remains(() => clock.random());
  const kept = new Map<string, number>();
  for (let i = 0; i < 200_000; i++) {
    const key = `key${Math.floor(clock.random() * 150_000)}`;
    const units = Math.max(kept.get(key) ?? 0, 1 + Math.floor(clock.random() * 5));
    kept.set(key, units);
    remains.keep(key, units, i, 1);
  }
  let more = 0;
  for (const [key, units] of kept) {
    const found = remains.of(key, 2).units;
    assert.ok(found >= units);
    if (found > units) more++;
  }
  assert.ok(more < kept.size, 'most of them exactly, or nearly');
  assert.deepEqual(remains.of([...kept.keys()][0] as string, 3), { units: 0, at: 0 });
});
