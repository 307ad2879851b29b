import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { median, quantile, spread } from './statistics.ts';

// Minus zero is zero: of two that are equal either may be the one in the middle.
const value = fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((double) => double + 0);
const values = fc.array(value, { minLength: 1, maxLength: 50 });

test('median', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(median([10, 9, 100]), 10);
  assert.ok(Number.isNaN(median([])));
});

test('quantile by nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at);
  for (const [q, expected] of [
    [0, 1],
    [0.5, 50],
    [0.99, 99],
    [1, 100],
  ] as const) {
    assert.equal(quantile(hundred, q), expected);
  }
  assert.ok(Number.isNaN(quantile([], 0.5)));
});

test('a quantile is one of the values, with the right share at or below it', () => {
  fc.assert(
    fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (list, q) => {
      const found = quantile(list, q);
      assert.ok(list.includes(found));
      assert.ok(list.filter((value) => value <= found).length >= q * list.length);
    }),
  );
});

test('spread', () => {
  assert.equal(spread([5]), 0);
  assert.equal(spread([9, 10, 11]), 0.1);
  assert.equal(spread([0, 0]), 0);
});

test('order does not matter and nothing is changed in place', () => {
  fc.assert(
    fc.property(values, (list) => {
      const before = [...list];
      assert.equal(median(list), median([...list].reverse()));
      assert.deepEqual(list, before);
    }),
  );
});
