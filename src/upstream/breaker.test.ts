import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BREAKER_OFF, Breaker, type BreakerSettings } from './breaker.ts';

const make = (settings: Partial<BreakerSettings>) => new Breaker({ ...BREAKER_OFF, ...settings });

// + answered, - failed, t timed out, s answered slowly, one a second; below, the state after each: c, o.
const walks: [string, Partial<BreakerSettings>, string, string][] = [
  ['timeouts in a row', { consecutiveTimeouts: 3 }, 'tttt', 'ccoo'],
  ['an answer between starts the count anew', { consecutiveTimeouts: 3 }, 'tt+ttt', 'ccccco'],
  ['another failure between does too', { consecutiveTimeouts: 3 }, 'tt-ttt', 'ccccco'],
  ['errors in a row, timeouts among them', { consecutiveErrors: 3 }, '-t-', 'cco'],
  ['a share of errors, not before there are enough requests', { errorRatio: 0.5, minRequests: 4 }, '--+-', 'ccco'],
  [
    'the share is that of the window',
    { errorRatio: 0.5, minRequests: 2, window: 2000 },
    '+++++--',
    'ccccco'.padEnd(7, 'o'),
  ],
  ['a share of slow answers', { slowRatio: 0.5, slowAfter: 500, minRequests: 4 }, '+s+s', 'ccco'],
  ['a timeout is slow', { slowRatio: 0.5, slowAfter: 500, minRequests: 2 }, '+t', 'co'],
  ['no rule, no opening', {}, '-----ttttt', 'cccccccccc'],
];

for (const [title, settings, requests, expected] of walks) {
  test(`breaker: ${title}`, () => {
    const breaker = make(settings);
    let seen = '';
    for (const [at, request] of [...requests].entries()) {
      const now = at * 1000;
      if (request === '+' || request === 's') breaker.succeeded(now, now, request === 's' ? 900 : 10);
      else breaker.failed(now, now, request === 't');
      seen += breaker.state[0];
    }
    assert.equal(seen, expected);
  });
}

const opened = () => {
  const breaker = make({ consecutiveErrors: 1, openFor: 1000 });
  breaker.failed(0, 0, false);
  return breaker;
};

test('breaker: open for its time, then exactly one probe', () => {
  const breaker = opened();
  assert.equal(breaker.takeProbe(999), false);
  assert.equal(breaker.takeProbe(1000), true);
  assert.equal(breaker.takeProbe(1000), false);
  breaker.probed(1200, true, 'well');
  assert.equal(breaker.state, 'closed');
  assert.equal(breaker.takeProbe(5000), false);
});

test('breaker: a probe that fails, or is refused by another rule, opens it anew', () => {
  const breaker = opened();
  for (const reason of ['it failed', 'the pool was full']) {
    const now = breaker.openUntil;
    assert.equal(breaker.takeProbe(now), true);
    breaker.probed(now + 10, false, reason);
    assert.deepEqual([breaker.state, breaker.reason, breaker.openUntil], ['open', reason, now + 1010]);
  }
});

test('breaker: what was sent before it closed says nothing about the server now', () => {
  const breaker = opened();
  breaker.takeProbe(1000);
  breaker.probed(1100, true, 'well');
  breaker.failed(1200, 1050, true);
  assert.equal(breaker.state, 'closed');
  breaker.failed(1200, 1150, true);
  assert.equal(breaker.state, 'open');
});

test('breaker: what an operator forces stays', () => {
  const breaker = opened();
  breaker.set(10, 'open', 0, true, 'forced');
  assert.equal(breaker.takeProbe(1e9), false);
  breaker.set(20, 'closed', 0, true, 'forced');
  for (let i = 0; i < 10; i++) breaker.failed(30, 30, true);
  assert.equal(breaker.state, 'closed');
  breaker.set(40, 'closed', 0, false, 'back');
  breaker.failed(50, 50, true);
  assert.equal(breaker.state, 'open');
});

test('breaker: whatever happens, at most one probe is out, and none before its time', () => {
  const event = fc.record({
    after: fc.nat(700),
    what: fc.constantFrom('ok', 'slow', 'error', 'timeout', 'ask', 'good', 'bad', 'told open', 'told closed'),
  });
  const settings = fc.record({
    consecutiveTimeouts: fc.nat(3),
    consecutiveErrors: fc.nat(3),
    errorRatio: fc.constantFrom(0, 0.3, 1),
    slowRatio: fc.constantFrom(0, 0.5),
    minRequests: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(settings, fc.array(event, { maxLength: 100 }), (rules, events) => {
      const breaker = make({ ...rules, slowAfter: 100, window: 1000, openFor: 1000 });
      let now = 0;
      let out = 0;
      let openedAt = 0;
      for (const { after, what } of events) {
        now += after;
        const before = breaker.state;
        if (what === 'ok' || what === 'slow') breaker.succeeded(now, now, what === 'slow' ? 200 : 1);
        else if (what === 'error' || what === 'timeout') breaker.failed(now, now, what === 'timeout');
        else if (what === 'ask') {
          if (breaker.takeProbe(now)) {
            out++;
            assert.equal(before, 'open');
            assert.ok(now - openedAt >= 1000, 'not before its time');
          }
        } else if (what === 'good' || what === 'bad') {
          if (out === 0) continue;
          out = 0;
          breaker.probed(now, what === 'good', what);
          assert.equal(breaker.state, before === 'halfOpen' ? (what === 'good' ? 'closed' : 'open') : before);
        } else {
          out = 0;
          breaker.set(now, what === 'told open' ? 'open' : 'closed', 1000, false, what);
        }
        if (breaker.state === 'open' && (before !== 'open' || what === 'told open')) openedAt = now;
        assert.ok(out <= 1);
        assert.equal(out === 1, breaker.state === 'halfOpen');
      }
    }),
    { numRuns: 300 },
  );
});
