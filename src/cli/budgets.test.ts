/** Budgets of a node and the ledger: who looks after the former never holds up the latter. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import type { LeaseAsk, Rule } from '../policy/quota/quota.ts';
import type { Store } from '../store/store.ts';
import type { BudgetCounts } from './budgetcounts.ts';
import { Budgets } from './budgets.ts';

const RULE: Rule = {
  name: 'budget:all',
  unit: 'credits',
  limit: 100,
  refill: { type: 'calendar', every: 'day', timeZone: 'UTC' },
  known: true,
  scope: 'shared',
  onStoreLoss: 'refuse',
  budget: { key: ['resource'], alerts: [0.5], only: {} },
};

test('journals are read while an alert is written down, and between two keys that are counted', async () => {
  const clock = new ManualClock();
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(body: () => Promise<T>): Promise<T> => {
    const result = turn.then(body);
    turn = result.catch(() => {});
    return result;
  };
  const alerted: string[] = [];
  const order: string[] = [];
  let write: (result: { ok: boolean }) => void = () => {};
  let reads = 0;
  const store = {
    driver: 'postgres',
    get: async () => undefined,
    ledger: {
      sums: async () => {
        order.push(`count ${++reads}`);
        // Somebody writes to it meanwhile.
        if (reads > 3) void inTurn(async () => void order.push('read'));
        return [{ group: {}, cost: 60 }];
      },
      cost: async () => 0,
    },
    write: () =>
      new Promise((done) => {
        write = done;
      }),
  } as unknown as Store;
  let heard = 7;
  const counts = {
    isShared: () => true,
    setOutside: () => {},
    usedOf: () => 60,
    limitOf: () => 100,
    exhausted: () => false,
    get heard() {
      return heard;
    },
  } as unknown as BudgetCounts;
  const budgets = new Budgets({
    clock,
    counts,
    store: () => store,
    beside: () => [],
    writtenAt: () => 5,
    ended: () => false,
    inTurn,
    notice: () => {},
    alerted: (budget) => alerted.push(budget),
  });
  assert.equal(budgets.writtenAt(), undefined);
  assert.equal(budgets.ended(), true, 'without budgets nobody has spent anything');
  budgets.configure([RULE, { ...RULE, name: 'budget:other' }, { ...RULE, name: 'budget:third' }]);
  assert.equal(budgets.writtenAt(), 5);
  assert.equal(budgets.ended(), false);
  const names = ['budget:all', 'budget:other', 'budget:third'];
  await budgets.before(names.map((rule) => ({ rule, key: '*' }) as LeaseAsk));
  const day = Math.floor(clock.wall() / 86_400_000) * 86_400_000;
  assert.equal(budgets.known('budget:all', '*', day)?.heard, 7);
  clock.advance(11_000);
  heard = 9;
  order.length = 0;
  const looking = budgets.look();
  while (order.length < 6) await new Promise(setImmediate);
  assert.deepEqual(order, ['count 4', 'read', 'count 5', 'read', 'count 6', 'read']);
  // An alert of the first is being written down.
  assert.deepEqual(alerted, []);
  await inTurn(async () => {});
  assert.equal(budgets.known('budget:all', '*', day)?.heard, 9);
  for (let i = 0; i < 3; i++) {
    await new Promise(setImmediate);
    write({ ok: true });
  }
  await looking;
  assert.deepEqual(alerted, ['all', 'other', 'third']);
});
