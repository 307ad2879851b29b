import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import type { QueueStanding } from '../upstream/queue/queue.ts';
import { LimitMoves } from './limitmoves.ts';

test('a limit that was found is told when it is another, not each time that it moves', () => {
  const clock = new ManualClock();
  const said: string[] = [];
  let found = 20;
  const standing = (): QueueStanding[] => {
    const adaptive = { limit: found, found, gradient: 1, minRttMs: 100, rttMs: 240, probing: false };
    const endpoints = [
      { name: 'http://10.0.0.1:8000', limit: found, granted: 0, used: 0, adaptive },
      { name: 'fixed', limit: 4, granted: 0, used: 0 },
    ];
    return [{ upstream: 'gpu', waiting: 0, length: 0, estimatedWaitMs: 0, classes: [], endpoints }];
  };
  const moves = new LimitMoves(clock, standing, ({ message }) => said.push(message));
  for (const [next, told] of [
    [20, 0],
    [39, 0],
    [40, 1],
    [40, 1],
    [25, 1],
    [20, 2],
  ] as const) {
    found = next;
    clock.advance(10_000);
    assert.equal(said.length, told, `${next}`);
  }
  const first = 'upstream gpu: http://10.0.0.1:8000 gets 40 requests at once, before 20';
  assert.equal(said[0], `${first} (first token after 240 ms, at rest 100 ms)`);
  moves.close();
  found = 1000;
  clock.advance(60_000);
  assert.equal(said.length, 2);
});
