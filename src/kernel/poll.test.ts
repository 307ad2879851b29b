import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Poll } from './poll.ts';

test('one alone decides nothing, most of those who spoke last do', () => {
  const poll = new Poll(10);
  assert.equal(poll.median, 10);
  poll.say('a', 1000, 1);
  poll.say('b', 2000, 2);
  assert.equal(poll.median, 10);
  poll.say('c', 3000, 3);
  assert.equal(poll.median, 1000);
  poll.say('a', 1, 4);
  assert.equal(poll.median, 10);
});

test('who spoke longest ago makes room, and what is old does not count', () => {
  const poll = new Poll(1, 100);
  for (let i = 0; i < 17; i++) poll.say(`w${i}`, i === 0 ? 1e6 : 50, i);
  assert.equal(poll.median, 50);
  poll.say('late', 7, 1000);
  assert.equal(poll.median, 1, 'only its own vote is fresh');
});

test('whatever one says, it moves what counts no further than to what others have said', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.double({ min: 0, max: 100, noNaN: true }))),
      (votes) => {
        const poll = new Poll(20);
        let at = 0;
        for (const [who, value] of votes) poll.say(who, value, ++at);
        for (let i = 0; i < 50; i++) poll.say('pusher', 1e12, ++at);
        assert.ok(poll.median <= 100);
      },
    ),
  );
});
