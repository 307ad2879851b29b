import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../kernel/clock.ts';
import { Throttle } from './throttle.ts';

const settings = { burst: 3, refill: 1000 };

test('an address may fail a few times at once, and then once in a while', () => {
  const clock = new ManualClock();
  const throttle = new Throttle(clock);
  const fail = (address: string, key = '') => {
    const wait = throttle.wait(settings, address, key);
    throttle.failed(settings, address, key);
    return wait;
  };
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => fail('192.0.2.1')),
    [0, 0, 0, 1000, 1000],
  );
  assert.equal(fail('192.0.2.2'), 0, 'another address is another caller');
  clock.advance(999);
  assert.equal(throttle.wait(settings, '192.0.2.1', ''), 1);
  clock.advance(1);
  assert.equal(fail('192.0.2.1'), 0);
  assert.equal(fail('192.0.2.1'), 1000);
  clock.advance(3000);
  assert.equal(throttle.hold(settings, '192.0.2.1', ''), 0);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => fail('192.0.2.1')),
    [0, 0, 0, 1000],
  );
});

test('keys that begin alike count together, wherever they come from', () => {
  const throttle = new Throttle(new ManualClock());
  for (let i = 0; i < 3; i++) throttle.failed(settings, `192.0.2.${i}`, `gh_live_abcdef${i}`);
  assert.equal(throttle.wait(settings, '198.51.100.1', 'gh_live_abcdefzzz'), 1000);
  assert.equal(throttle.wait(settings, '198.51.100.1', 'gh_live_abcdeg'), 0);
  assert.equal(throttle.hold(settings, '198.51.100.1', 'gh_live_abcdefzzz'), 0, 'who has not failed is not held up');
  assert.equal(throttle.hold(settings, '192.0.2.1', 'gh_live_abcdefzzz'), 1000);
});

test('a flood of addresses is forgotten in time and never fills the memory', () => {
  const throttle = new Throttle(new ManualClock());
  for (let i = 0; i < 4; i++) throttle.failed(settings, 'first', '');
  for (let i = 0; i < 30_000; i++) throttle.failed(settings, `address ${i}`, '');
  assert.ok(throttle.hold(settings, 'first', '') > 0, 'one generation is outlived');
  for (let i = 0; i < 30_000; i++) throttle.failed(settings, `more ${i}`, '');
  assert.equal(throttle.hold(settings, 'first', ''), 0);
});

test('an IPv6 network of 64 bits is one caller, and IPv4 addresses written as IPv6 are many', () => {
  const throttle = new Throttle(new ManualClock());
  for (let i = 0; i < 4; i++) throttle.failed(settings, `2001:db8::${i}`, '');
  assert.ok(throttle.hold(settings, '2001:db8::9', '') > 0);
  for (let i = 0; i < 4; i++) throttle.failed(settings, '::ffff:192.0.2.1', '');
  assert.ok(throttle.hold(settings, '192.0.2.1', '') > 0);
  assert.equal(throttle.hold(settings, '::ffff:192.0.2.2', ''), 0);
});
