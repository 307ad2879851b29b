/** The limit finds a server's capacity by the time to its first token, under simulated load and time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../kernel/clock.ts';
import { AdaptiveLimit } from './adaptive.ts';
import { adaptiveConfig } from './config.ts';

const SEED = Number(process.env.QUEUE_SEED ?? Math.floor(Math.random() * 2 ** 31));

/**
 * A server that begins `capacity` requests at once in `base` ms each; beyond, first tokens come later in proportion. Answers
 * take `answerMs` after that, which is not to be measured. Load: as many requests as the limit allows, or `offered`.
 */
class Server {
  capacity: number;
  base = 100;
  offered = Number.POSITIVE_INFINITY;
  inflight = 0;
  readonly clock: ManualClock;
  readonly limit: AdaptiveLimit;

  constructor(capacity: number, seed: number, settings: object = {}) {
    this.clock = new ManualClock(0, seed);
    this.capacity = capacity;
    this.limit = new AdaptiveLimit(adaptiveConfig.parse(settings), 0, () => this.clock.random());
  }

  run(ms: number): number {
    const { clock, limit } = this;
    for (let passed = 0; passed < ms; passed += 10) {
      while (this.inflight < Math.min(limit.limit, this.offered)) this.#begin();
      limit.seen(this.inflight);
      clock.advance(10);
    }
    return limit.limit;
  }

  #begin(): void {
    const { clock } = this;
    this.inflight++;
    const first = this.base * Math.max(1, this.inflight / this.capacity) * (0.9 + clock.random() * 0.2);
    clock.after(first, () => this.limit.measured([first], this.inflight, clock.now()));
    clock.after(first + clock.random() * 2000, () => this.inflight--);
  }
}

for (const capacity of [8, 32, 100]) {
  test(`a server for ${capacity} requests at once gets about as many (QUEUE_SEED=${SEED})`, () => {
    const server = new Server(capacity, SEED);
    server.run(120_000);
    const limits = Array.from({ length: 60 }, () => server.run(1000)).sort((a, b) => a - b);
    const median = limits[30] as number;
    assert.ok(median >= capacity * 0.7 && median <= capacity * 1.8, `${median} of ${capacity}`);
  });
}

test('it follows a server that becomes weaker, and one that recovers', () => {
  const server = new Server(64, SEED);
  const strong = server.run(180_000);
  server.capacity = 8;
  const weak = server.run(180_000);
  assert.ok(weak < strong / 2 && weak <= 20, `${strong}, then ${weak}`);
  server.capacity = 64;
  const again = server.run(300_000);
  assert.ok(again > 40, `recovers to ${again}`);
});

test('it stays within its bounds, whatever is measured', () => {
  const server = new Server(1, SEED, { min: 4, max: 12 });
  for (let i = 0; i < 50; i++) {
    const limit = server.run(2000);
    assert.ok(limit >= 4 && limit <= 12, String(limit));
  }
});

test('a limit that nobody needs does not rise', () => {
  const server = new Server(1000, SEED, { initial: 20 });
  server.offered = 4;
  assert.ok(server.run(120_000) <= 20);
});

test('what it knows can be seen', () => {
  const server = new Server(16, SEED);
  server.run(60_000);
  const { limit, gradient, minRttMs, rttMs } = server.limit.state;
  assert.ok(limit > 0 && gradient >= 0.5 && gradient <= 2);
  assert.ok(minRttMs > 50 && minRttMs < 200 && rttMs > 50);
});
