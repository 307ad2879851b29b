import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import { upstreamConfig } from '../config.ts';
import type { Candidate } from './candidate.ts';
import { makeCandidates } from './candidates.fixture.ts';
import { LevelBalancer, type LevelState } from './levels.ts';

const configOf = (levels: object = {}, balance = 'roundRobin', panicThreshold = '0%') =>
  upstreamConfig.parse({ balance, levels, panicThreshold, endpoints: [{ url: 'http://127.0.0.1:1' }] });

interface Bench {
  clock: ManualClock;
  candidates: Candidate[];
  balancer: LevelBalancer;
  reports: LevelState[][];
  set(index: number, available: boolean): void;
  loads(): number[];
}

function bench(ranks: number[], levels: object = {}, balance = 'roundRobin'): Bench {
  const clock = new ManualClock();
  const weights = ranks.map(() => 1);
  const candidates = makeCandidates(weights);
  const reports: LevelState[][] = [];
  const balancer = new LevelBalancer(configOf(levels, balance), candidates, ranks, weights, clock, (states) =>
    reports.push(states),
  );
  return {
    clock,
    candidates,
    balancer,
    reports,
    set(index, available) {
      (candidates[index] as Candidate).available = available;
      balancer.changed();
    },
    loads: () => balancer.states().map(({ load }) => load),
  };
}

/** `up`: of each candidate; `ranks`: its level. What Envoy makes of it with this panic threshold. */
const PANICS: {
  what: string;
  ranks: number[];
  up: number[];
  threshold: string;
  panic: number[];
  loads: number[];
  picks: number[];
}[] = [
  {
    what: 'no panic while the levels together carry the load, however few are up in one of them',
    ranks: [0, 0, 0, 0, 1, 1],
    up: [1, 0, 0, 0, 1, 1],
    threshold: '50%',
    panic: [],
    loads: [0.35, 0.65],
    picks: [0, 4, 5],
  },
  {
    what: 'one level is in panic, the other is not: the first uses all of its endpoints for its share',
    ranks: [0, 0, 0, 0, 0, 1, 1, 1, 1, 1],
    up: [1, 0, 0, 0, 0, 1, 1, 0, 0, 0],
    threshold: '30%',
    panic: [0],
    loads: [1 / 3, 2 / 3],
    picks: [0, 1, 2, 3, 4, 5, 6],
  },
  {
    what: 'a level in panic with nothing up has no share, while another one has something',
    ranks: [0, 0, 1, 1],
    up: [0, 0, 1, 0],
    threshold: '40%',
    panic: [0],
    loads: [0, 1],
    picks: [2],
  },
  {
    what: 'all levels in panic: shares by numbers',
    ranks: [0, 0, 0, 1],
    up: [0, 0, 0, 0],
    threshold: '50%',
    panic: [0, 1],
    loads: [0.75, 0.25],
    picks: [0, 1, 2, 3],
  },
  {
    what: 'no threshold, no panic',
    ranks: [0, 0, 1],
    up: [0, 0, 0],
    threshold: '0%',
    panic: [],
    loads: [0, 0],
    picks: [],
  },
];

describe('panic with levels', () => {
  for (const { what, ranks, up, threshold, panic, loads, picks } of PANICS) {
    test(what, () => {
      const clock = new ManualClock();
      const weights = ranks.map(() => 1);
      const candidates = makeCandidates(weights);
      const config = configOf({}, 'roundRobin', threshold);
      const inPanic = new Set<number>();
      const balancer = new LevelBalancer(
        config,
        candidates,
        ranks,
        weights,
        clock,
        () => {},
        (level, on) => (on ? inPanic.add(level) : inPanic.delete(level)),
      );
      for (const [i, candidate] of candidates.entries()) candidate.available = up[i] === 1;
      balancer.changed();
      assert.deepEqual([...inPanic], panic);
      for (const [i, { load }] of balancer.states().entries()) assert.ok(Math.abs(load - (loads[i] ?? 9)) < 1e-9);
      const seen = new Set<number>();
      for (let i = 0; i < 300; i++) {
        const picked = balancer.pick(undefined, undefined);
        if (picked) seen.add(picked.index);
      }
      assert.deepEqual([...seen].sort(), picks);
      for (const candidate of candidates) candidate.available = true;
      balancer.changed();
      assert.deepEqual([...inPanic], [], 'it ends');
    });
  }
});

describe('the balancer over levels', () => {
  test('what agents say of weights moves load between levels', () => {
    const { candidates, balancer, loads } = bench([0, 0, 1]);
    const say = (index: number, share: number) => {
      Object.assign(candidates[index] as Candidate, { fullWeight: share, weight: share });
      balancer.changed();
    };
    say(0, 0.5);
    assert.deepEqual(loads(), [1, 0], 'three quarters carry it');
    say(1, 0.5);
    assert.deepEqual(
      loads().map((load) => load.toFixed(2)),
      ['0.70', '0.30'],
    );
    say(0, 0);
    assert.deepEqual(
      loads().map((load) => load.toFixed(2)),
      ['0.35', '0.65'],
    );
    say(1, 4);
    assert.deepEqual(
      balancer.states().map(({ healthyShare }) => healthyShare),
      [1, 1],
      'more than it was given makes up for others, and no more than all',
    );
  });

  test('all is well: the nearest level takes everything, whatever the policy', () => {
    for (const policy of ['roundRobin', 'leastRequests', 'random', 'hash']) {
      const { balancer } = bench([0, 1, 0, 2], {}, policy);
      for (let i = 0; i < 200; i++) assert.ok([0, 2].includes(balancer.pick(`k${i}`, undefined)?.index ?? -1));
    }
  });
  test('shares of picks follow the loads', () => {
    const { balancer, set } = bench([0, 0, 0, 0, 1, 1]);
    set(0, false);
    set(1, false);
    let local = 0;
    for (let i = 0; i < 20_000; i++) if ((balancer.pick(undefined, undefined)?.index ?? 9) < 4) local++;
    assert.ok(Math.abs(local / 20_000 - 0.7) < 0.02, `${local}`);
  });
  test('a hash key keeps its level', () => {
    const { balancer, set } = bench([0, 0, 1, 1], {}, 'hash');
    set(0, false);
    for (let i = 0; i < 100; i++) {
      const first = balancer.pick(`key ${i}`, undefined)?.index;
      assert.equal(balancer.pick(`key ${i}`, undefined)?.index, first);
    }
  });
  test('what was tried at one level is tried at the next', () => {
    const { balancer } = bench([0, 1, 1]);
    assert.equal(balancer.pick(undefined, undefined)?.index, 0);
    assert.ok([1, 2].includes(balancer.pick(undefined, [0])?.index ?? -1));
    assert.equal(balancer.pick(undefined, [0, 1, 2]), undefined);
  });
  test('fails over at once, fails back when the level has been well for a while', () => {
    const { clock, set, loads, reports } = bench([0, 0, 1, 1]);
    set(0, false);
    assert.deepEqual(
      loads().map((load) => load.toFixed(2)),
      ['0.70', '0.30'],
    );
    set(0, true);
    assert.deepEqual(
      loads().map((load) => load.toFixed(2)),
      ['0.70', '0.30'],
      'not yet',
    );
    clock.advance(9999);
    assert.deepEqual(
      loads().map((load) => load.toFixed(2)),
      ['0.70', '0.30'],
      'not yet',
    );
    clock.advance(1);
    assert.deepEqual(loads(), [1, 0]);
    assert.equal(reports.at(-1)?.[0]?.healthyShare, 1);
  });
  test('a relapse starts the wait again', () => {
    const { clock, set, loads } = bench([0, 0, 1, 1]);
    set(0, false);
    set(0, true);
    clock.advance(9000);
    set(0, false);
    set(0, true);
    clock.advance(9000);
    assert.ok((loads()[0] ?? 0) < 0.71);
    clock.advance(1000);
    assert.deepEqual(loads(), [1, 0]);
  });
  test('a rise that is smaller than the threshold is not worth moving for', () => {
    const { clock, set, loads } = bench([...Array(20).fill(0), 1], { failBackRise: '10%' });
    for (let i = 0; i < 10; i++) set(i, false);
    const before = loads();
    set(0, true);
    clock.advance(60_000);
    assert.deepEqual(loads(), before);
    set(1, true);
    clock.advance(60_000);
    assert.ok((loads()[0] ?? 0) > (before[0] ?? 0));
  });
  test('no caution where the others cannot carry the load', () => {
    const { set, loads } = bench([0, 0, 1, 1]);
    for (const i of [0, 1, 2, 3]) set(i, false);
    assert.deepEqual(loads(), [0, 0]);
    set(0, true);
    assert.deepEqual(loads(), [1, 0]);
  });
  test('whenever an endpoint is available one is picked; loads sum to one; a level gains at most once per wait', () => {
    const step = fc.record({ at: fc.nat(11), up: fc.boolean(), wait: fc.integer({ min: 0, max: 6000 }) });
    fc.assert(
      fc.property(
        fc.array(fc.nat(2), { minLength: 2, maxLength: 12 }),
        fc.array(step, { maxLength: 60 }),
        (given, steps) => {
          const order = [...new Set(given)].sort();
          const ranks = given.map((rank) => order.indexOf(rank));
          const { clock, candidates, balancer, set } = bench(ranks);
          const gainedAt = order.map(() => Number.NEGATIVE_INFINITY);
          let before = balancer.states();
          const look = () => {
            const now = balancer.states();
            const sum = now.reduce((total, { load }) => total + load, 0);
            assert.ok(Math.abs(sum - (candidates.some((one) => one.available) ? 1 : 0)) < 1e-6, `sum ${sum}`);
            // Where every level that counts could carry its load, the nearest gains only after its wait.
            const first = now[0] as LevelState;
            const carried = now.slice(1).some(({ healthyShare }) => healthyShare * 1.4 >= 1);
            if (first.load > (before[0]?.load ?? 0) + 1e-6 && carried) {
              assert.ok(clock.now() - (gainedAt[0] as number) >= 10_000 - 1e-6, 'it flaps');
              gainedAt[0] = clock.now();
            }
            before = now;
          };
          look();
          for (const { at, up, wait } of steps) {
            clock.advance(wait);
            look();
            set(at % candidates.length, up);
            look();
            const picked = balancer.pick(undefined, undefined);
            assert.equal(
              picked !== undefined,
              candidates.some((one) => one.available),
            );
            if (picked) assert.ok(picked.available);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
