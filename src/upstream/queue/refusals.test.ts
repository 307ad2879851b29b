/** What is refused without asking: what is like what has just been refused, and only for a moment. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusals } from './refusals.ts';

test('what is alike is refused for a twentieth of the wait that was expected, and for a tenth of a second at most', () => {
  for (const [waitMs, until] of [
    [1000, 50],
    [100_000, 100],
    [0, 0],
  ] as const) {
    const refusals = new Refusals();
    const answer = { type: 'refused', reason: 'late', ahead: 9, waitMs } as const;
    refusals.learn(50, 't', 400, answer, 1000);
    for (let at = 0; at < 120; at += 10)
      assert.equal(refusals.find(50, 't', 400, 1000 + at), at < until ? answer : undefined, `${waitMs} ${at}`);
  }
});

test('others are asked for', () => {
  const refusals = new Refusals();
  refusals.learn(50, 't', 400, { type: 'refused', reason: 'full', ahead: 9, waitMs: 5000 }, 0);
  const asked = (priority: number, tenant: string, patienceMs: number) =>
    refusals.find(priority, tenant, patienceMs, 1) === undefined;
  assert.equal(asked(50, 't', 300), false);
  assert.equal(asked(50, 't', 401), true);
  assert.equal(asked(51, 't', 300), true);
  assert.equal(asked(50, 'u', 300), true);
  refusals.learn(10, 't', 400, { type: 'refused', reason: 'evicted', ahead: 9, waitMs: 5000 }, 0);
  assert.equal(asked(10, 't', 300), true);
});
