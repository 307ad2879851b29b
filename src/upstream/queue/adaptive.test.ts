/** The limit finds a server's capacity by the time to its first token, under simulated load and time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import { AdaptiveLimit } from './adaptive.ts';
import { adaptiveConfig } from './config.ts';
import { sizeClass } from './rest.ts';

const SEED = Number(process.env.QUEUE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const KIB = 1024;

/** What a server does with more requests than it has room for: all become slower, or who is too many waits. */
type Knee = 'shares' | 'queues';

/**
 * A server that has room for `capacity` requests at once; load is as many as the limit allows, or `offered`. The time to the
 * first token is spread by `noise` (standard deviation of its logarithm) and grows with the prompt.
 */
class Server {
  capacity: number;
  base = 100;
  /** Milliseconds of a KiB of prompt. */
  perKib = 0;
  answerMs = 1000;
  noise = 0.1;
  offered = Number.POSITIVE_INFINITY;
  /** Bytes of the next prompt. */
  prompt = () => 500;
  /** More than that are turned away at once. */
  turnsAwayFrom = Number.POSITIVE_INFINITY;
  inflight = 0;
  done = 0;
  firsts: number[] = [];
  readonly clock: ManualClock;
  readonly limit: AdaptiveLimit;
  readonly #knee: Knee;
  #waiting: (() => void)[] = [];
  #served = 0;

  constructor(capacity: number, knee: Knee = 'shares', settings: object = {}, seed = SEED) {
    this.clock = new ManualClock(0, seed);
    this.capacity = capacity;
    this.#knee = knee;
    this.limit = new AdaptiveLimit(adaptiveConfig.parse(settings), 0, () => this.clock.random());
  }

  /** Gives the limit at the end; `done` and `firsts` are of this run. */
  run(ms: number): number {
    const { clock, limit } = this;
    this.done = 0;
    this.firsts = [];
    for (let passed = 0; passed < ms; passed += 10) {
      for (let most = 100; most > 0 && this.inflight < Math.min(limit.limit, this.offered); most--) this.#begin();
      limit.seen(this.inflight);
      clock.advance(10);
    }
    return limit.limit;
  }

  /** Middle of the times to the first token of this run. */
  get first(): number {
    return this.firsts.sort((a, b) => a - b)[this.firsts.length >> 1] ?? 0;
  }

  #begin(): void {
    const { clock } = this;
    if (this.inflight >= this.turnsAwayFrom) {
      this.inflight++;
      clock.after(5, () => {
        this.inflight--;
        this.limit.measured([], 1, this.inflight, clock.now());
      });
      return;
    }
    this.inflight++;
    const bytes = this.prompt();
    const began = clock.now();
    const serve = () => {
      this.#served++;
      const slower = this.#knee === 'shares' ? Math.max(1, this.inflight / this.capacity) : 1;
      const first = (this.base + (bytes / KIB) * this.perKib) * slower * Math.exp(this.noise * this.#normal());
      clock.after(first, () => {
        const took = clock.now() - began;
        this.firsts.push(took);
        this.limit.measured([took, sizeClass(bytes)], 0, this.inflight, clock.now());
      });
      clock.after(first + clock.random() * 2 * this.answerMs * slower, () => {
        this.inflight--;
        this.#served--;
        this.done++;
        this.#waiting.shift()?.();
      });
    };
    if (this.#knee === 'queues' && this.#served >= this.capacity) this.#waiting.push(serve);
    else serve();
  }

  #normal(): number {
    const { clock } = this;
    return Math.sqrt(-2 * Math.log(1 - clock.random())) * Math.cos(2 * Math.PI * clock.random());
  }
}

/** Middle of the limits of a minute. */
function middle(server: Server): number {
  return Array.from({ length: 60 }, () => server.run(1000)).sort((a, b) => a - b)[30] as number;
}

describe(`a limit that is found (QUEUE_SEED=${SEED})`, () => {
  for (const knee of ['shares', 'queues'] as const)
    for (const noise of [0.1, 0.5])
      for (const capacity of [8, 32, 100])
        test(`a server for ${capacity} that ${knee}, noise ${noise}: about as many, after a minute`, () => {
          const server = new Server(capacity, knee);
          server.noise = noise;
          server.run(60_000);
          const found = middle(server);
          assert.ok(found >= capacity * 0.6 && found <= capacity * 2 + 4, `${found} of ${capacity}`);
        });

  for (const knee of ['shares', 'queues'] as const)
    test(`long answers of a server that ${knee}: nothing is wasted, nobody waits long`, () => {
      const server = new Server(32, knee);
      server.answerMs = 10_000;
      server.noise = 0.4;
      server.run(180_000);
      server.run(600_000);
      const most = (32 / 10_100) * 600_000;
      assert.ok(server.done > 0.8 * most, `${server.done} of ${most}`);
      assert.ok(server.first < 3 * server.base, `${server.first} ms`);
    });

  test('it follows a server that becomes weaker, and one that recovers', () => {
    const server = new Server(64);
    const strong = server.run(180_000);
    server.capacity = 8;
    server.run(120_000);
    const weak = middle(server);
    assert.ok(weak < strong / 2 && weak <= 24, `${strong}, then ${weak}`);
    server.capacity = 64;
    server.run(240_000);
    const again = middle(server);
    assert.ok(again > 40, `recovers to ${again}`);
  });

  test('a server that becomes weaker while rest is measured', () => {
    for (let at = 0; at < 6; at++) {
      const server = new Server(64);
      server.run(120_000);
      for (let i = 0; i < 1000 && !server.limit.state.probing; i++) server.run(100);
      server.run(at * 100);
      server.capacity = 8;
      server.run(120_000);
      const found = middle(server);
      assert.ok(found <= 24, `${found}`);
    }
  });

  test('a long overload is not what is normal', () => {
    const server = new Server(32, 'shares', { initial: 200, max: 400 });
    server.noise = 0.3;
    server.run(600_000);
    const found = middle(server);
    assert.ok(found <= 64, `${found}`);
    const { minRttMs } = server.limit.state;
    assert.ok(minRttMs < 180, `${minRttMs}`);
  });

  test('a server that is another, slower at rest, gets as many again', () => {
    const server = new Server(32);
    server.run(120_000);
    server.base = 500;
    server.run(180_000);
    const found = middle(server);
    assert.ok(found > 18 && found < 64, `${found}`);
  });

  test('a server that is faster at rest is soon held to that', () => {
    const server = new Server(32);
    server.base = 500;
    server.run(120_000);
    server.base = 100;
    server.run(120_000);
    const found = middle(server);
    assert.ok(found > 18 && found < 64, `${found}`);
  });

  test('long prompts in place of short ones, and both by turns, are no load', () => {
    const server = new Server(32);
    server.noise = 0.3;
    server.perKib = 50;
    server.prompt = () => (server.clock.random() < 0.5 ? 500 : 40 * KIB);
    server.run(120_000);
    const before = middle(server);
    for (const [what, prompt] of [
      ['long', () => 40 * KIB],
      ['short', () => 500],
      ['none like it before', () => 200 * KIB],
    ] as const) {
      server.prompt = prompt;
      let lowest = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 60; i++) {
        server.run(1000);
        lowest = Math.min(lowest, server.limit.state.found);
      }
      assert.ok(lowest >= before * 0.5, `${what}: ${lowest} after ${before}`);
    }
  });

  test('a server that turns away gets fewer', () => {
    const server = new Server(1000, 'shares', { initial: 100 });
    server.turnsAwayFrom = 24;
    server.run(60_000);
    const found = middle(server);
    assert.ok(found >= 12 && found <= 40, `${found}`);
  });

  test('it stays within its bounds, whatever is measured', () => {
    const sample = fc.tuple(
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.integer({ min: 0, max: 2 ** 31 }).map(sizeClass),
    );
    const step = fc.record({
      samples: fc.array(sample, { maxLength: 40 }),
      refused: fc.nat(50),
      inflight: fc.nat(100),
      after: fc.integer({ min: 0, max: 60_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const limit = new AdaptiveLimit(adaptiveConfig.parse({ min: 4, max: 12 }), 0, () => 0.5);
        let now = 0;
        for (const { samples, refused, inflight, after } of steps) {
          now += after;
          limit.measured(samples.flat(), refused, inflight, now);
          const { limit: at, found, gradient, minRttMs, rttMs } = limit.state;
          assert.ok(at >= 4 && at <= 12 && found >= 4 && found <= 12, String(at));
          assert.ok(gradient >= 0 && gradient <= 2 && Number.isFinite(minRttMs) && Number.isFinite(rttMs));
        }
      }),
      { numRuns: 200 },
    );
  });

  test('a limit that nobody needs does not rise', () => {
    const server = new Server(1000, 'shares', { initial: 20 });
    server.offered = 4;
    assert.ok(server.run(120_000) <= 20);
  });

  test('while there is little to do, nothing is cut to measure rest, and rest is known all the same', () => {
    const server = new Server(32);
    server.offered = 6;
    for (let i = 0; i < 600; i++) {
      server.run(100);
      assert.ok(!server.limit.state.probing);
    }
    server.base = 300;
    server.run(120_000);
    const { minRttMs } = server.limit.state;
    assert.ok(minRttMs > 200 && minRttMs < 400, `${minRttMs}`);
  });

  test('what it knows can be seen', () => {
    const server = new Server(16);
    server.run(60_000);
    const { limit, gradient, minRttMs, rttMs } = server.limit.state;
    assert.ok(limit > 0 && gradient >= 0.5 && gradient <= 2);
    assert.ok(minRttMs > 50 && minRttMs < 200 && rttMs > 50);
  });
});

test('sizes of prompts', () => {
  assert.deepEqual(
    [0, 1, 1023, 1024, 2047, 2048, 1e6, 4e9, Number.MAX_SAFE_INTEGER].map(sizeClass),
    [0, 0, 0, 1, 1, 2, 10, 12, 12],
  );
});
