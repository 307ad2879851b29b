import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { upstreamConfig } from '../config.ts';
import { rankLevels } from './levels.ts';
import { levelLoads } from './priority.ts';

const HOME = { zone: 'eu-1a', region: 'eu-1' };

describe('ranks', () => {
  const endpoint = (zone?: string, region?: string, level?: number) =>
    upstreamConfig.parse({ endpoints: [{ url: 'http://a:1', zone, region, level }] }).endpoints[0] as never;
  for (const [what, home, endpoints, ranks] of [
    [
      'zone, region, the rest',
      HOME,
      [
        ['eu-1b', 'eu-1'],
        ['eu-1a', 'eu-1'],
        ['us-1a', 'us-1'],
      ],
      [1, 0, 2],
    ],
    [
      'no zone in the configuration of the gateway',
      { zone: undefined, region: undefined },
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
      [0, 0],
    ],
    ['zones alone', { zone: 'a', region: undefined }, [['b'], ['a'], ['c']], [1, 0, 1]],
    ['who says nothing is near', HOME, [[], ['eu-1a', 'eu-1'], ['x', 'y']], [0, 0, 1]],
    [
      'no local endpoint',
      HOME,
      [
        ['us-1a', 'us-1'],
        ['eu-1b', 'eu-1'],
      ],
      [1, 0],
    ],
    [
      'explicit levels come before nearness',
      HOME,
      [
        ['us-1a', 'us-1', 0],
        ['eu-1a', 'eu-1', 1],
        ['eu-1a', 'eu-1', 0],
      ],
      [1, 2, 0],
    ],
    [
      'explicit levels alone',
      { zone: undefined, region: undefined },
      [
        ['', '', 7],
        ['', '', 3],
        ['', '', 7],
      ],
      [1, 0, 1],
    ],
  ] as const) {
    test(what, () => {
      const all = endpoints.map((one) => {
        const [zone, region, level] = one as readonly [string?, string?, number?];
        return endpoint(zone || undefined, region || undefined, level);
      });
      assert.deepEqual(rankLevels(all, home), [...ranks]);
    });
  }
});

describe('loads', () => {
  // Envoy's own table: two levels at an overprovisioning factor of 1.4.
  for (const [shares, loads] of [
    [
      [1, 1],
      [1, 0],
    ],
    [
      [0.72, 0.72],
      [1, 0],
    ],
    [
      [0.71, 0.71],
      [0.99, 0.01],
    ],
    [
      [0.5, 1],
      [0.7, 0.3],
    ],
    [
      [0.25, 1],
      [0.35, 0.65],
    ],
    [
      [0.25, 0.25],
      [0.5, 0.5],
    ],
    [
      [0, 1],
      [0, 1],
    ],
    [
      [0, 0],
      [0, 0],
    ],
    [
      [0.5, 0.2, 1],
      [0.7, 0.28, 0.02],
    ],
    [
      [0.1, 0, 0],
      [1, 0, 0],
    ],
  ] as const) {
    test(`healthy ${shares.join(', ')} gives ${loads.join(', ')}`, () => {
      const found = levelLoads(shares, 1.4);
      // Envoy counts in whole percent.
      for (const [i, load] of loads.entries()) assert.ok(Math.abs((found[i] ?? 0) - load) < 0.0101, `${found}`);
    });
  }
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const shares = fc.array(share, { minLength: 1, maxLength: 6 });
  const factor = fc.double({ min: 1, max: 3, noNaN: true });
  test('they sum to one as long as anything is healthy, and none is negative or given to the dead', () => {
    fc.assert(
      fc.property(shares, factor, (all, overprovisioning) => {
        const loads = levelLoads(all, overprovisioning);
        const sum = loads.reduce((total, load) => total + load, 0);
        assert.ok(Math.abs(sum - (all.some((one) => one > 1e-6) ? 1 : sum)) < 1e-6, `${loads}`);
        for (const [i, load] of loads.entries()) {
          assert.ok(load >= 0 && load <= 1 + 1e-9);
          if ((all[i] as number) === 0) assert.ok(load < 1e-8);
        }
      }),
    );
  });
  test('a level that gets healthier never takes less, and no level behind it takes more', () => {
    fc.assert(
      fc.property(shares, fc.nat(5), share, factor, (all, at, better, overprovisioning) => {
        const i = at % all.length;
        const after = all.with(i, Math.max(all[i] as number, better));
        const [a, b] = [levelLoads(all, overprovisioning), levelLoads(after, overprovisioning)];
        assert.ok((b[i] as number) >= (a[i] as number) - 1e-8, `${a} → ${b}`);
        if (all.reduce((sum, one) => sum + Math.min(1, one * overprovisioning), 0) < 1) return;
        for (let j = i + 1; j < all.length; j++) assert.ok((b[j] as number) <= (a[j] as number) + 1e-8, `${a} → ${b}`);
      }),
    );
  });
});
