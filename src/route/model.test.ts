import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../kernel/clock.ts';
import { modelConfig } from './config.ts';
import { checkModels, compileModels, parseSticky } from './model.ts';
import { Split } from './split.ts';

const configOf = (weights: number[], sticky?: string) =>
  modelConfig.parse({
    versions: weights.map((weight, i) => ({ name: `v${i}`, upstream: `u${i}`, weight })),
    ...(sticky ? { sticky } : {}),
  });
const modelOf = (weights: number[], sticky?: string) => {
  const model = compileModels({ m: configOf(weights, sticky) }, new ManualClock()).get('m');
  assert.ok(model);
  return model;
};
const countOf = (picks: number[], from: number, to: number, item: number) => {
  let count = 0;
  for (let i = from; i < to; i++) if (picks[i] === item) count++;
  return count;
};
const someWeights = fc
  .array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 6 })
  .filter((weights) => weights.some((weight) => weight > 0));

describe('the split', () => {
  test('95/5 is exact over any 1,000 in a row, and 19 to 1 over any 20', () => {
    const split = new Split([95, 5], 0.123);
    const picks = Array.from({ length: 5000 }, () => split.next());
    for (let at = 0; at + 1000 <= picks.length; at++) assert.equal(countOf(picks, at, at + 1000, 1), 50);
    // Across the end of a round too, for 1,000 is a multiple of 20.
    for (let at = 0; at + 20 <= picks.length; at++) assert.equal(countOf(picks, at, at + 20, 1), 1);
  });
  test('any 1,000 in a row: exact where shares are whole thousandths, else off by less than one', () => {
    fc.assert(
      fc.property(someWeights, fc.double({ min: 0, max: 0.9999, noNaN: true }), (weights, start) => {
        const split = new Split(weights, start);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const picks = Array.from({ length: 6000 }, () => split.next());
        for (const [item, weight] of weights.entries()) {
          const ideal = (1000 * weight) / total;
          let count = countOf(picks, 0, 1000, item);
          for (let at = 0; at + 1000 < picks.length; at++) {
            assert.ok(Math.abs(count - ideal) < 1, `${weights} ${item} at ${at}: ${count} for ${ideal}`);
            count += Number(picks[at + 1000] === item) - Number(picks[at] === item);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
  test('the long run is exact, and less than a thousandth has its turn', () => {
    const weights = [1000, 1000, 1];
    const split = new Split(weights, 0);
    const picks = Array.from({ length: 2001 * 1000 }, () => split.next());
    for (const [item, weight] of weights.entries()) {
      assert.ok(Math.abs(countOf(picks, 0, picks.length, item) - weight * 1000) <= 1, `${item}`);
    }
  });
  test('fractions are taken as they are', () => {
    const split = new Split([87.5, 12.5], 0);
    const picks = Array.from({ length: 1000 }, () => split.next());
    assert.equal(countOf(picks, 0, 1000, 1), 125);
    const tenths = new Split([0.1, 0.2, 0.7], 0);
    const more = Array.from({ length: 1000 }, () => tenths.next());
    assert.deepEqual(
      [0, 1, 2].map((item) => countOf(more, 0, 1000, item)),
      [100, 200, 700],
    );
  });
  test('moving the weights at any moment keeps the sum of shares to within two for each move', () => {
    const moves = fc.array(fc.tuple(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 1, max: 700 })), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(moves, (list) => {
        const split = new Split([95, 5], 0);
        let ideal = 0;
        let count = 0;
        for (const [weight, picks] of list) {
          split.set([100 - weight, weight]);
          for (let i = 0; i < picks; i++) count += split.next();
          ideal += (picks * weight) / 100;
        }
        assert.ok(Math.abs(count - ideal) <= 2 * list.length, `${count} for ${ideal}`);
      }),
    );
  });
});

describe('models', () => {
  test('versions with weight 0 get nothing, with or without a key', () => {
    fc.assert(
      fc.property(someWeights, fc.array(fc.string(), { maxLength: 50 }), (weights, keys) => {
        const model = modelOf(weights);
        for (let i = 0; i < 1100; i++) assert.ok(model.pick(undefined).weight > 0);
        for (const key of keys) assert.ok(model.pick(key).weight > 0);
      }),
      { numRuns: 50 },
    );
  });
  test('a key stays, shares are met, and moving 95/5 to 90/10 moves only the needed keys', () => {
    const model = modelOf([95, 5], 'key');
    const keys = Array.from({ length: 20_000 }, (_, i) => `sk-${i}`);
    const before = keys.map((key) => model.pick(key).name);
    assert.deepEqual(
      keys.map((key) => model.pick(key).name),
      before,
    );
    model.setWeights({ v0: 90, v1: 10 });
    const after = keys.map((key) => model.pick(key).name);
    const moved = keys.filter((_, i) => before[i] !== after[i]).length;
    assert.ok(
      keys.every((_, i) => before[i] === after[i] || before[i] === 'v0'),
      'none moves back',
    );
    assert.ok(Math.abs(moved / keys.length - 0.05) < 0.005, `${moved} moved`);
    const share = after.filter((name) => name === 'v1').length / keys.length;
    assert.ok(Math.abs(share - 0.1) < 0.01, `${share}`);
  });
  test('growing one of two versions moves keys one way only', () => {
    const key = fc.string({ minLength: 1 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }), fc.array(key), (a, b, keys) => {
        const [small, large] = [Math.min(a, b), Math.max(a, b)];
        const model = modelOf([100, 0]);
        model.setWeights({ v0: 100 - small, v1: small });
        const before = keys.map((k) => model.pick(k).name);
        model.setWeights({ v0: 100 - large, v1: large });
        for (const [i, k] of keys.entries()) if (before[i] === 'v1') assert.equal(model.pick(k).name, 'v1');
      }),
    );
  });
  test('different models put the same key in different places', () => {
    const table = compileModels({ a: configOf([1, 1]), b: configOf([1, 1]) }, new ManualClock());
    const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`);
    const same = keys.filter((key) => table.get('a')?.pick(key).name === table.get('b')?.pick(key).name).length;
    assert.ok(same > 400 && same < 600, `${same}`);
    assert.equal(table.get('A'), undefined);
    assert.deepEqual(
      [...table.all()].map((model) => model.name),
      ['a', 'b'],
    );
  });
  test('wrong weights are refused and change nothing', () => {
    const model = modelOf([95, 5]);
    assert.throws(() => model.setWeights({ v9: 1 }), /no version v9; it has v0, v1/);
    assert.throws(() => model.setWeights({ v0: 0, v1: 0 }), /above 0/);
    assert.throws(() => model.setWeights({ v0: Number.NaN }), /0 or more/);
    assert.deepEqual(model.shares(), [0.95, 0.05]);
  });
  test('sticky sources', () => {
    assert.deepEqual(parseSticky('key'), { from: 'key', header: '' });
    assert.deepEqual(parseSticky('header:X-User'), { from: 'header', header: 'x-user' });
    for (const text of ['header', 'key:x', 'cookie', '']) assert.equal(parseSticky(text), undefined);
    assert.deepEqual(modelOf([1], 'ip').sticky, { from: 'ip', header: '' });
  });
  test('what is wrong with models', () => {
    const twice = modelConfig.parse({ versions: [1, 1].map(() => ({ name: 'v', upstream: 'u' })) });
    assert.deepEqual(
      checkModels({ good: configOf([1]), none: configOf([0, 0]), twice }).map(({ model }) => model),
      ['none', 'twice'],
    );
    assert.throws(() => compileModels({ none: configOf([0]) }, new ManualClock()), /above 0/);
  });
});
