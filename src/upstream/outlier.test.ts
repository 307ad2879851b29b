import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OutlierCount, successRateOutliers } from './outlier.ts';

const base = {
  consecutiveErrors: 0,
  consecutive5xx: 0,
  consecutiveGatewayErrors: 0,
  ejectFor: 10,
  maxEjectFor: 50,
  interval: 100,
};

// a status, or - for a failure
const runs: [string, Partial<typeof base>, string[], string][] = [
  ['failures in a row', { consecutiveErrors: 3 }, ['-', '-', '-'], '3 errors in a row'],
  ['any answer ends a run of failures', { consecutiveErrors: 3 }, ['-', '-', '500', '-', '-'], ''],
  ['5xx in a row, failures included', { consecutive5xx: 3 }, ['500', '-', '503'], '3 answers of 5xx in a row'],
  ['a good answer ends it', { consecutive5xx: 3 }, ['500', '500', '404', '500', '500'], ''],
  ['gateway errors in a row', { consecutiveGatewayErrors: 2 }, ['502', '504'], '2 answers of 502, 503 or 504 in a row'],
  ['a 500 is none', { consecutiveGatewayErrors: 2 }, ['502', '500', '502'], ''],
  ['off', {}, ['500', '-', '-', '503'], ''],
];

for (const [title, settings, met, expected] of runs) {
  test(`outlier: ${title}`, () => {
    const count = new OutlierCount({ ...base, ...settings });
    let verdict = '';
    for (const one of met) verdict = one === '-' ? count.failed() : count.answered(Number(one));
    assert.equal(verdict, expected);
  });
}

test('outlier: each ejection is longer, up to a bound; intervals without one are forgiven', () => {
  const count = new OutlierCount(base);
  const times: number[] = [];
  let now = 0;
  for (let i = 0; i < 7; i++) {
    times.push(count.eject(now));
    now += times.at(-1) as number;
    count.back(now);
  }
  assert.deepEqual(times, [10, 20, 30, 40, 50, 50, 50]);
  assert.equal(count.eject(now + 550), 30, 'seven times, five intervals ago');
});

test('success rate: out is who lies far below the others, if there are enough of both', () => {
  const settings = { minHosts: 5, minRequests: 100, stdevFactor: 1.9 };
  const host = (good: number, requests = 100) => ({ good, requests });
  const good = [host(99), host(98), host(99), host(100)];
  assert.deepEqual(successRateOutliers([...good, host(60), host(99)], settings), [4]);
  assert.deepEqual(successRateOutliers([...good, host(60)], { ...settings, minHosts: 6 }), []);
  assert.deepEqual(successRateOutliers([...good, host(30, 50)], settings), [], 'too few requests to judge it');
  assert.deepEqual(successRateOutliers([], settings), []);
  assert.deepEqual(successRateOutliers([host(1), host(1), host(1), host(1), host(1)], settings), [], 'all alike');
});

test('success rate: never all of them, never the best', () => {
  const hosts = fc.array(
    fc.record({ requests: fc.integer({ min: 1, max: 50 }), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(hosts, fc.double({ min: 0, max: 3, noNaN: true }), (all, stdevFactor) => {
      const counts = all.map(({ requests, share }) => ({ requests, good: Math.floor(requests * share) }));
      const out = successRateOutliers(counts, { minHosts: 2, minRequests: 10, stdevFactor });
      const rated = counts.filter(({ requests }) => requests >= 10);
      assert.ok(out.length < Math.max(1, rated.length));
      const best = Math.max(...rated.map(({ good, requests }) => good / requests));
      for (const at of out) assert.ok(counts[at]!.good / counts[at]!.requests < best);
    }),
  );
});
