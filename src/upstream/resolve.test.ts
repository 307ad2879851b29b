import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ManualClock } from '../kernel/clock.ts';
import { type Lookup, Resolver } from './resolve.ts';

function make(host: string, answers: (string[] | Error)[]) {
  const asked: string[] = [];
  const failures: string[] = [];
  const lookup: Lookup = async (name) => {
    asked.push(name);
    const answer = answers.shift();
    if (!Array.isArray(answer)) throw answer ?? new Error('no more answers');
    return answer;
  };
  return { asked, failures, resolver: new Resolver(host, lookup, (message) => failures.push(message)) };
}

test('addresses are used in turn', async () => {
  const { resolver } = make('a.test', [['10.0.0.1', '10.0.0.2', '::1']]);
  assert.equal(resolver.next(), undefined, 'not resolved yet');
  await resolver.start(new ManualClock(), 1000);
  const seen = Array.from({ length: 6 }, () => resolver.next());
  assert.deepEqual([...seen.slice(0, 3)].sort(), ['10.0.0.1', '10.0.0.2', '::1']);
  assert.deepEqual(seen.slice(3), seen.slice(0, 3));
  resolver.stop();
});

test('looked up again; what fails or is empty leaves the last good addresses', async () => {
  const clock = new ManualClock();
  const { asked, failures, resolver } = make('a.test', [['10.0.0.1'], new Error('SERVFAIL'), [], ['10.0.0.9']]);
  await resolver.start(clock, 1000);
  for (const expected of ['10.0.0.1', '10.0.0.1', '10.0.0.9']) {
    clock.advance(1000);
    await setImmediate();
    assert.equal(resolver.next(), expected);
  }
  assert.deepEqual(failures, ['a.test: SERVFAIL']);
  resolver.stop();
  clock.advance(10_000);
  assert.equal(asked.length, 4, 'no look-up after stop');
});

test('a first look-up that fails does not fail the start', async () => {
  const { failures, resolver } = make('a.test', [new Error('ENOTFOUND')]);
  await resolver.start(new ManualClock(), 1000);
  assert.equal(resolver.next(), undefined);
  assert.deepEqual(failures, ['a.test: ENOTFOUND']);
});

test('addresses are never looked up', async () => {
  for (const host of ['10.0.0.1', '::1']) {
    const { asked, resolver } = make(host, []);
    const clock = new ManualClock();
    await resolver.start(clock, 1000);
    clock.advance(5000);
    assert.equal(resolver.next(), host);
    assert.equal(asked.length, 0);
  }
});
