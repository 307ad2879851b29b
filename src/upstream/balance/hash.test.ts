import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import type { Candidate } from './candidate.ts';
import { makeCandidates } from './candidates.fixture.ts';
import { HashBalancer } from './hash.ts';

const ringOf = (candidates: Candidate[], bound = 0.25) => new HashBalancer(candidates, bound, new ManualClock());
const KEYS = Array.from({ length: 4000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
const placesOf = (ring: HashBalancer) => KEYS.map((key) => ring.pick(key, undefined)?.id);
const weightsOf = fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 2, maxLength: 8 });

describe('the hash ring', () => {
  test('a key keeps its endpoint, numbers and strings alike', () => {
    const ring = ringOf(makeCandidates([1, 1, 1]));
    for (const key of ['a', '', 7, -1]) {
      const first = ring.pick(key, undefined);
      for (let i = 0; i < 5; i++) assert.equal(ring.pick(key, undefined), first);
    }
  });
  test('the order of the endpoints in the file says nothing', () => {
    const ids = ['a', 'b', 'c', 'd'];
    assert.deepEqual(
      placesOf(ringOf(makeCandidates([1, 1, 1, 1], ids))),
      placesOf(ringOf(makeCandidates([1, 1, 1, 1], [...ids].reverse()))),
    );
  });
  test('an endpoint that goes takes only its own keys along, whether unavailable or taken out', () => {
    fc.assert(
      fc.property(weightsOf, fc.nat(7), (weights, nth) => {
        const gone = nth % weights.length;
        const candidates = makeCandidates(weights);
        const ring = ringOf(candidates);
        const before = placesOf(ring);
        Object.assign(candidates[gone] ?? {}, { available: false });
        ring.changed();
        const away = placesOf(ring);
        const rest = candidates.filter((_, i) => i !== gone);
        const without = placesOf(
          ringOf(
            makeCandidates(
              rest.map((c) => c.weight),
              rest.map((c) => c.id),
            ),
          ),
        );
        for (const [i, id] of before.entries()) {
          if (id !== `e${gone}`) assert.equal(away[i], id);
          assert.equal(without[i], away[i]);
        }
        Object.assign(candidates[gone] ?? {}, { available: true });
        ring.changed();
        assert.deepEqual(placesOf(ring), before);
      }),
      { numRuns: 25 },
    );
  });
  test('growing weight (slow start) only draws keys to the endpoint that grows', () => {
    const candidates = makeCandidates([4, 4, 4]);
    const ring = ringOf(candidates);
    const full = placesOf(ring);
    let before: (string | undefined)[] | undefined;
    for (const weight of [0.25, 1, 2.5, 4]) {
      Object.assign(candidates[2] ?? {}, { weight });
      ring.changed();
      const now = placesOf(ring);
      if (before) for (const [i, id] of now.entries()) assert.ok(id === before[i] || id === 'e2');
      before = now;
    }
    assert.deepEqual(before, full);
  });
  test('a weight beyond what the ring was built for is met', () => {
    const candidates = makeCandidates([1, 0]);
    const ring = ringOf(candidates);
    Object.assign(candidates[1] ?? {}, { weight: 3 });
    ring.changed();
    assert.deepEqual(placesOf(ring), placesOf(ringOf(makeCandidates([1, 3]))));
  });
  test('the greatest weights stay within the size of the ring', () => {
    const ring = ringOf(makeCandidates(Array.from({ length: 100 }, (_, i) => (i === 0 ? 1 : 1000))));
    assert.ok(ring.pick('x', undefined));
  });
});

describe('bounded loads', () => {
  test('no endpoint goes beyond ceil((1 + ε) × mean × share), whatever comes and goes', () => {
    const step = fc.record({ key: fc.integer({ min: 0, max: 5 }), end: fc.nat(), ends: fc.boolean() });
    const bound = fc.constantFrom(0, 0.25, 1);
    fc.assert(
      fc.property(weightsOf, bound, fc.array(step, { maxLength: 200 }), (weights, epsilon, steps) => {
        const candidates = makeCandidates(weights);
        const ring = ringOf(candidates, epsilon);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const open: Candidate[] = [];
        for (const { key, end, ends } of steps) {
          const closing = ends ? open.splice(end % Math.max(1, open.length), 1)[0] : undefined;
          if (closing) closing.inflight--;
          const picked = ring.pick(`hot ${key}`, undefined);
          assert.ok(picked);
          picked.inflight++;
          open.push(picked);
          const limit = Math.ceil(((1 + epsilon) * open.length * picked.weight) / total + 1e-9);
          assert.ok(picked.inflight <= limit, `${picked.inflight} beyond ${limit}`);
        }
      }),
      { numRuns: 200 },
    );
  });
  test('one hot key alone spreads over all endpoints, its own first', () => {
    const candidates = makeCandidates([1, 1, 1, 1]);
    const ring = ringOf(candidates);
    const own = ring.pick('hot', undefined);
    for (let i = 0; i < 100; i++) {
      const picked = ring.pick('hot', undefined);
      if (picked) picked.inflight++;
    }
    assert.equal(own?.inflight, 32);
    for (const { inflight } of candidates) assert.ok(inflight <= 32 && inflight > 0);
  });
});
