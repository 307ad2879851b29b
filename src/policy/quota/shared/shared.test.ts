import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../../kernel/clock.ts';
import { most, type Use } from '../leases.fixture.ts';
import type { Refill, Rule } from '../rule.ts';
import { SimulatedNode, SimulatedStore } from './nodes.fixture.ts';

const ruleOf = (
  limit: number,
  refill: Refill,
  onStoreLoss: Rule['onStoreLoss'],
  unit: Rule['unit'] = 'requests',
): Rule => ({
  name: 'limit',
  unit,
  limit,
  refill,
  known: true,
  scope: 'shared',
  onStoreLoss,
});

async function run(clock: ManualClock, ms: number, step: number, each: () => void): Promise<void> {
  for (let t = 0; t < ms; t += step) {
    each();
    clock.advance(step);
    for (let i = 0; i < 16; i++) await null;
  }
}

const near = { delayMost: 1, loss: 0, timeout: 1000 };

test('no interval has more than the limit, whatever dies, is cut off, delayed or lost', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 200 }),
      fc.constantFrom(2000, 15_000),
      fc.record({
        delayMost: fc.constantFrom(0, 2, 40, 200),
        loss: fc.constantFrom(0, 0, 0.05, 0.4),
        timeout: fc.constant(300),
      }),
      fc.constantFrom(1, 9),
      fc.constantFrom(0, 0, 0.001),
      fc.constantFrom(0, 0, 0.002),
      fc.constantFrom(0, 0, 0.003),
      async (seed, count, limit, windowMs, weather, size, deaths, cuts, jumps) => {
        const clock = new ManualClock(undefined, seed);
        const rule = ruleOf(limit, { type: 'sliding', windowMs }, 'refuse');
        const store = new SimulatedStore(clock, weather);
        const uses: Use[] = [];
        const born = () => new SimulatedNode(clock, rule, store, near, 2, uses);
        const nodes = Array.from({ length: count }, born);
        await run(clock, windowMs * 3, 20, () => {
          // Of the store's clock, and by more than what a clock is set right by. Ahead it drops keys too early: then only the node
          // that has used them knows, so it must be the only one, and live.
          const back = count > 1 || deaths > 0 || clock.random() < 0.5;
          if (clock.random() < jumps) store.ahead += (back ? -1 : 1) * (120_000 + clock.random() * 4e6);
          nodes.forEach((node, i) => {
            if (clock.random() < deaths) {
              node.kill();
              nodes[i] = born();
            }
            if (clock.random() < cuts) {
              node.cut = true;
              clock.after(clock.random() * 20_000, () => {
                node.cut = false;
              });
            }
            if (clock.random() < deaths) node.killWorker(clock, 0);
            for (const worker of node.workers) {
              if (clock.random() > 0.6) continue;
              const units = 1 + Math.floor(clock.random() * size);
              worker.request('k', { units, used: Math.floor(clock.random() * (units + 1)), forMs: 0 });
            }
          });
        });
        for (const node of nodes) node.kill();
        uses.sort((a, b) => a.at - b.at);
        assert.ok(most(uses, windowMs) <= limit, `${most(uses, windowMs)} of ${limit}`);
      },
    ),
    { numRuns: 60 },
  );
});

test('under steady load beyond the limit at most a twentieth of it is left unused', async () => {
  for (const [limit, windowMs, count] of [
    [200, 1000, 1],
    [200, 1000, 2],
    [1000, 1000, 3],
    [600, 60_000, 3],
    [60, 10_000, 4],
  ] as const) {
    const clock = new ManualClock();
    const rule = ruleOf(limit, { type: 'sliding', windowMs }, 'refuse');
    const store = new SimulatedStore(clock, { delayMost: 0.5, loss: 0, timeout: 300 });
    const uses: Use[] = [];
    const nodes = Array.from(
      { length: count },
      () => new SimulatedNode(clock, rule, store, { ...near, delayMost: 0.3 }, 2, uses),
    );
    const step = windowMs / 1000;
    const due = (limit / windowMs) * step * 1.5;
    let owed = 0;
    await run(clock, windowMs * 8, step, () => {
      for (owed += due; owed >= 1; owed--) {
        const node = nodes[Math.floor(clock.random() * count)];
        node?.workers[clock.random() < 0.5 ? 0 : 1]?.request('k', { units: 1, used: 1, forMs: 0 });
      }
    });
    for (const node of nodes) node.kill();
    const share = uses.filter(({ at }) => at >= windowMs * 2).length / (limit * 6);
    assert.ok(share >= 0.95 && share <= 1.02, `${limit} per ${windowMs} ms, ${count} nodes: ${share}`);
    assert.ok(most(uses, windowMs) <= limit);
  }
});

test('without the store nodes spend their part, and with it again never more than the limit', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 4, max: 200 }),
      fc.constantFrom(1000, 4000),
      fc.boolean(),
      async (seed, count, limit, windowMs, loses) => {
        const clock = new ManualClock(undefined, seed);
        const rule = ruleOf(limit, { type: 'sliding', windowMs }, 'localShare');
        const store = new SimulatedStore(clock, { delayMost: 2, loss: 0, timeout: 300 });
        const uses: Use[] = [];
        const nodes = Array.from({ length: count }, () => new SimulatedNode(clock, rule, store, near, 2, uses));
        const load = () => {
          for (const { workers } of nodes)
            for (const worker of workers)
              for (let i = 0; i < limit / 40; i++)
                if (clock.random() < 0.5) worker.request('k', { units: 1, used: 1, forMs: 0 });
        };
        await run(clock, 4000, 20, load);
        store.down = true;
        const lostAt = clock.now();
        await run(clock, 5000 + windowMs * 3, 20, load);
        const alone = uses.filter(({ at }) => at > lostAt + 4000 + windowMs).length;
        assert.ok(alone >= Math.floor(limit / count), 'the parts are spent');
        if (loses) store.lose();
        store.down = false;
        await run(clock, windowMs * 3, 20, load);
        for (const node of nodes) node.kill();
        assert.ok(most(uses, windowMs) <= limit, `${most(uses, windowMs)} of ${limit}`);
      },
    ),
    { numRuns: 40 },
  );
});

test('one node that is cut off spends its part, which the others leave to it', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const clock = new ManualClock(undefined, seed);
    const [limit, windowMs] = [100, 2000];
    const rule = ruleOf(limit, { type: 'sliding', windowMs }, 'localShare');
    const store = new SimulatedStore(clock, { delayMost: 2, loss: 0, timeout: 300 });
    const uses: Use[] = [];
    const nodes = [1, 2].map(() => new SimulatedNode(clock, rule, store, near, 2, uses));
    const load = () => {
      for (const { workers } of nodes)
        for (const worker of workers) worker.request('k', { units: 1, used: 1, forMs: 0 });
    };
    await run(clock, 4000, 20, load);
    const [first] = nodes as [SimulatedNode];
    first.cut = true;
    await run(clock, 20_000, 20, load);
    first.cut = false;
    await run(clock, 6000, 20, load);
    for (const node of nodes) node.kill();
    assert.ok(most(uses, windowMs) <= limit, `${most(uses, windowMs)} of ${limit}, seed ${seed}`);
  }
});

test('permits: never more at once than allowed, and those of a dead node come back', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const clock = new ManualClock(undefined, seed);
    const rule = ruleOf(6, { type: 'held' }, 'refuse', 'concurrency');
    const store = new SimulatedStore(clock, { delayMost: 5, loss: 0.02, timeout: 300 });
    const born = () => new SimulatedNode(clock, rule, store, near, 2, []);
    const nodes = [born(), born()];
    const workers = () => nodes.flatMap((node) => node.workers);
    const load = () => {
      const open = workers().reduce((sum, worker) => sum + worker.open, 0);
      assert.ok(open <= 6, `${open} of 6`);
      for (const worker of workers())
        if (clock.random() < 0.5) worker.request('k', { units: 1, used: 1, forMs: clock.random() * 400 });
    };
    await run(clock, 5000, 20, load);
    nodes.shift()?.kill();
    await run(clock, 12_000, 20, load);
    const passed = () => workers().reduce((sum, worker) => sum + worker.passed, 0);
    const before = passed();
    let busiest = 0;
    await run(clock, 5000, 20, () => {
      load();
      busiest = Math.max(
        busiest,
        workers().reduce((sum, worker) => sum + worker.open, 0),
      );
    });
    for (const node of nodes) node.kill();
    assert.ok(passed() > before);
    assert.equal(busiest, 6);
  }
});

test("the store's clock may jump: neither a flood nor a freeze", async () => {
  for (const jump of [3_600_000, -3_600_000]) {
    const clock = new ManualClock();
    const [limit, windowMs] = [50, 2000];
    const store = new SimulatedStore(clock, { delayMost: 1, loss: 0, timeout: 300 });
    const uses: Use[] = [];
    const rule = ruleOf(limit, { type: 'sliding', windowMs }, 'refuse');
    const node = new SimulatedNode(clock, rule, store, near, 2, uses);
    const load = () => {
      for (const worker of node.workers) worker.request('k', { units: 1, used: 1, forMs: 0 });
    };
    await run(clock, 5000, 20, load);
    store.ahead = jump;
    const at = clock.now();
    await run(clock, 8000, 20, load);
    node.kill();
    assert.ok(most(uses, windowMs) <= limit);
    assert.ok(uses.filter((use) => use.at > at).length >= limit * 3, 'it goes on');
  }
});
