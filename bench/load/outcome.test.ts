import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noOutcomes, OUTCOMES, outcomeOfFailure, outcomeOfStatus, total } from './outcome.ts';

test('every way that a request can end has its outcome', () => {
  for (const [what, outcome] of [
    ['ECONNREFUSED', 'refused'],
    ['ECONNRESET', 'reset'],
    ['EPIPE', 'reset'],
    ['connection closed before the answer ended', 'reset'],
    ['ETIMEDOUT', 'timeout'],
    ['bytes after the answer', 'wrong'],
    ['not an HTTP response: SSH-2.0', 'wrong'],
    ['EADDRNOTAVAIL', undefined],
    ['EMFILE', undefined],
  ] as const) {
    assert.equal(outcomeOfFailure(what), outcome, what);
  }
  assert.deepEqual([503, 429, 500, 502, 504, 404, 400].map(outcomeOfStatus), [
    ...['declined', 'declined'],
    ...['failed', 'failed', 'failed', 'failed', 'failed'],
  ]);
});

test('the total is that of all outcomes', () => {
  const outcomes = noOutcomes();
  assert.deepEqual(Object.keys(outcomes), [...OUTCOMES]);
  for (const [at, outcome] of OUTCOMES.entries()) outcomes[outcome] = 10 ** at;
  assert.equal(total(outcomes), 1_111_111);
});
