/** Who is next: told ahead as it comes true, and who takes a place that becomes free at a worker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FairQueue } from './fairqueue.ts';
import { Waiter } from './flow.ts';
import { FRESH_MS, type NextNote } from './message.ts';
import { Succession } from './succession.ts';
import type { Ticket } from './ticket.ts';

const arrival = fc.record({
  ...{
    priority: fc.constantFrom(10, 50, 90),
    tenant: fc.constantFrom('a', 'b', 'c', 'd'),
    cost: fc.integer({ min: 1, max: 9 }),
  },
  ...{ weight: fc.constantFrom(1, 2), since: fc.constantFrom(0, 900) },
});

test('who is told to be next is called next', () => {
  const shares = fc.constantFrom(0, 0.1, 0.3, 1);
  fc.assert(
    fc.property(
      fc.array(arrival, { maxLength: 40 }),
      fc.nat(20),
      fc.nat(20),
      shares,
      (arrivals, past, most, agedShare) => {
        // Some have waited too long.
        const queue = new FairQueue<number>({ length: 100, agedAfter: 500, agedShare });
        const weights = new Map<string, number>();
        for (const [i, one] of arrivals.entries()) {
          const weight = weights.get(one.tenant) ?? one.weight;
          weights.set(one.tenant, weight);
          queue.offer(new Waiter(i, { ...one, weight }, one.since));
        }
        for (let i = 0; i < past; i++) queue.next(1000, () => true);
        const before = queue.size;
        const ahead = queue.ahead(1000, most);
        assert.equal(queue.size, before);
        assert.ok(ahead.length <= most);
        if (agedShare === 0) assert.equal(ahead.length, Math.min(most, before));
        for (const waiter of ahead) {
          // Of several tenants who are owed the same anyone may be next.
          const [next] = queue.ahead(1000, 1);
          assert.equal(waiter.flow?.head, waiter);
          assert.deepEqual([waiter.priority, waiter.flow?.start], [next?.priority, next?.flow?.start]);
          queue.served(waiter, 1000);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('one that was served without being called counts as called', () => {
  fc.assert(
    fc.property(fc.array(arrival, { maxLength: 40 }), (arrivals) => {
      const make = () => {
        const queue = new FairQueue<number>({ length: 100, agedAfter: 500, agedShare: 0.3 });
        for (const [i, one] of arrivals.entries()) queue.offer(new Waiter(i, { ...one, weight: 1 }, one.since));
        return queue;
      };
      const [called, taken] = [make(), make()];
      while (called.size > 0) {
        const [next] = taken.ahead(1000, 1);
        const one = called.next(1000, () => true)?.value;
        if (next === undefined) assert.equal(taken.next(1000, () => true)?.value, one);
        else {
          assert.equal(next.value, one);
          taken.served(next, 1000);
        }
      }
      assert.equal(taken.size, 0);
    }),
  );
});

/** Requests by number, each with its importance; they come in this order. */
function make(...priorities: number[]) {
  const succession = new Succession();
  const tickets = priorities.map((priority, i) => ({ id: i + 1, priority }) as Ticket);
  for (const ticket of tickets) succession.entered(ticket);
  const tell = (note: Partial<NextNote>) =>
    succession.told({ upstream: 'up', known: 0, next: [], rest: -1, alone: false, ...note }, 0);
  const call = (busy = true, now = 0) => {
    const ticket = succession.next(busy, now);
    if (ticket !== undefined) succession.ended(ticket);
    return ticket?.id;
  };
  const leave = (id: number) => succession.ended(tickets[id - 1] as Ticket);
  return { succession, tell, call, leave };
}

test('who was told to be next is called in that order, unless he has left', () => {
  const { tell, call, leave } = make(50, 50, 50, 50);
  tell({ known: 4, next: [3, 1, 4], rest: 50 });
  leave(1);
  assert.deepEqual([call(), call(), call()], [3, 4, undefined]);
});

test('who is more important than all that wait need not be told', () => {
  const { tell, call } = make(50, 50, 90, 90, 50);
  tell({ known: 2, next: [2, 1], rest: 50 });
  assert.deepEqual([call(), call(), call(), call(), call()], [3, 4, 2, 1, undefined]);
});

test('who is as important as one who waits elsewhere has to ask; so have all, where no place may be handed over', () => {
  const { tell, call } = make(50, 90);
  tell({ rest: 90 });
  assert.equal(call(), undefined);
  tell({ rest: 101 });
  assert.equal(call(), undefined);
  tell({ rest: 50 });
  assert.deepEqual([call(), call()], [2, undefined]);
});

test('what was told is forgotten soon; where nobody waits it is not needed', () => {
  const { succession, tell, call } = make(50, 90);
  assert.equal(call(), undefined);
  tell({ known: 2, next: [2, 1] });
  assert.equal(call(true, FRESH_MS + 1), undefined);
  const other = make(50, 90, 50);
  assert.deepEqual([other.call(false), other.call(false), other.call(false)], [2, 1, 3]);
  assert.equal(succession.canWait(10, 0), false);
  tell({ rest: 50 });
  assert.deepEqual(
    [10, 50, 90].map((priority) => succession.canWait(priority, 0)),
    [true, true, false],
  );
  tell({ alone: true });
  assert.equal(succession.canWait(90, 0), true);
});
