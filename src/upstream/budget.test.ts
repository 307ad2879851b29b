import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RetryBudget } from './budget.ts';

const cases: [active: number, share: number, allowed: number][] = [
  [0, 0.2, 3], // a few are always allowed
  [10, 0.2, 3],
  [19, 0.2, 3],
  [20, 0.2, 4],
  [1000, 0.2, 200],
  [1000, 0, 3],
  [7, 1, 7],
];

/** Sends again as often as it may. */
function retryAll(budget: RetryBudget, lost: boolean): number {
  let count = 0;
  for (; count < 10_000 && budget.mayRetry(lost); count++) budget.retried();
  return count;
}

/** Lets so many requests end well. */
function serve(budget: RetryBudget, count: number): void {
  for (let i = 0; i < count; i++) {
    budget.active++;
    budget.ended(false, true);
  }
}

for (const [active, share, allowed] of cases) {
  test(`retry budget: ${active} under way, ${share * 100} %: ${allowed} retries`, () => {
    const budget = new RetryBudget(share);
    budget.active = active;
    assert.equal(retryAll(budget, true), allowed);
  });
}

test('retry budget: what went well pays for a server that dies, once', () => {
  const budget = new RetryBudget(0.25);
  serve(budget, 40);
  budget.active = 20;
  assert.equal(retryAll(budget, false), 5, 'an answer of 503 gets the share and no more');
  assert.equal(retryAll(budget, true), 10, 'a quarter of 40');
  assert.equal(retryAll(budget, true), 0);
});

test('retry budget: savings have a bound, and a reload keeps them; failures and retries save nothing', () => {
  const budget = new RetryBudget(0.25);
  serve(budget, 10_000);
  assert.equal(budget.saved, 100);
  assert.equal(new RetryBudget(0.5, budget).saved, 100);
  assert.equal(new RetryBudget(0, budget).saved, 0, 'nobody who switches retries off wants these');
  const failing = new RetryBudget(0.25);
  for (let i = 0; i < 100; i++) {
    failing.active++;
    failing.retried();
    failing.ended(true, true);
    failing.active++;
    failing.ended(false, false);
  }
  assert.equal(failing.saved, 0);
  assert.deepEqual([failing.active, failing.retrying], [0, 0]);
});

test('retry budget: over any time, retries are below the share of what went well, and what is under way', () => {
  const steps = fc.array(fc.record({ begin: fc.nat(20), end: fc.nat(20), good: fc.boolean(), lost: fc.boolean() }));
  fc.assert(
    fc.property(steps, (all) => {
      const budget = new RetryBudget(0.2);
      let well = 0;
      let beyond = 0;
      const open: boolean[] = [];
      for (const { begin, end, good, lost } of all) {
        for (let i = 0; i < begin; i++) {
          budget.active++;
          open.push(false);
        }
        for (const [at, retried] of open.entries()) {
          if (retried || !budget.mayRetry(lost)) continue;
          if (budget.retrying >= Math.max(3, Math.floor(budget.active * 0.2))) beyond++;
          budget.retried();
          open[at] = true;
        }
        for (const retried of open.splice(0, end)) {
          budget.ended(retried, good);
          if (good && !retried) well++;
        }
        assert.ok(beyond <= well * 0.2 + 1e-6);
        assert.ok(budget.retrying <= budget.active);
      }
    }),
  );
});
