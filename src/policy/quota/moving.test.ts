/** A request that goes over to another version: what is counted by version goes with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../kernel/clock.ts';
import type { Exchange } from '../../kernel/exchange.ts';
import { type ActiveLimit, Admission } from './admission.ts';
import { LocalAuthority } from './authority.ts';
import type { Exhausted } from './claim.ts';
import { compileKey } from './key.ts';
import { run } from './leases.fixture.ts';
import { Leases } from './leases.ts';
import { mostOf, type Refill, type Rule, type Unit } from './rule.ts';

const DAY: Refill = { type: 'calendar', every: 'day', timeZone: 'UTC' };

function house() {
  const clock = new ManualClock();
  const authority = new LocalAuthority(clock);
  const leases = new Leases(clock, async (asks) => authority.exchange(1, asks));
  const rules: Rule[] = [];
  const limit = (name: string, unit: Unit, most: number, key: string[], refill = DAY, observe = false): ActiveLimit => {
    const rule: Rule = { name, unit, limit: most, refill, known: true, scope: 'node', onStoreLoss: 'refuse' };
    rules.push(rule);
    authority.configure(rules);
    return {
      rule,
      owner: leases.rule(rule),
      keyOf: compileKey(key),
      observe,
      needsBody: true,
      byVersion: key.includes('version'),
      output: 0,
      most: mostOf(rule),
    };
  };
  const reports: string[] = [];
  /** A request that has been let in at version `own`. */
  const enter = async (limits: ActiveLimit[], credits: number) => {
    const exchange = { version: 'own', outcome: 'open' } as Exchange;
    const demand = { tokens: 0, inputTokens: 0, outputTokens: 0, bytes: 1, credits };
    let answer: Exhausted | 'none' | undefined = 'none';
    const decided = (exhausted: Exhausted | undefined) => {
      answer = exhausted;
    };
    const report = ({ rule, key }: Exhausted, observed: boolean) => reports.push(`${rule.name} ${key} ${observed}`);
    const admission = new Admission(leases, limits, exchange, demand, report, decided);
    const wait = async (verdict: Exhausted | 'wait' | undefined) => {
      if (verdict !== 'wait') return verdict;
      await run(clock, 100, 10, () => {});
      assert.notEqual(answer, 'none');
      const said = answer as Exhausted | undefined;
      answer = 'none';
      return said;
    };
    assert.equal(await wait(admission.begin()), undefined);
    return {
      ask: (version: string) => admission.prepare(version, decided),
      prepare: (version: string) => wait(admission.prepare(version, decided)),
      goOver: (version: string) => {
        exchange.version = version;
        return wait(admission.move(decided));
      },
      stay: () => admission.stay(),
      end: async (cost: number) => {
        admission.end({ ...demand, credits: cost });
        await run(clock, 15_000, 50, () => {});
      },
    };
  };
  return { authority, limit, enter, reports, clock };
}

test('what it costs is charged to the version that it has gone over to', async () => {
  for (const prepared of [false, true]) {
    const { authority, limit, enter } = house();
    const limits = [
      limit('version', 'credits', 20, ['version']),
      limit('all', 'credits', 100, ['resource']),
      limit('places', 'concurrency', 2, ['version'], { type: 'held' }),
    ];
    const request = await enter(limits, 5);
    if (prepared) {
      assert.equal(await request.prepare('spot'), undefined);
      assert.deepEqual([authority.counted('places', 'own'), authority.counted('places', 'spot')], [1, 1]);
    }
    assert.equal(await request.goOver('spot'), undefined);
    await request.end(5);
    assert.deepEqual([authority.counted('version', 'own'), authority.counted('version', 'spot')], [0, 5]);
    assert.equal(authority.counted('all', '*'), 5);
    assert.deepEqual([authority.counted('places', 'own'), authority.counted('places', 'spot')], [0, 0]);
  }
});

test('where the budget of the other version is spent it is refused there, and nothing is charged', async () => {
  const { authority, limit, enter, reports } = house();
  const limits = [limit('version', 'credits', 20, ['version'])];
  authority.spend('version', 'spot', 18);
  const request = await enter(limits, 5);
  assert.equal((await request.goOver('spot'))?.key, 'spot');
  assert.deepEqual(reports, ['version spot false']);
  await request.end(0);
  assert.deepEqual([authority.counted('version', 'own'), authority.counted('version', 'spot')], [0, 18]);
});

test('who only asks whether it could go over, and stays, is charged here', async () => {
  const { authority, limit, enter, reports } = house();
  const limits = [limit('version', 'credits', 20, ['version'])];
  const request = await enter(limits, 5);
  assert.equal(await request.prepare('spot'), undefined);
  request.stay();
  await request.end(4);
  assert.deepEqual([authority.counted('version', 'own'), authority.counted('version', 'spot')], [4, 0]);
  authority.spend('version', 'spot', 20);
  const second = await enter(limits, 5);
  assert.equal((await second.prepare('spot'))?.key, 'spot');
  await second.end(4);
  assert.deepEqual([authority.counted('version', 'own'), authority.counted('version', 'spot')], [8, 20]);
  assert.deepEqual(reports, [], 'nobody was refused');
});

test('a request that ends while it asks gives everything back', async () => {
  const { authority, limit, enter } = house();
  const limits = [limit('version', 'credits', 20, ['version'])];
  const asked = await enter(limits, 5);
  assert.equal(await asked.prepare('spot'), undefined);
  await asked.end(0);
  const asking = await enter(limits, 5);
  assert.equal(asking.ask('third'), 'wait');
  await asking.end(3);
  assert.deepEqual(
    ['own', 'spot', 'third'].map((key) => authority.counted('version', key)),
    [3, 0, 0],
  );
});

test('limits that only watch watch the other version', async () => {
  const { authority, limit, enter, reports, clock } = house();
  const limits = [limit('watched', 'credits', 20, ['version'], DAY, true)];
  authority.spend('watched', 'spot', 15);
  const request = await enter(limits, 5);
  assert.equal(await request.goOver('spot'), undefined);
  await run(clock, 100, 10, () => {});
  await request.end(7);
  assert.deepEqual([authority.counted('watched', 'own'), authority.counted('watched', 'spot')], [0, 22]);
  assert.deepEqual(reports, []);
});
