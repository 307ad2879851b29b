import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../kernel/clock.ts';
import { Deadlines, SWEEP_MS, type Timed } from './deadlines.ts';

function timed(deadline: number, onDeadline: (self: Timed, now: number) => void): Timed {
  const self: Timed = { deadline, slot: -1, onDeadline: (now) => onDeadline(self, now) };
  return self;
}

test('a deadline is told once it has passed, late by a sweep at most', () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock);
  const told: number[] = [];
  const one = timed(120, (self, now) => {
    told.push(now);
    self.deadline = Number.POSITIVE_INFINITY;
  });
  deadlines.add(one);
  deadlines.add(one);
  assert.equal(deadlines.size, 1, 'added once');
  clock.advance(119);
  assert.deepEqual(told, []);
  clock.advance(SWEEP_MS);
  assert.deepEqual(told, [150]);
  clock.advance(10_000);
  assert.deepEqual(told, [150]);
  deadlines.remove(one);
  deadlines.remove(one);
  assert.equal(deadlines.size, 0);
});

test('whoever leaves during a sweep is not told any more, and nobody is passed over', () => {
  const steps = fc.array(fc.record({ at: fc.nat(300), removes: fc.nat(9) }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(steps, (list) => {
      const clock = new ManualClock();
      const deadlines = new Deadlines(clock);
      const gone = new Set<Timed>();
      const told = new Set<Timed>();
      const all = list.map(({ at, removes }) =>
        timed(at, (self) => {
          assert.ok(!gone.has(self), 'told after it left');
          told.add(self);
          const other = all[removes % all.length] as Timed;
          for (const one of [self, other]) {
            deadlines.remove(one);
            gone.add(one);
          }
        }),
      );
      for (const one of all) deadlines.add(one);
      clock.advance(1000);
      assert.equal(deadlines.size, 0);
      for (const one of all) assert.ok(told.has(one) || gone.has(one));
    }),
  );
});
