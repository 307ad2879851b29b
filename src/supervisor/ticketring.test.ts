import { deepEqual, equal, notDeepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import { TicketRing } from './ticketring.ts';

const HOUR = 3_600_000;

test('a new key every six hours, four kept; what was handed over rotates as if nothing had been', () => {
  const clock = new ManualClock();
  let changes = 0;
  const ring = new TicketRing(clock, () => changes++);
  ring.start();
  const [first] = ring.keys;
  clock.advance(5 * HOUR);
  equal(changes, 0);
  const before = ring.keys;
  // Elsewhere, where the clock stands differently.
  const other = new ManualClock();
  other.advance(1234);
  const successor = new TicketRing(other, () => {});
  successor.takeOver(JSON.parse(JSON.stringify(ring.handOver())));
  deepEqual(successor.keys, before);
  ring.stop();
  successor.start();
  other.advance(HOUR - 1);
  deepEqual(successor.keys, before, 'its age has travelled with it');
  other.advance(1);
  equal(successor.keys.length, 2);
  deepEqual(successor.keys[1], first);
  other.advance(30 * HOUR);
  equal(successor.keys.length, 4);
  ok(!successor.keys.some((key) => key.equals(first as Buffer)));
  clock.advance(30 * HOUR);
  deepEqual(ring.keys, before, 'one that has stopped makes none');
  ring.start();
  notDeepEqual(ring.keys[0], first, 'and is not late when it begins again');
});

test('what is no key, or opens nothing any more, is not taken over', () => {
  const clock = new ManualClock();
  let changes = 0;
  const ring = new TicketRing(clock, () => changes++);
  const own = ring.keys;
  const key = Buffer.alloc(48, 7).toString('base64');
  for (const handed of [
    { key: 'AAAA', ageMs: 0 },
    { key, ageMs: -1 },
    { key, ageMs: 24 * HOUR },
    { key, ageMs: Number.NaN },
    { key: 7, ageMs: 'x' },
  ])
    ring.takeOver([handed as { key: string; ageMs: number }]);
  deepEqual(ring.keys, own);
  equal(changes, 0);
});
