import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { ManualClock } from '../kernel/clock.ts';
import { Deadlines, SWEEP_MS, type Timed } from './deadlines.ts';

class Recorder implements Timed {
  deadline: number;
  slot = -1;
  readonly fired: number[] = [];
  onFire: () => void = () => {};
  constructor(deadline: number) {
    this.deadline = deadline;
  }
  onDeadline(now: number): void {
    this.fired.push(now);
    this.deadline = Number.POSITIVE_INFINITY;
    this.onFire();
  }
}

test('a deadline fires once, at most one sweep late, and never early', () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock);
  const timed = new Recorder(120);
  deadlines.add(timed);
  deadlines.add(timed);
  assert.equal(deadlines.size, 1);
  clock.advance(119);
  assert.deepEqual(timed.fired, []);
  clock.advance(1000);
  const late = (timed.fired.at(0) ?? Number.NaN) - 120;
  assert.ok(late >= 0 && late <= SWEEP_MS, `${late} ms late`);
});

test('a deadline may be moved, and removing twice does nothing', () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock);
  const timed = new Recorder(100);
  deadlines.add(timed);
  clock.advance(90);
  timed.deadline = 500;
  clock.advance(200);
  assert.deepEqual(timed.fired, []);
  deadlines.remove(timed);
  deadlines.remove(timed);
  clock.advance(1000);
  assert.deepEqual([timed.fired, deadlines.size], [[], 0]);
});

test('who was held up reads first what has come meanwhile, and judges then', async () => {
  let now = 0;
  let sweep = () => {};
  const clock = new ManualClock();
  clock.now = () => now;
  clock.every = (_, fn) => {
    sweep = fn;
    return { cancel() {} };
  };
  const deadlines = new Deadlines(clock);
  const [answered, silent] = [new Recorder(500), new Recorder(500)];
  for (const timed of [answered, silent]) deadlines.add(timed);
  const at = (time: number) => {
    now = time;
    sweep();
  };
  at(50);
  at(3050);
  assert.deepEqual([answered.fired, silent.fired], [[], []], 'three seconds late: nobody is judged');
  answered.deadline = Number.POSITIVE_INFINITY;
  for (let time = 3100; time <= 4000; time += 50) at(time);
  await setImmediate();
  assert.deepEqual(silent.fired, [], 'everyone gets as much more time as it was late, but a second at most');
  at(4050);
  assert.deepEqual([answered.fired, silent.fired], [[], [4050]]);
  // Always late: reading comes first each time, and every second sweep judges.
  const [busy, read] = [new Recorder(4100), new Recorder(4100)];
  for (const timed of [busy, read]) deadlines.add(timed);
  at(4400);
  await setImmediate();
  assert.deepEqual(busy.fired, []);
  at(5200);
  read.deadline = Number.POSITIVE_INFINITY;
  await setImmediate();
  assert.deepEqual([busy.fired, read.fired], [[5200], []]);
});

test('whoever fires may remove itself or others, and nobody is forgotten (property)', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(300), fc.constantFrom('none', 'self', 'next')), { minLength: 1, maxLength: 20 }),
      (plan) => {
        const clock = new ManualClock();
        const deadlines = new Deadlines(clock);
        const all = plan.map(([at]) => new Recorder(at));
        const removed = new Set<Recorder>();
        const remove = (one: Recorder) => {
          removed.add(one);
          deadlines.remove(one);
        };
        plan.forEach(([, what], i) => {
          const one = all[i] as Recorder;
          if (what === 'self') one.onFire = () => remove(one);
          if (what === 'next') one.onFire = () => remove(all[(i + 1) % all.length] as Recorder);
          deadlines.add(one);
        });
        clock.advance(1000);
        for (const one of all) assert.ok(one.fired.length === 1 || (one.fired.length === 0 && removed.has(one)));
        assert.equal(deadlines.size, all.length - removed.size);
      },
    ),
  );
});
