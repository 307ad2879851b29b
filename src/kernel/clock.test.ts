import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock, systemClock } from './clock.ts';

test('timers fire in the order of their times, then of their setting', () => {
  const clock = new ManualClock();
  const fired: string[] = [];
  clock.after(20, () => fired.push(`b${clock.now()}`));
  clock.after(10, () => fired.push(`a${clock.now()}`));
  clock.after(20, () => fired.push(`c${clock.now()}`));
  clock.after(-5, () => fired.push(`now${clock.now()}`));
  clock.advance(19);
  assert.deepEqual(fired, ['now0', 'a10']);
  clock.advance(1);
  assert.deepEqual(fired, ['now0', 'a10', 'b20', 'c20']);
});

test('a timer set by a timer fires in the same advance when it falls due in it', () => {
  const clock = new ManualClock();
  const fired: number[] = [];
  clock.after(10, () => clock.after(10, () => fired.push(clock.now())));
  clock.advance(25);
  assert.deepEqual([fired, clock.now()], [[20], 25]);
});

test('every fires until it is cancelled, from inside too; cancelling twice does nothing', () => {
  const clock = new ManualClock();
  let ticks = 0;
  const timer = clock.every(10, () => {
    if (++ticks === 3) timer.cancel();
  });
  clock.advance(100);
  timer.cancel();
  assert.equal(ticks, 3);
});

test('a cancelled timer stays silent, cancelled by another one at the same time too', () => {
  const clock = new ManualClock();
  const late = { cancel() {} };
  clock.after(10, () => late.cancel());
  Object.assign(
    late,
    clock.after(10, () => assert.fail('it was cancelled')),
  );
  clock.advance(20);
});

test('the wall clock goes along and jumps alone', () => {
  const clock = new ManualClock(1000);
  clock.advance(5);
  clock.jumpWall(-500);
  assert.deepEqual([clock.now(), clock.wall()], [5, 505]);
});

test('a seed repeats its sequence, within [0, 1) (property)', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const [a, b] = [new ManualClock(0, seed), new ManualClock(0, seed)];
      for (let i = 0; i < 20; i++) {
        const value = a.random();
        assert.equal(value, b.random());
        assert.ok(value >= 0 && value < 1);
      }
    }),
  );
});

test('the system clock does not go back, and its timers can be cancelled', () => {
  const before = systemClock.now();
  assert.ok(systemClock.now() >= before);
  assert.ok(systemClock.wall() > 1_600_000_000_000);
  systemClock.after(0, () => assert.fail('it was cancelled')).cancel();
  systemClock.every(1, () => assert.fail('it was cancelled')).cancel();
});
