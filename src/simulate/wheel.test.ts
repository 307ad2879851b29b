import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Due, Wheel } from './wheel.ts';

class Mark extends Due {
  readonly #then: (nowMs: number) => void;
  constructor(then: (nowMs: number) => void) {
    super();
    this.#then = then;
  }
  override fire(nowMs: number): void {
    this.#then(nowMs);
  }
}

test('fires never early, each once, in order, also beyond one round of the wheel', async () => {
  const wheel = new Wheel();
  const start = performance.now();
  const order: number[] = [];
  const delays = [1500, 30, 5, 300, 0];
  await new Promise<void>((resolve) => {
    for (const delay of delays) {
      const mark = new Mark((now) => {
        assert.ok(now >= start + delay - 1, `${delay} ms fired after ${now - start} ms`);
        order.push(delay);
        if (order.length === delays.length) resolve();
      });
      wheel.add(mark, start + delay);
    }
  });
  assert.deepEqual(order, [0, 5, 30, 300, 1500]);
});

test('after a pause of more than a round, too, what is overdue fires in order', async () => {
  const wheel = new Wheel();
  const start = performance.now();
  const order: number[] = [];
  await new Promise<void>((resolve) => {
    for (const delay of [300, 30, 5000]) {
      const mark = new Mark(() => {
        order.push(delay);
        if (order.length === 2) resolve();
      });
      wheel.add(mark, start + delay);
    }
    // Nothing else runs meanwhile, as on a machine that is held up.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1100);
  });
  wheel.clear();
  assert.deepEqual(order, [30, 300]);
});

test('may add itself again while it fires; one that waits no more is skipped', async () => {
  const wheel = new Wheel();
  let times = 0;
  await new Promise<void>((resolve) => {
    const again: Mark = new Mark((now) => {
      if (++times === 3) resolve();
      else wheel.add(again, now + 2);
    });
    wheel.add(again, performance.now());
    const dropped = new Mark(() => assert.fail('fired though it does not wait'));
    wheel.add(dropped, performance.now() + 1);
    dropped.waiting = false;
  });
  assert.equal(times, 3);
});
