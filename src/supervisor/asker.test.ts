import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import { Asker } from './asker.ts';
import type { Answer, Ask, TopicPage } from './messages.ts';
import { Services } from './services.ts';

test('what is asked in one turn travels as one message, and so do answers that are known at once', async () => {
  const services = new Services();
  services.provide('plus', (payload, worker) => (payload as number) + worker);
  const sent: Ask[][] = [];
  const replies: Answer[][] = [];
  const asker = new Asker(new ManualClock(), (asks) => {
    sent.push(asks);
    services.answer(asks, 100, (answers) => {
      replies.push(answers);
      asker.answered(answers);
    });
  });
  const all = [1, 2, 3].map((n) => asker.ask('plus', n, 1000));
  assert.deepEqual(await Promise.all(all), [101, 102, 103]);
  assert.equal(sent.length, 1);
  assert.equal(replies.length, 1);
  await assert.rejects(asker.ask('nothing', 0, 1000), { message: 'there is no service nothing' });
});

test('no answer in time is an error, and a late answer is dropped', async () => {
  const clock = new ManualClock();
  const asker = new Asker(clock, () => {});
  const asked = asker.ask('slow', undefined, 200);
  clock.advance(200);
  await assert.rejects(asked, { message: 'slow has not answered for 200 ms' });
  asker.answered([{ id: 1, value: 'late' }]);
});

test('a topic comes in pages that are marked first and last', () => {
  const services = new Services();
  const cases: [unknown[], TopicPage['load'][]][] = [
    [[], ['only']],
    [['a'], ['first', 'last']],
    [
      ['a', 'b'],
      ['first', 'more', 'last'],
    ],
    [
      ['a', 'b', 'c'],
      ['first', 'more', 'more', 'last'],
    ],
  ];
  for (const [pages, marks] of cases) {
    services.publish('t', () => pages);
    const loads = [...services.load('t')];
    assert.deepEqual(
      loads.map(({ load }) => load),
      marks,
    );
    assert.deepEqual(
      loads.map(({ payload }) => payload).filter((payload) => payload !== undefined),
      pages,
    );
  }
});
