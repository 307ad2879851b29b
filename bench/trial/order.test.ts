import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '../load/channel.ts';
import { CROWD, type Crowd } from './crowd.ts';
import { byTenant, fairness, maxMin, overtaken } from './order.ts';

const crowd: Crowd = {
  ...CROWD,
  callers: [
    { class: 'realtime', tenant: 'a', share: 1 },
    { class: 'batch', tenant: 'b', share: 1 },
    { class: 'batch', tenant: 'c', share: 1 },
  ],
};
const call = (number: string, caller: number, dueAt: number, endedAt: number, outcome: Call['outcome'] = 'right') => {
  return { number, caller, dueAt, endedAt, outcome };
};
const all = { from: 0, until: 1e6, slackMs: 0 };

test('who goes while a more important one waits has overtaken it', () => {
  const calls = [call('1', 1, 0, 50), call('2', 0, 10, 60), call('3', 1, 5, 40)];
  // 3 goes at 20, while 2 waits since 10; 1 goes when 2 has gone.
  const begun = new Map([
    ['3', 20],
    ['2', 30],
    ['1', 40],
  ]);
  assert.equal(overtaken(calls, begun, crowd, all).toFixed(1), '33.3');
  assert.equal(overtaken(calls, begun, crowd, { ...all, slackMs: 10 }), 0);
  assert.equal(overtaken(calls, begun, crowd, { ...all, from: 25 }), 0);
});

test('who has left waits no more; the same class overtakes nobody', () => {
  const calls = [call('1', 0, 0, 10, 'timeout'), call('2', 1, 0, 50), call('3', 2, 5, 50)];
  const begun = new Map([
    ['2', 30],
    ['3', 20],
  ]);
  assert.equal(overtaken(calls, begun, crowd, all), 0);
});

test('max-min: nobody gets more than it asked for, the rest is shared alike', () => {
  assert.deepEqual(maxMin(90, [100, 10, 100]), [40, 10, 40]);
  assert.deepEqual(maxMin(300, [100, 10, 100]), [100, 10, 100]);
});

test('fairness is 1 where all got their part, and falls when one is served more', () => {
  assert.equal(fairness([40, 10, 40], [100, 10, 100]).toFixed(3), '1.000');
  assert.ok(fairness([60, 20, 10], [600, 200, 100]) < 0.75);
  assert.equal(fairness([90, 0, 0], [100, 100, 100]).toFixed(3), '0.333');
  assert.ok(Number.isNaN(fairness([0, 0], [10, 10])));
});

test('counts are by tenant, of requests that were due in time', () => {
  const calls = [call('1', 1, 10, 20), call('2', 1, 10, 20, 'declined'), call('3', 2, 10, 20), call('4', 2, 99, 120)];
  assert.deepEqual(byTenant(calls, crowd, 1, 0, 50), { served: [1, 1], asked: [2, 1] });
});
