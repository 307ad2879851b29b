import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import { upstreamConfig } from '../config.ts';
import { createBalancer, hashSource } from './balance.ts';
import { isEligible } from './candidate.ts';
import { makeCandidates } from './candidates.fixture.ts';
import { pickInPanic } from './panic.ts';
import { effectiveWeight } from './slowstart.ts';

const configOf = (balance: unknown) =>
  upstreamConfig.parse({ balance, endpoints: [{ url: 'http://127.0.0.1:1' }] }).balance;
const POLICIES = ['roundRobin', 'leastRequests', 'random', 'hash', { policy: 'hash', on: 'model', boundedLoad: '0%' }];

const state = fc.record({
  weight: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.double({ min: 0, max: 1000, noNaN: true })),
  inflight: fc.integer({ min: 0, max: 50 }),
  available: fc.boolean(),
});
const triedIndexes = fc.option(fc.array(fc.integer({ min: 0, max: 39 }), { maxLength: 9 }), { nil: undefined });
const someKey = fc.option(fc.oneof(fc.string(), fc.integer()), { nil: undefined });

describe('every policy', () => {
  for (const policy of POLICIES) {
    const name = JSON.stringify(policy);
    test(`${name} picks an eligible endpoint whenever there is one, whether told of changes or not`, () => {
      fc.assert(
        fc.property(
          fc.array(state, { maxLength: 40 }),
          fc.array(fc.tuple(fc.nat(39), state, fc.boolean(), triedIndexes, someKey), { maxLength: 30 }),
          (states, steps) => {
            const candidates = makeCandidates(states.map(() => 1));
            for (const [i, s] of states.entries()) Object.assign(candidates[i] ?? {}, s);
            const balancer = createBalancer(configOf(policy), candidates, new ManualClock());
            for (const [at, change, told, tried, key] of steps) {
              Object.assign(candidates[at] ?? {}, change);
              if (told) balancer.changed();
              const picked = balancer.pick(key, tried);
              if (picked) assert.ok(isEligible(picked, tried));
              else assert.ok(candidates.every((candidate) => !isEligible(candidate, tried)));
            }
          },
        ),
        { numRuns: 150 },
      );
    });
    test(`${name} meets the weights when all are idle`, () => {
      const weights = [4, 3, 2, 1];
      const candidates = makeCandidates(weights);
      const balancer = createBalancer(configOf(policy), candidates, new ManualClock());
      const counts = weights.map(() => 0);
      const total = 50_000;
      for (let i = 0; i < total; i++) {
        const index = balancer.pick(`key ${i}`, undefined)?.index ?? -1;
        counts[index] = (counts[index] ?? 0) + 1;
      }
      // The bounded hash has nothing under way here; without a key it must be even as well (next test).
      for (const [i, weight] of weights.entries()) {
        const share = (counts[i] ?? 0) / total;
        assert.ok(Math.abs(share - weight / 10) < (policy === 'roundRobin' ? 1e-9 : 0.04), `${i}: ${share}`);
      }
    });
  }
});

describe('smooth weighted round robin', () => {
  test("nginx's own example: 5, 1, 1 gives a a b a c a a", () => {
    const balancer = createBalancer('roundRobin', makeCandidates([5, 1, 1]), new ManualClock());
    const picks = Array.from({ length: 14 }, () => balancer.pick(undefined, undefined)?.index);
    assert.deepEqual(picks.slice(0, 7), [0, 0, 1, 0, 2, 0, 0]);
    assert.deepEqual(picks.slice(7), picks.slice(0, 7));
  });
  test('every full round is exact, wherever it begins, and no gap is much longer than it must be', () => {
    const weightsOf = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(weightsOf, (weights) => {
        const round = weights.reduce((sum, weight) => sum + weight, 0);
        const balancer = createBalancer('roundRobin', makeCandidates(weights), new ManualClock());
        const picks = Array.from({ length: 3 * round }, () => balancer.pick(undefined, undefined)?.index);
        for (const [item, weight] of weights.entries()) {
          for (let at = 0; at + round <= picks.length; at++) {
            assert.equal(picks.slice(at, at + round).filter((pick) => pick === item).length, weight);
          }
        }
        const heaviest = weights.indexOf(Math.max(...weights));
        let gap = 0;
        for (const pick of picks) {
          gap = pick === heaviest ? 0 : gap + 1;
          assert.ok(gap < weights.length, 'the heaviest is never passed over by everyone twice');
        }
      }),
      { numRuns: 100 },
    );
  });
  test('an endpoint that comes back does not make up for the time it was away', () => {
    const candidates = makeCandidates([1, 1]);
    const balancer = createBalancer('roundRobin', candidates, new ManualClock());
    const [first] = candidates;
    assert.ok(first);
    first.available = false;
    balancer.changed();
    for (let i = 0; i < 100; i++) assert.equal(balancer.pick(undefined, undefined)?.index, 1);
    first.available = true;
    balancer.changed();
    const picks = Array.from({ length: 10 }, () => balancer.pick(undefined, undefined)?.index);
    assert.equal(picks.filter((pick) => pick === 0).length, 5);
  });
});

describe('least requests', () => {
  /** Requests arrive by chance; each endpoint works on one at a time, as fast as its strength says. */
  function simulate(policy: string, weights: number[], strengths: number[], load: number) {
    const clock = new ManualClock(0, 7);
    const candidates = makeCandidates(weights);
    const balancer = createBalancer(configOf(policy), candidates, clock);
    const freeAt = weights.map(() => 0);
    const waits: number[] = [];
    const picks = weights.map(() => 0);
    const capacity = strengths.reduce((sum, strength) => sum + strength, 0);
    const chance = () => -Math.log(1 - clock.random());
    for (let i = 0; i < 20_000; i++) {
      clock.advance(chance() / (load * capacity));
      const picked = balancer.pick(undefined, undefined);
      assert.ok(picked);
      picked.inflight++;
      picks[picked.index] = (picks[picked.index] ?? 0) + 1;
      const end = Math.max(freeAt[picked.index] ?? 0, clock.now()) + chance() / (strengths[picked.index] ?? 1);
      freeAt[picked.index] = end;
      waits.push(end - clock.now());
      clock.after(end - clock.now(), () => {
        picked.inflight--;
      });
    }
    waits.sort((a, b) => a - b);
    return { shares: picks.map((count) => count / waits.length), p99: waits[Math.floor(waits.length * 0.99)] ?? 0 };
  }

  test('the less loaded of two is chosen', () => {
    const candidates = makeCandidates([1, 1]);
    const balancer = createBalancer('leastRequests', candidates, new ManualClock());
    Object.assign(candidates[0] ?? {}, { inflight: 3 });
    for (let i = 0; i < 20; i++) assert.equal(balancer.pick(undefined, undefined)?.index, 1);
  });
  test('a queue of equal endpoints is shared evenly, and its tail is shorter than with chance alone', () => {
    const least = simulate('leastRequests', [1, 1, 1, 1], [1, 1, 1, 1], 0.8);
    const random = simulate('random', [1, 1, 1, 1], [1, 1, 1, 1], 0.8);
    for (const share of least.shares) assert.ok(Math.abs(share - 0.25) < 0.02, `${least.shares}`);
    assert.ok(least.p99 < 0.6 * random.p99, `${least.p99} against ${random.p99}`);
  });
  test('an endpoint that is slower than its weight says gets less', () => {
    const { shares } = simulate('leastRequests', [1, 1, 1, 1], [1, 1, 1, 0.25], 0.7);
    assert.ok((shares[3] ?? 1) < 0.15, `${shares}`);
  });
  for (const load of [0.05, 0.5, 0.9]) {
    test(`weights are met at load ${load}`, () => {
      const { shares } = simulate('leastRequests', [8, 4, 1], [8, 4, 1], load);
      for (const [i, weight] of [8, 4, 1].entries()) {
        assert.ok(Math.abs((shares[i] ?? 0) - weight / 13) < 0.04, `${shares}`);
      }
    });
  }
});

test('hash sources', () => {
  assert.deepEqual(hashSource('hash'), { from: 'ip', name: '' });
  assert.deepEqual(hashSource(configOf({ policy: 'hash', on: 'header:X-User' })), { from: 'header', name: 'x-user' });
  assert.deepEqual(hashSource(configOf({ policy: 'hash', on: 'query:Q' })), { from: 'query', name: 'Q' });
  assert.equal(hashSource('random'), undefined);
});

test('slow start grows in a straight line from a sixteenth', () => {
  const cases: [number, number, number, number, number][] = [
    [10, -Infinity, 1000, 5, 10],
    [10, 0, 0, 0, 10],
    [16, 100, 1000, 100, 1],
    [16, 100, 1000, 600, 8],
    [16, 100, 1000, 1100, 16],
    [16, 100, 1000, 9999, 16],
    [0, 100, 1000, 600, 0],
  ];
  for (const [weight, recoveredAt, slowStart, now, expected] of cases) {
    assert.equal(effectiveWeight(weight, recoveredAt, slowStart, now), expected);
  }
  fc.assert(
    fc.property(fc.nat(1000), fc.nat(5000), fc.nat(10_000), fc.nat(10_000), (weight, slowStart, a, b) => {
      const [early, late] = [Math.min(a, b), Math.max(a, b)];
      const first = effectiveWeight(weight, 0, slowStart, early);
      assert.ok(first <= effectiveWeight(weight, 0, slowStart, late) && first <= weight && first >= weight / 16);
    }),
  );
});

test('in panic all with weight are chosen from, by weight, but the tried', () => {
  const clock = new ManualClock();
  const candidates = makeCandidates([3, 1, 0, 5]);
  for (const candidate of candidates) candidate.available = false;
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 8000; i++) {
    const index = pickInPanic(candidates, [3], clock)?.index ?? -1;
    counts[index] = (counts[index] ?? 0) + 1;
  }
  assert.ok(Math.abs((counts[0] ?? 0) - 6000) < 200, `${counts}`);
  assert.deepEqual(counts.slice(2), [0, 0]);
  assert.equal(pickInPanic(candidates, [0, 1, 3], clock), undefined);
});
