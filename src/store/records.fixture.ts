/** What every driver keeps to: history, ledger, and what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LedgerEntry } from './ledger.ts';
import { collect, isFault, put, type Stage } from './stage.fixture.ts';
import type { Author, Store, Write } from './store.ts';

const ALICE: Author = { who: 'admin:alice', what: 'keys.create' };

const entry = (id: string, more: Partial<LedgerEntry> = {}): LedgerEntry => ({
  id,
  at: Date.UTC(2026, 10, 30, 12),
  tenant: 'acme',
  key: 'k1',
  model: 'small',
  version: 'v1',
  route: 'chat',
  requests: 1,
  inputTokens: 10,
  cachedInputTokens: 2,
  outputTokens: 5,
  reasoningTokens: 1,
  cost: 1_000_000_007,
  ...more,
});

/** Registers the tests of what is recorded about changes and use. */
export function recordsContract(stage: Stage): void {
  test('with an author, who changed what stands in the history, without secrets', async () => {
    await stage.store.write([put('a', { secret: 's', n: 1 }), put('b', 1)], ALICE);
    stage.subject.advance(1000);
    await stage.store.write([put('a', { secret: 't', n: 2 })], { who: 'cli:bob', what: 'keys.update' });
    await stage.store.write(
      [
        { op: 'delete', kind: 'key', id: 'a' },
        { op: 'delete', kind: 'key', id: 'none' },
      ],
      ALICE,
    );
    await stage.store.write([put('c', 1)]);
    await stage.store.write([put('b', 1, { expect: 0 })], ALICE);
    const brief = (await stage.store.history()).map(({ who, what, kind, id, before, after }) => ({
      who,
      what,
      kind,
      id,
      before,
      after,
    }));
    const create = { who: 'admin:alice', what: 'keys.create', kind: 'key' };
    assert.deepEqual(brief, [
      { ...create, id: 'a', before: { n: 2 }, after: undefined },
      { who: 'cli:bob', what: 'keys.update', kind: 'key', id: 'a', before: { n: 1 }, after: { n: 2 } },
      { ...create, id: 'b', before: undefined, after: 1 },
      { ...create, id: 'a', before: undefined, after: { n: 1 } },
    ]);
    const [, second] = await stage.store.history();
    const ids = async (page: Parameters<Store['history']>[0]) =>
      (await stage.store.history(page)).map((each) => each.sequence);
    const all = await ids({});
    assert.deepEqual(await ids({ id: 'a', kind: 'key' }), [all[0], all[1], all[3]]);
    assert.deepEqual(await ids({ who: 'cli:bob' }), [all[1]]);
    assert.deepEqual(await ids({ before: all[1] as number, limit: 1 }), [all[2]]);
    assert.deepEqual(await ids({ since: second?.at as number }), [all[0], all[1]]);
    assert.deepEqual(await ids({ until: second?.at as number }), [all[2], all[3]]);
    assert.equal((await stage.store.sweep({ historyBefore: second?.at as number })).history, 2);
    assert.deepEqual(await ids({}), all.slice(0, 2));
  });

  test('the ledger takes each id once, and sums by any group of days', async () => {
    const next = Date.UTC(2026, 11, 1);
    assert.equal(
      await stage.store.ledger.append([entry('1'), entry('2', { tenant: 'b' }), entry('1', { cost: 5 })]),
      2,
    );
    assert.equal(
      await stage.store.ledger.append([entry('2'), entry('3', { at: next, model: 'big', detail: { status: 200 } })]),
      1,
    );
    assert.equal(await stage.store.ledger.append([]), 0);
    const counts = {
      requests: 1,
      inputTokens: 10,
      cachedInputTokens: 2,
      outputTokens: 5,
      reasoningTokens: 1,
      cost: 1_000_000_007,
    };
    assert.deepEqual(await stage.store.ledger.sums({ by: ['day', 'tenant'] }), [
      { group: { day: '2026-11-30', tenant: 'acme' }, ...counts },
      { group: { day: '2026-11-30', tenant: 'b' }, ...counts },
      { group: { day: '2026-12-01', tenant: 'acme' }, ...counts },
    ]);
    const [all] = await stage.store.ledger.sums({ by: [] });
    assert.deepEqual([all?.group, all?.requests, all?.cost], [{}, 3, 3_000_000_021]);
    const models = await stage.store.ledger.sums({
      by: ['model'],
      from: '2026-12-01',
      to: '2026-12-01',
      where: { tenant: 'acme' },
    });
    assert.deepEqual(
      models.map(({ group }) => group),
      [{ model: 'big' }],
    );
    assert.deepEqual((await stage.store.ledger.sums({ by: ['tenant'], limit: 1 })).length, 1);
    const stream = async (query: Parameters<Store['ledger']['entries']>[0]) =>
      (await collect(stage.store.ledger.entries(query))).map(({ id }) => id);
    assert.deepEqual(await stream({ pageSize: 1 }), ['1', '2', '3']);
    assert.deepEqual(await stream({ since: next }), ['3']);
    assert.deepEqual(await stream({ until: next, where: { tenant: 'b' } }), ['2']);
    assert.deepEqual(
      (await collect(stage.store.ledger.entries())).at(-1),
      entry('3', { at: next, model: 'big', detail: { status: 200 } }),
    );
    assert.equal((await stage.store.sweep({ ledgerBefore: next })).ledger, 2);
    assert.equal((await stage.store.ledger.sums({ by: [] }))[0]?.requests, 3, 'sums outlive their entries');
  });

  test('many entries at once, some of them known already, each count once', async () => {
    const many = (from: number, count: number) =>
      Array.from({ length: count }, (_, at) =>
        entry(`${from + at}`, {
          key: `k${(from + at) % 7}`,
          cost: from + at,
          detail: { charged: { b: `k${(from + at) % 3}` } },
        }),
      );
    const { ledger } = stage.store;
    assert.equal(await ledger.append(many(0, 130)), 130);
    assert.equal(await ledger.append([...many(100, 130), ...many(225, 5)]), 100);
    const rich = { key: 'rich', cost: Number.MAX_SAFE_INTEGER };
    assert.equal(await ledger.append([entry('a', rich), ...many(230, 50), entry('b', rich)]), 52);
    const sums = await ledger.sums({ by: ['key'], where: { tenant: 'acme' } });
    for (let key = 0; key < 7; key++) {
      const of = many(0, 280).filter((one) => one.key === `k${key}`);
      const cost = of.reduce((sum, one) => sum + one.cost, 0);
      const found = sums.find(({ group }) => group.key === `k${key}`);
      assert.deepEqual([found?.requests, found?.cost], [of.length, cost]);
    }
    const [most] = await ledger.sums({ by: [], where: { key: 'rich' } });
    assert.deepEqual([most?.requests, most?.cost], [2, 2 * Number.MAX_SAFE_INTEGER]);
    assert.equal((await collect(ledger.entries())).length, 282);
    const charged = many(0, 280).filter((_, at) => at % 3 === 0);
    const sum = charged.reduce((total, one) => total + one.cost, 0);
    assert.equal(await ledger.charged({ budget: 'b', key: 'k0', fromHour: 0 }), sum);
  });

  test('what keys of budgets were charged with is kept by hour, and single entries are added up', async () => {
    const at = Date.UTC(2026, 10, 30, 23, 59);
    const charged = (team: string) => ({ detail: { charged: { 'budget:team': team, other: 'x' } } });
    const entries = [
      entry('1', { at, cost: 1, ...charged('a\0b') }),
      entry('2', { at: at + 60_000, cost: 2, ...charged('a\0b') }),
      entry('3', { at: at + 60_000, cost: 4, ...charged('"é') }),
      entry('4', { at: at + 60_000, cost: 8, detail: 'text' }),
    ];
    await stage.store.ledger.append(entries);
    await stage.store.ledger.append(entries.slice(1));
    const hour = Math.floor(at / 3_600_000);
    const sum = (budget: string, key: string, fromHour: number) =>
      stage.store.ledger.charged({ budget, key, fromHour });
    assert.equal(await sum('budget:team', 'a\0b', hour), 3);
    assert.equal(await sum('budget:team', 'a\0b', hour + 1), 2);
    assert.equal(await sum('budget:team', '"é', hour), 4);
    assert.equal(await sum('budget:team', 'c', hour), 0);
    assert.equal(await sum('other', 'x', hour), 7);
    const keys = (budget: string, fromHour: number, limit: number) =>
      stage.store.ledger.chargedKeys({ budget, fromHour, limit });
    assert.deepEqual(await keys('budget:team', hour, 10), ['"é', 'a\0b']);
    assert.deepEqual(await keys('budget:team', hour, 1), ['"é']);
    assert.deepEqual(await keys('budget:team', hour + 2, 10), []);
    assert.equal(await stage.store.ledger.cost({ since: at + 1 }), 14);
    assert.equal(await stage.store.ledger.cost({ until: at + 1, where: { tenant: 'acme' } }), 1);
    await stage.store.sweep({ ledgerBefore: at + 33 * 86_400_000 });
    assert.equal(await sum('other', 'x', 0), 0);
  });

  test('what no store can hold is refused before anything is written', async () => {
    const bad: Write[][] = [
      [put('', 1)],
      [put('a\u0000', 1)],
      [put('\ud800', 1)],
      [put('x'.repeat(513), 1)],
      [{ ...put('a', 1), kind: 'Key' }],
      [put('a', undefined)],
      [put('a', 'x'.repeat(1_048_576))],
      [put('a', 1), put('a', 2)],
      [put('a', 1, { expect: -1 })],
      [put('a', 1, { lookups: ['x', 'x'] })],
      [put('a', 1, { lookups: [''] })],
      [put('a', 1, { expiresAt: 1.5 })],
      [put('a', 1n)],
    ];
    for (const writes of bad) await assert.rejects(stage.store.write([put('fine', 1), ...writes]), isFault('invalid'));
    await assert.rejects(stage.store.ledger.append([entry('1', { cost: 0.5 })]), isFault('invalid'));
    await assert.rejects(stage.store.ledger.append([entry('')]), isFault('invalid'));
    await assert.rejects(stage.store.ledger.sums({ by: [], from: '2026-02-30' }), isFault('invalid'));
    await assert.rejects(stage.store.list('key', { limit: 0 }), isFault('invalid'));
    await assert.rejects(stage.store.list('key', { parent: 'a\u0000' }), isFault('invalid'));
    await assert.rejects(stage.store.list('key', { after: '\ud800' }), isFault('invalid'));
    await assert.rejects(stage.store.history({ who: 'a\u0000' }), isFault('invalid'));
    await assert.rejects(stage.store.write([put('a', 1)], { who: 'a\u0000', what: '' }), isFault('invalid'));
    await assert.rejects(stage.store.ledger.append([entry('1', { detail: 1n })]), isFault('invalid'));
    await assert.rejects(stage.store.ledger.sums({ by: [], where: { key: '\u0000' } }), isFault('invalid'));
    assert.equal(await stage.store.revision(), 0);
  });
}
