import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import { type BreakerEvent, Events } from '../kernel/event.ts';
import { upstreamConfig } from './config.ts';
import { type AskProbe, Standing } from './standing.ts';

/** A standing with a breaker that one error opens for 10 s, in a process that has to ask for its probe. */
function make(settings: object = {}, shared = true) {
  const clock = new ManualClock();
  const events = new Events();
  const told: BreakerEvent[] = [];
  const asked: boolean[] = [];
  events.on('breakerChanged', (change) => told.push({ ...change }));
  const askProbe: AskProbe = (_, __, take) => asked.push(take);
  const breaker = { consecutiveErrors: 1, openFor: '10s' };
  const config = upstreamConfig.parse({ endpoints: [{ url: 'http://a' }], breaker, ...settings });
  const standing = new Standing({
    upstream: 'u',
    endpoint: 'a',
    config,
    clock,
    events,
    askProbe: shared ? askProbe : undefined,
    mayEject: () => true,
    changed: () => {},
  });
  const breakNow = () => {
    standing.failed('upstream_reset', clock.now());
    clock.advance(10_000);
  };
  return { clock, told, asked, standing, breakNow };
}

test('standing: asks for the probe once a second, and sends it when it is granted', () => {
  const { clock, asked, standing, breakNow, told } = make();
  breakNow();
  for (let i = 0; i < 5; i++) assert.equal(standing.takeProbe(clock.now()), false);
  assert.deepEqual(asked, [true]);
  standing.probeGranted(false);
  assert.equal(standing.takeProbe(clock.now()), false);
  assert.deepEqual(asked, [true], 'a refusal holds for its time');
  clock.advance(1000);
  assert.equal(standing.takeProbe(clock.now()), false);
  assert.deepEqual(asked, [true, true]);
  standing.probeGranted(true);
  assert.equal(standing.takeProbe(clock.now()), true);
  assert.equal(standing.takeProbe(clock.now()), false);
  standing.probeAnswered(200, 5);
  assert.equal(standing.available, true);
  assert.deepEqual(
    told.map(({ state, own, forMs }) => [state, own, forMs]),
    [
      ['open', true, 10_000],
      ['halfOpen', true, 0],
      ['closed', true, 0],
    ],
  );
});

test('standing: a good health check ends an ejection and forgets the failures, unless that is switched off', () => {
  for (const liftedByProbe of [true, false]) {
    const settings = { breaker: undefined, passive: { consecutiveErrors: 3, ejectFor: '10s', liftedByProbe } };
    const { clock, standing } = make(settings);
    const fail = (times: number) => {
      for (let i = 0; i < times; i++) standing.failed('upstream_reset', clock.now());
    };
    fail(2);
    standing.cleared();
    fail(1);
    assert.equal(standing.ejected, true, 'a check counts for nothing while it is not out');
    clock.advance(1000);
    standing.cleared();
    assert.equal(standing.ejected, !liftedByProbe);
    assert.equal(standing.available, liftedByProbe);
    clock.advance(9000);
    assert.equal(standing.available, true);
    fail(2);
    assert.equal(standing.available, true);
    fail(1);
    assert.equal(standing.available, false);
    // The second time it is out for twice as long: what was lifted before its time counts all the same.
    clock.advance(19_999);
    assert.equal(standing.available, false);
    clock.advance(1);
    assert.equal(standing.available, true);
  }
});

test('standing: a granted probe without a request goes back; so does one that is out when it closes', () => {
  const { clock, asked, standing, breakNow } = make();
  breakNow();
  standing.takeProbe(clock.now());
  standing.probeGranted(true);
  clock.advance(1000);
  assert.deepEqual(asked, [true, false]);
  assert.equal(standing.takeProbe(clock.now()), false, 'it has to be asked for again');
  standing.probeGranted(true);
  assert.equal(standing.takeProbe(clock.now()), true);
  standing.close();
  assert.deepEqual(asked, [true, false, true, false]);
});

test('standing: what was told about the breaker is not told on', () => {
  const { clock, told, standing } = make({}, false);
  standing.setBreaker('open', 5000, false, 'another worker found out');
  assert.equal(standing.available, false);
  assert.equal(told[0]?.own, false);
  clock.advance(5000);
  assert.equal(standing.takeProbe(clock.now()), true, 'nobody is to be asked');
  standing.probed(false, 'it failed');
  assert.deepEqual([told.at(-1)?.state, told.at(-1)?.own], ['open', true]);
});

test('standing: no probe while health or the agent keeps it out; a slow one does not close it', () => {
  const { clock, standing, breakNow } = make(
    { breaker: { consecutiveErrors: 1, slowRatio: '50%', slowAfter: '1s', openFor: '10s' } },
    false,
  );
  breakNow();
  standing.setHealthy(false, 'probe failed');
  assert.equal(standing.takeProbe(clock.now()), false);
  standing.setHealthy(true, 'probe succeeded');
  standing.setAgent({ up: true, drained: true, share: 1, maxConnections: 1 }, 'agent: drain');
  assert.equal(standing.takeProbe(clock.now()), false);
  standing.setAgent({ up: true, drained: false, share: 1, maxConnections: 1 }, 'agent: ready');
  assert.equal(standing.takeProbe(clock.now()), true);
  standing.probeAnswered(200, 1500);
  assert.equal(standing.breaker?.state, 'open');
});

test('standing: other settings: the state of the breaker stays', () => {
  const { clock, asked, standing, breakNow } = make();
  const other = (breaker?: object) =>
    upstreamConfig.parse({ endpoints: [{ url: 'http://a' }], ...(breaker === undefined ? {} : { breaker }) });
  standing.failed('upstream_reset', 0);
  standing.adopt(other({ consecutiveTimeouts: 2, openFor: '20s' }));
  assert.deepEqual([standing.breaker?.state, standing.breaker?.openUntil], ['open', 10_000]);
  breakNow();
  standing.takeProbe(clock.now());
  standing.probeGranted(true);
  assert.equal(standing.takeProbe(clock.now()), true);
  standing.adopt(other({ consecutiveTimeouts: 3 }));
  assert.equal(standing.breaker?.state, 'open', 'the probe that is out has lost its say');
  assert.equal(asked.at(-1), false);
  standing.probeAnswered(200, 1);
  assert.equal(standing.available, false);
  standing.takeProbe(clock.now());
  standing.probeGranted(true);
  assert.equal(standing.takeProbe(clock.now()), true);
  standing.probeAnswered(200, 1);
  assert.equal(standing.available, true);
});

test('standing: an ejection is over when health checks have found it dead and then well again, and only then', () => {
  const { clock, standing } = make({ breaker: undefined, passive: { ejectFor: '10s' } });
  standing.eject('5 errors in a row');
  standing.setHealthy(true, 'as before');
  assert.equal(standing.available, false, 'who answers health checks may still fail requests');
  standing.setHealthy(false, 'connection refused');
  standing.setHealthy(true, 'status 200');
  assert.deepEqual([standing.available, standing.ejected], [true, false]);
  standing.eject('5 errors in a row');
  clock.advance(10_000);
  assert.equal(standing.available, false, 'the end of the ejection before is not that of this one, which is longer');
  clock.advance(10_000);
  assert.equal(standing.available, true);
});
