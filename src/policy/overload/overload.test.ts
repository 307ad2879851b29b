import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import type { GatehouseError } from '../../kernel/error.ts';
import { Events, type OverloadEvent } from '../../kernel/event.ts';
import { overloadConfig } from './config.ts';
import { Overload, type Readings } from './overload.ts';

const QUIET: Readings = {
  residentBytes: 0,
  heapUsedBytes: 0,
  heapLimitBytes: 1e9,
  loopDelayMs: 0,
  cpu: { worker: 0, quota: 0, machine: 0 },
};
const MIB = 1024 ** 2;

function guard(settings: object, priorities = [90, 50, 10], share = { slot: 0, workers: 1 }) {
  const clock = new ManualClock();
  const events = new Events();
  const notices: string[] = [];
  const seen: OverloadEvent[] = [];
  events.on('notice', ({ message }) => notices.push(message));
  events.on('overload', (state) => seen.push(state));
  const readings = { ...QUIET };
  let collected = 0;
  const overload = new Overload({ clock, events, readings: () => readings, collect: () => collected++ });
  overload.configure(overloadConfig.parse(settings), priorities, share);
  /** Highest number of requests under way with which one of this priority still comes in. */
  const room = (priority: number, most = 100_000) => {
    let low = 0;
    let high = most;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (overload.admit(priority, middle) === undefined) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  const admits = (priority: number) => overload.admit(priority, 1) === undefined;
  return { clock, overload, readings, room, admits, notices, seen, collected: () => collected };
}

describe('requests under way', () => {
  for (const [what, settings, priorities, rooms] of [
    ['the more important, the more room', { requests: 1000 }, [90, 50, 10], { 90: 1000, 50: 911, 10: 822 }],
    ['all the same: all of the limit', { requests: 7 }, [50], { 50: 7 }],
    ['a limit of one is a limit of one', { requests: 1 }, [90, 10], { 90: 1, 10: 1 }],
    ['no importance anywhere', { requests: 5 }, [0], { 0: 5 }],
    ['a small limit', { requests: 10 }, [90, 50, 10], { 90: 10, 50: 9, 10: 8 }],
    ['shed from the start', { requests: 100, shedFrom: '0%' }, [100, 50], { 100: 100, 50: 50 }],
  ] as const) {
    test(what, () => {
      const { room } = guard(settings, [...priorities]);
      for (const [priority, expected] of Object.entries(rooms))
        assert.equal(room(Number(priority)), expected, priority);
    });
  }
  test('the shares of all workers add up to the limit on all, and never to more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 5000 }), (workers, total) => {
        let sum = 0;
        for (let slot = 0; slot < workers; slot++) {
          sum += guard({ totalRequests: total, requests: 10_000 }, [50], { slot, workers }).room(50);
        }
        // With fewer requests than workers each takes one all the same: a worker that takes none would be of no use.
        assert.equal(sum, Math.max(total, workers));
      }),
    );
  });
  test('who is more important is never refused where another is taken', () => {
    const priority = fc.integer({ min: 0, max: 100 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.uniqueArray(priority, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 0, max: 3000 }),
        (requests, priorities, from, underWay, residentMib) => {
          const { overload, readings, clock } = guard({ requests, memory: '1GiB', shedFrom: `${from}%` }, priorities);
          readings.residentBytes = residentMib * MIB;
          clock.advance(1000);
          const taken = [...priorities].sort((a, b) => a - b).map((one) => overload.admit(one, underWay) === undefined);
          assert.deepEqual(taken, [...taken].sort(), `${taken}`);
          if (underWay > requests) assert.ok(!taken.includes(true));
          if (underWay < requests * (from / 100) - 1 && residentMib * MIB < (from / 100) * 1024 ** 3) {
            assert.ok(!taken.includes(false));
          }
        },
      ),
    );
  });
});

describe('what was read of the process', () => {
  for (const [resource, settings, reading] of [
    ['memory', { memory: '1000MiB' }, (share: number) => ({ residentBytes: share * 1000 * MIB })],
    ['heap', { heap: '50%' }, (share: number) => ({ heapUsedBytes: share * 5e8 })],
    ['loopDelay', { loopDelay: '100ms' }, (share: number) => ({ loopDelayMs: share * 100 })],
  ] as const) {
    test(`${resource}: the least important first, everything at the limit, nothing below`, () => {
      const { clock, readings, admits, overload, seen } = guard(settings);
      const at = (share: number) => {
        Object.assign(readings, reading(share));
        // Long enough for the delay's mean and for the easing off.
        clock.advance(10_000);
        return [90, 50, 10].filter(admits);
      };
      assert.deepEqual(at(0.79), [90, 50, 10]);
      assert.deepEqual(at(0.84), [90, 50]);
      assert.deepEqual(at(0.93), [90]);
      assert.deepEqual(at(1.01), []);
      assert.deepEqual(at(1.5), []);
      assert.equal(overload.admit(90, 1)?.rule, `overload.${resource}`);
      assert.equal(seen.at(-1)?.shedding, 1);
      assert.deepEqual(at(0), [90, 50, 10]);
    });
  }
  test('off again little by little', () => {
    const { clock, readings, admits } = guard({ memory: '1000MiB' });
    readings.residentBytes = 1000 * MIB;
    clock.advance(250);
    assert.deepEqual([90, 50, 10].filter(admits), []);
    readings.residentBytes = 0;
    clock.advance(250);
    assert.deepEqual([90, 50, 10].filter(admits), [90]);
    clock.advance(1000);
    assert.deepEqual([90, 50, 10].filter(admits), [90, 50]);
    clock.advance(1000);
    assert.deepEqual([90, 50, 10].filter(admits), [90, 50, 10]);
  });
  test('one long stop alone sheds nothing: a suspended machine, a debugger', () => {
    const { clock, readings, admits } = guard({ loopDelay: '100ms' });
    readings.loopDelayMs = 3_600_000;
    clock.advance(250);
    readings.loopDelayMs = 0;
    assert.ok(admits(10));
    clock.advance(250);
    assert.ok(admits(10));
  });
  test('memory that nobody uses any more is asked for, but not all the time', () => {
    const { clock, readings, collected } = guard({ memory: '1000MiB' });
    clock.advance(60_000);
    assert.equal(collected(), 0);
    readings.residentBytes = 950 * MIB;
    clock.advance(10_000);
    assert.ok(collected() >= 9 && collected() <= 11, `${collected()}`);
  });
  test('without limits nothing is refused and nothing read', () => {
    const { clock, overload, readings, seen } = guard({ memory: '1000MiB' });
    readings.residentBytes = 1e12;
    clock.advance(250);
    assert.ok(overload.admit(90, 1));
    overload.configure(undefined, [50], { slot: 0, workers: 1 });
    const before = seen.length;
    clock.advance(10_000);
    assert.equal(overload.admit(0, 1e9), undefined);
    assert.equal(seen.length, before);
  });
});

test('the refusal says when to come back, and spreads those who do', () => {
  const { overload } = guard({ requests: 1, retryAfter: '2s' });
  const refusals = Array.from({ length: 200 }, () => overload.admit(50, 2) as GatehouseError);
  const [first] = refusals;
  assert.equal(first?.status, 503);
  assert.equal(first?.code, 'load_shed');
  assert.equal(first?.rule, 'overload.requests');
  assert.deepEqual(first?.fields?.[1], ['x-should-retry', 'true']);
  const waits = refusals.map(({ retryAfterMs }) => retryAfterMs ?? 0);
  assert.ok(Math.min(...waits) >= 2000 && Math.max(...waits) <= 4000);
  assert.ok(new Set(waits).size > 50);
});

test('the log tells when it begins and when it is over, not each refusal', () => {
  const { clock, overload, notices } = guard({ requests: 1 });
  for (let i = 0; i < 100; i++) {
    overload.admit(50, 2);
    clock.advance(100);
  }
  assert.equal(notices.length, 1);
  assert.match(notices[0] ?? '', /refusing requests/);
  clock.advance(6000);
  assert.equal(notices.length, 2);
  assert.match(notices[1] ?? '', /over after 9.9s; 100 requests were refused/);
});
