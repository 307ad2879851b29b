import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import { Restarts } from './restart.ts';

test('restarts: the first at once, then doubling to the longest, each with some spread', () => {
  const restarts = new Restarts(new ManualClock());
  const delays = Array.from({ length: 12 }, () => restarts.died(0, 10));
  assert.equal(delays[0], 0);
  let full = 100;
  for (const delay of delays.slice(1)) {
    assert.ok(delay >= full * 0.75 && delay <= full, `${delay} of ${full}`);
    full = Math.min(10_000, full * 2);
  }
});

test('restarts: one that lived long is replaced at once and starts the count anew', () => {
  const restarts = new Restarts(new ManualClock());
  for (let i = 0; i < 5; i++) restarts.died(0, 10);
  assert.equal(restarts.died(0, 60_000), 0);
  assert.equal(restarts.died(0, 10), 0);
  assert.ok(restarts.died(0, 10) > 0);
});

test('restarts: slots back off each for themselves; early deaths of all make the crash loop, and time ends it', () => {
  const clock = new ManualClock();
  const restarts = new Restarts(clock);
  for (let slot = 0; slot < 4; slot++) assert.equal(restarts.died(slot, 10), 0);
  assert.equal(restarts.looping, false);
  restarts.died(0, 60_000);
  assert.equal(restarts.looping, false, 'a worker that was sound does not count');
  restarts.died(0, 10);
  assert.equal(restarts.looping, true);
  clock.advance(60_000);
  assert.equal(restarts.looping, false);
});
