import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../kernel/clock.ts';
import { modelConfig } from './config.ts';
import { CompiledModel, type CompiledVersion, checkModels, compileModels, parseSticky } from './model.ts';
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
        for (let i = 0; i < 1100; i++) assert.ok((model.pick(undefined, 50)?.weight ?? 0) > 0);
        for (const key of keys) assert.ok((model.pick(key, 50)?.weight ?? 0) > 0);
      }),
      { numRuns: 50 },
    );
  });
  test('a key stays, shares are met, and moving 95/5 to 90/10 moves only the needed keys', () => {
    const model = modelOf([95, 5], 'key');
    const keys = Array.from({ length: 20_000 }, (_, i) => `sk-${i}`);
    const before = keys.map((key) => model.pick(key, 50)?.name);
    assert.deepEqual(
      keys.map((key) => model.pick(key, 50)?.name),
      before,
    );
    model.setWeights({ v0: 90, v1: 10 });
    const after = keys.map((key) => model.pick(key, 50)?.name);
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
        const before = keys.map((k) => model.pick(k, 50)?.name);
        model.setWeights({ v0: 100 - large, v1: large });
        for (const [i, k] of keys.entries()) if (before[i] === 'v1') assert.equal(model.pick(k, 50)?.name, 'v1');
      }),
    );
  });
  test('different models put the same key in different places', () => {
    const table = compileModels({ a: configOf([1, 1]), b: configOf([1, 1]) }, new ManualClock());
    const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`);
    const same = keys.filter(
      (key) => table.get('a')?.pick(key, 50)?.name === table.get('b')?.pick(key, 50)?.name,
    ).length;
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
  test('versions serve the classes that they name, the others by their weights among each other', () => {
    const classed = (lists: [number, string[] | undefined][]) =>
      new CompiledModel(
        'm',
        modelConfig.parse({
          versions: lists.map(([weight, classes], i) => ({
            name: `v${i}`,
            upstream: `u${i}`,
            weight,
            ...(classes && { classes }),
          })),
        }),
        new ManualClock(),
      );
    const model = classed([
      [95, undefined],
      [5, undefined],
      [100, ['batch', 'test']],
    ]);
    const counts = (priority: number) => {
      const found = [0, 0, 0];
      for (let i = 0; i < 1000; i++) {
        const at = model.versions.indexOf(model.pick(undefined, priority) as CompiledVersion);
        found[at] = (found[at] ?? 0) + 1;
      }
      return found;
    };
    // A canary keeps its share of each class; classes are drawn apart, so each is exact.
    for (const priority of [51, 60, 90, 100]) assert.deepEqual(counts(priority), [950, 50, 0]);
    for (const priority of [0, 10, 11, 30, 50]) assert.deepEqual(counts(priority), [475, 25, 500]);
    model.setWeights({ v2: 0 });
    assert.deepEqual(counts(50), [950, 50, 0]);
    const keys = Array.from({ length: 2000 }, (_, i) => `k${i}`);
    const live = keys.map((key) => model.pick(key, 90)?.name);
    model.setWeights({ v2: 100 });
    // What serves other classes moves nobody.
    assert.deepEqual(
      keys.map((key) => model.pick(key, 90)?.name),
      live,
    );
    assert.ok(keys.some((key) => model.pick(key, 50)?.name === 'v2'));
    const spot = classed([[1, ['test']]]);
    assert.equal(spot.pick(undefined, 50), undefined);
    assert.equal(spot.pick('k', 90), undefined);
    assert.equal(spot.pick('k', 10)?.name, 'v0');
  });
  test('a class whose versions lose their weight has none, until one gets weight again', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            weight: fc.integer({ min: 0, max: 3 }),
            classes: fc.option(fc.uniqueArray(fc.constantFrom('realtime', 'batch', 'test'), { minLength: 1 })),
          }),
          { minLength: 1, maxLength: 4 },
        ),
        fc.array(fc.record({ at: fc.nat(3), weight: fc.integer({ min: 0, max: 3 }) }), { maxLength: 6 }),
        fc.option(fc.string()),
        (given, moves, key) => {
          if (given.every(({ weight }) => weight === 0)) return;
          const weights = given.map(({ weight }) => weight);
          const model = classed(given);
          for (const { at, weight } of moves) {
            if (at >= given.length || weights.every((w, i) => (i === at ? weight : w) === 0)) continue;
            weights[at] = weight;
            model.setWeights({ [`v${at}`]: weight });
          }
          for (const [priority, name] of [
            [90, 'realtime'],
            [50, 'batch'],
            [10, 'test'],
          ] as const) {
            const may = given.map(({ classes }, i) => (classes === null || classes.includes(name)) && weights[i] !== 0);
            for (let i = 0; i < 5; i++) {
              const picked = model.pick(key ?? undefined, priority);
              if (!may.includes(true)) assert.equal(picked, undefined);
              else assert.ok(picked !== undefined && may[model.versions.indexOf(picked)]);
            }
          }
        },
      ),
    );
    function classed(given: readonly { weight: number; classes: string[] | null }[]) {
      const versions = given.map(({ weight, classes }, i) => {
        return { name: `v${i}`, upstream: 'u', weight, ...(classes && { classes }) };
      });
      return new CompiledModel('m', modelConfig.parse({ versions }), new ManualClock());
    }
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
