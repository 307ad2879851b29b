import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { answerRetry, retryAfter, retryPause } from './retry.ts';

const fields = (all: Record<string, string>) => ({ get: (name: string) => all[name] });
const WALL = Date.parse('2026-03-01T12:00:00Z');

const answers: [string, number, Record<string, string>, boolean, number | undefined][] = [
  ['a status that is listed, of a request that may be sent twice', 502, {}, true, 0],
  ['of one that may not', 502, {}, false, undefined],
  ['503 says that nothing was done', 503, {}, false, 0],
  ['so does 429', 429, { 'retry-after': '2' }, false, 2000],
  ['a status that is not listed', 500, {}, true, undefined],
  ['the server says no', 503, { 'x-should-retry': 'false' }, true, undefined],
  ['the server says yes', 500, { 'x-should-retry': 'true' }, false, 0],
  ['which a good answer does not need', 200, { 'x-should-retry': 'true' }, true, undefined],
];

for (const [title, status, all, idempotent, expected] of answers) {
  test(`retry: ${title}`, () => {
    assert.equal(answerRetry(status, fields(all), new Set([429, 502, 503, 504]), idempotent, WALL), expected);
  });
}

test('retry-after: seconds, milliseconds, dates; what is none says nothing', () => {
  const cases: [Record<string, string>, number][] = [
    [{}, 0],
    [{ 'retry-after': '120' }, 120_000],
    [{ 'retry-after': 'Sun, 01 Mar 2026 12:00:05 GMT' }, 5000],
    [{ 'retry-after': 'Sun, 01 Mar 2026 11:00:00 GMT' }, 0],
    [{ 'retry-after': '1', 'retry-after-ms': '250' }, 250],
    [{ 'retry-after': '-1' }, 0],
    [{ 'retry-after': 'soon' }, 0],
    [{ 'retry-after': '2026-03-01' }, 0],
    [{ 'retry-after': '99999999999' }, 0],
  ];
  for (const [all, expected] of cases) assert.equal(retryAfter(fields(all), WALL), expected, JSON.stringify(all));
  fc.assert(
    fc.property(fc.string(), (text) => {
      const found = retryAfter(fields({ 'retry-after': text, 'retry-after-ms': text }), WALL);
      assert.ok(Number.isFinite(found) && found >= 0);
    }),
  );
});

test('pause: elsewhere at once, then drawn; never before the same server wants it, never longer than allowed', () => {
  const backoff = { base: 25, max: 1000 };
  assert.equal(retryPause(1, true, 9999, backoff, 0.9), 0, 'another server owes nothing');
  assert.equal(retryPause(2, true, 0, backoff, 0.5), 25);
  assert.equal(retryPause(1, false, 0, backoff, 0.5), 12.5);
  assert.equal(retryPause(1, false, 700, backoff, 0.5), 700);
  assert.equal(retryPause(1, false, 1001, backoff, 0.5), undefined);
  assert.equal(retryPause(30, false, 0, backoff, 0.999), 999);
  const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), fc.boolean(), fc.nat(3000), share, (retry, fresh, asked, random) => {
      const pause = retryPause(retry, fresh, asked, backoff, random);
      if (pause === undefined) assert.ok(!fresh && asked > backoff.max);
      else assert.ok(pause >= (fresh ? 0 : asked) && pause <= backoff.max);
    }),
  );
});
