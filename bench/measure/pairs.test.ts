import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Slice } from '../load/channel.ts';
import { turnsOf } from '../load/pairs.ts';
import { costs, differences, medianInterval, ratios } from './pairs.ts';
import { median } from './statistics.ts';

const slice = (side: number, requests: number, cpu: number): Slice => ({ side, requests, cpu, wall: 1 });

test('turns go there and back, and every second bout the other way round', () => {
  assert.deepEqual(turnsOf(2, 0), [0, 1, 1, 0]);
  assert.deepEqual(turnsOf(2, 1), [1, 0, 0, 1]);
  assert.deepEqual(turnsOf(3, 2), [0, 1, 2, 2, 1, 0]);
});

test('the cost of a bout is all CPU by all requests of a side', () => {
  const slices = [slice(0, 100, 4000), slice(1, 100, 4200), slice(1, 50, 2100), slice(0, 300, 12_800)];
  assert.deepEqual(costs(slices, 2), [[42, 42]]);
  assert.deepEqual(differences(costs(slices, 2), 1, 0), [0]);
  assert.deepEqual(ratios(costs(slices, 2), 1, 0), [1]);
});

test('a bout that is not whole, or in which a side has answered nothing, counts for nothing', () => {
  const whole = [slice(0, 1, 10), slice(1, 1, 12), slice(1, 1, 12), slice(0, 1, 10)];
  const empty = [slice(1, 0, 5), slice(0, 1, 10), slice(0, 1, 10), slice(1, 0, 5)];
  assert.deepEqual(differences(costs([...whole, ...empty, slice(0, 1, 99)], 2), 1, 0), [2]);
});

test('a machine that gets slower and slower is no difference', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 5, noNaN: true }), fc.integer({ min: 1, max: 20 }), (drift, bouts) => {
      let at = 0;
      const slices = Array.from({ length: bouts }, (_, bout) =>
        turnsOf(2, bout).map((side) => slice(side, 1000, 1000 * (40 + drift * at++ + (side === 1 ? 2 : 0)))),
      ).flat();
      for (const more of differences(costs(slices, 2), 1, 0)) assert.ok(Math.abs(more - 2) < 1e-6);
    }),
  );
});

test('interval of the median', () => {
  const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);
  // Ranks as the tables of the sign test have them.
  assert.deepEqual(medianInterval(upTo(5)), [1, 5]);
  assert.deepEqual(medianInterval(upTo(6)), [1, 6]);
  assert.deepEqual(medianInterval(upTo(10)), [2, 9]);
  assert.deepEqual(medianInterval(upTo(20)), [6, 15]);
  assert.deepEqual(medianInterval(upTo(100)), [40, 61]);
  assert.deepEqual(medianInterval([7]), [7, 7]);
  assert.ok(medianInterval([]).every(Number.isNaN));
});

test('the interval holds the median of its values, in any order', () => {
  // Minus zero is zero: of two that are equal either may be the one at that place.
  const value = fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((double) => double + 0);
  const values = fc.array(value, { minLength: 1, maxLength: 80 });
  fc.assert(
    fc.property(values, (list) => {
      const [low, high] = medianInterval(list);
      assert.ok(low <= median(list) && median(list) <= high);
      assert.deepEqual(medianInterval([...list].reverse()), [low, high]);
    }),
  );
});
