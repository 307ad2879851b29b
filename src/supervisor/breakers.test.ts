import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import { Breakers } from './breakers.ts';
import type { BreakerChange } from './messages.ts';

const at = { upstream: 'u', endpoint: 'e' };
const open: BreakerChange = { ...at, state: 'open', forced: false, forMs: 30_000, reason: '5 timeouts in a row' };
const closed: BreakerChange = { ...at, state: 'closed', forced: false, forMs: 0, reason: 'the probe was answered' };

test('breakers: one worker opens, all are told; one alone gets the probe, and its result is told', () => {
  const clock = new ManualClock();
  const breakers = new Breakers(clock);
  assert.deepEqual(breakers.changed(open), open);
  clock.advance(10_000);
  assert.deepEqual(breakers.all(), [{ ...open, forMs: 20_000 }], 'a new worker is told how long it stays open yet');
  assert.equal(breakers.probe(1, 'u', 'e', true), false, 'too early');
  clock.advance(20_000);
  assert.equal(breakers.probe(1, 'u', 'e', true), true);
  assert.equal(breakers.probe(2, 'u', 'e', true), false, 'one alone');
  assert.equal(breakers.changed({ ...open, state: 'halfOpen', forMs: 0, reason: 'probing' }), undefined);
  assert.equal(breakers.status()[0]?.state, 'halfOpen');
  assert.equal(breakers.probe(2, 'u', 'e', true), false);
  assert.deepEqual(breakers.changed(closed), closed);
  assert.deepEqual(breakers.status(), []);
});

test('breakers: a probe that was not used, or whose worker died, is free again', () => {
  const clock = new ManualClock();
  const breakers = new Breakers(clock);
  breakers.changed({ ...open, forMs: 0 });
  assert.equal(breakers.probe(1, 'u', 'e', true), true);
  breakers.probe(2, 'u', 'e', false);
  assert.equal(breakers.probe(2, 'u', 'e', true), false, 'only its holder gives it back');
  breakers.probe(1, 'u', 'e', false);
  assert.equal(breakers.probe(2, 'u', 'e', true), true);
  breakers.changed({ ...open, state: 'halfOpen', forMs: 0, reason: 'probing' });
  breakers.gone(2);
  assert.equal(breakers.status()[0]?.state, 'open');
  assert.equal(breakers.probe(3, 'u', 'e', true), true);
});

test('breakers: what an operator forces stays until it is given back', () => {
  const breakers = new Breakers(new ManualClock());
  assert.equal(breakers.force('u', 'e', 'open').state, 'open');
  assert.equal(breakers.changed(closed), undefined);
  assert.equal(breakers.probe(1, 'u', 'e', true), false);
  breakers.force('u', 'e', 'closed');
  assert.equal(breakers.changed(open), undefined);
  assert.equal(breakers.all()[0]?.forced, true);
  const back = breakers.force('u', 'e', 'auto');
  assert.deepEqual([back.state, back.forced], ['closed', false]);
  assert.deepEqual(breakers.changed(open), open);
  breakers.prune(() => false);
  assert.deepEqual(breakers.all(), []);
});

test('breakers: one that was forgotten is not open for ever', () => {
  const breakers = new Breakers(new ManualClock());
  assert.equal(breakers.probe(1, 'u', 'e', true), true);
  assert.equal(breakers.probe(2, 'u', 'e', true), false);
  assert.deepEqual(breakers.changed(closed), closed);
  assert.deepEqual(breakers.status(), []);
});
