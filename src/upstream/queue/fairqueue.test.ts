/** Order in the queue: by class, fairly between tenants, nobody forgotten; who goes when it is full. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FairQueue } from './fairqueue.ts';
import { Waiter } from './flow.ts';

const RULES = { length: 1000, agedAfter: 20_000, agedShare: 0.1 };
const all = () => true;

interface Given {
  priority?: number;
  tenant?: string;
  weight?: number;
  cost?: number;
  since?: number;
}

function made(name: string, { priority = 50, tenant = 't', weight = 1, cost = 1, since = 0 }: Given = {}) {
  return new Waiter(name, { priority, tenant, weight, cost }, since);
}

/** Jain's index: 1 when all have the same, 1/n when one has everything. */
function jain(shares: readonly number[]): number {
  const sum = shares.reduce((a, b) => a + b, 0);
  return sum ** 2 / (shares.length * shares.reduce((a, b) => a + b * b, 0));
}

function drain(queue: FairQueue<string>, count = Number.POSITIVE_INFINITY, now = 0): string[] {
  const order: string[] = [];
  for (let one = queue.next(now, all); one !== undefined; one = order.length < count ? queue.next(now, all) : undefined)
    order.push(one.value);
  return order;
}

test('the more important class goes first; within a tenant who came first', () => {
  const queue = new FairQueue<string>(RULES);
  for (const [name, priority] of [
    ['b1', 50],
    ['t1', 10],
    ['r1', 90],
    ['b2', 50],
    ['r2', 90],
  ] as const)
    queue.offer(made(name, { priority }));
  assert.equal(queue.before(50), 4);
  assert.deepEqual(drain(queue), ['r1', 'r2', 'b1', 'b2', 't1']);
});

test('tenants share by weight and by what their requests cost, however many they have', () => {
  const queue = new FairQueue<string>({ ...RULES, length: 10_000 });
  const tenants = [
    { tenant: 'a', weight: 1, cost: 100, count: 3000 },
    { tenant: 'b', weight: 1, cost: 400, count: 500 },
    { tenant: 'c', weight: 3, cost: 100, count: 1000 },
  ];
  for (const { count, ...rest } of tenants) for (let i = 0; i < count; i++) queue.offer(made(rest.tenant, rest));
  const order = drain(queue, 900);
  const tokens = tenants.map(({ tenant, weight, cost }) => {
    return (order.filter((one) => one === tenant).length * cost) / weight;
  });
  assert.ok(jain(tokens) > 0.99, String(tokens));
});

test('a tenant that comes late is not owed anything, and owes nothing', () => {
  const queue = new FairQueue<string>(RULES);
  for (let i = 0; i < 100; i++) queue.offer(made('a', { tenant: 'a' }));
  drain(queue, 50);
  for (let i = 0; i < 10; i++) queue.offer(made('b', { tenant: 'b' }));
  const order = drain(queue, 20);
  assert.equal(order.filter((one) => one === 'b').length, 10);
});

test('those who have waited too long get their share before the more important, the oldest first', () => {
  const queue = new FairQueue<string>({ ...RULES, agedShare: 0.25 });
  for (let i = 0; i < 3; i++) queue.offer(made(`t${i}`, { priority: 10, since: i }));
  for (let i = 0; i < 40; i++) queue.offer(made('r', { priority: 90, since: 19_000 }));
  const order = drain(queue, 12, 20_002);
  assert.deepEqual(
    order.filter((one) => one !== 'r'),
    ['t0', 't1', 't2'],
  );
  assert.equal(order.indexOf('t0'), 3);
});

test('a full queue refuses the newest of the least important, of the tenant that has most', () => {
  const queue = new FairQueue<string>({ ...RULES, length: 4 });
  for (const name of ['a1', 'a2', 'a3']) queue.offer(made(name, { tenant: 'a' }));
  queue.offer(made('b1', { tenant: 'b' }));
  const full = made('a4', { tenant: 'a' });
  assert.equal(queue.offer(full), full);
  const c1 = made('c1', { tenant: 'c' });
  assert.equal(queue.offer(c1)?.value, 'a3');
  assert.equal(queue.offer(made('r1', { priority: 90, tenant: 'r' }))?.value, 'a2');
  const low = made('t1', { priority: 10 });
  assert.equal(queue.offer(low), low);
  assert.deepEqual(
    [...queue.all()].map(({ value }) => value),
    ['r1', 'a1', 'b1', 'c1'],
  );
});

test('who cannot use the place that there is keeps nobody else from it', () => {
  const queue = new FairQueue<string>(RULES);
  for (const name of ['x1', 'x2', 'y1']) queue.offer(made(name, { tenant: name }));
  assert.equal(queue.next(0, (value) => value.startsWith('y'))?.value, 'y1');
  assert.equal(
    queue.next(0, (value) => value.startsWith('y')),
    undefined,
  );
  assert.equal(queue.size, 2);
});

test('whatever comes and goes, nobody is lost, served twice or served after leaving', () => {
  const step = fc.record({
    act: fc.constantFrom('come', 'come', 'come', 'go', 'serve', 'serve'),
    priority: fc.constantFrom(10, 50, 90),
    tenant: fc.constantFrom('a', 'b', 'c', 'd'),
    cost: fc.integer({ min: 1, max: 1000 }),
    pick: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 30 }), (steps, length) => {
      const queue = new FairQueue<number>({ length, agedAfter: 20, agedShare: 0.2 });
      const waiting = new Map<number, Waiter<number>>();
      let now = 0;
      for (const { act, priority, tenant, cost, pick } of steps) {
        now++;
        if (act === 'come') {
          const waiter = new Waiter(now, { priority, tenant, weight: 1, cost }, now);
          waiting.set(now, waiter);
          const victim = queue.offer(waiter);
          if (victim !== undefined) assert.ok(waiting.delete(victim.value));
          if (victim !== undefined) assert.ok(victim.priority <= priority);
        } else if (act === 'go') {
          const one = [...waiting.values()][pick % Math.max(1, waiting.size)];
          if (one !== undefined) {
            queue.remove(one);
            queue.remove(one);
            waiting.delete(one.value);
          }
        } else {
          const one = queue.next(now, all);
          assert.equal(one === undefined, waiting.size === 0);
          if (one !== undefined) assert.ok(waiting.delete(one.value));
        }
        assert.equal(queue.size, waiting.size);
        assert.deepEqual(
          [...queue.all()].map(({ value }) => value).sort((a, b) => a - b),
          [...waiting.keys()].sort((a, b) => a - b),
        );
        assert.ok(queue.size <= length);
      }
    }),
    { numRuns: 2000 },
  );
});
