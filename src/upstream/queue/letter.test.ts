/** What is said about queues comes out as it went in, packed and unpacked, also through the serialization of a channel. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import { upstreamConfig } from '../config.ts';
import { QueueAuthority } from './authority.ts';
import { AnswerWriter, AskReader, AskWriter, type Letter, readAnswers } from './letter.ts';
import { QueueLine, WorkerLines } from './line.ts';
import type { NextNote, QueueAnswer, QueueAsk } from './message.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const over = <T>(said: T): T => deserialize(serialize(said)) as T;

const name = fc.constantFrom('a', 'b', '__proto__', 'toString', '127.0.0.1:8000');
const upstream = fc.constantFrom('one', 'two');
const number = fc.oneof(fc.nat(), fc.double({ min: 0, max: 1e9, noNaN: true }));
const usable = fc.uniqueArray(name, { maxLength: 3 });
const counts = fc
  .array(fc.tuple(fc.constantFrom('a', 'b', '127.0.0.1:8000'), fc.nat(9)), { maxLength: 2 })
  .map((all) => Object.fromEntries(all));
const samples = counts.map((all) => Object.fromEntries(Object.entries(all).map(([one, n]) => [one, [n, n / 3]])));
const ask: fc.Arbitrary<QueueAsk> = fc.oneof(
  fc.record({
    ...{ type: fc.constant('wait' as const), upstream, id: fc.nat(), priority: fc.nat(100), tenant: fc.string() },
    ...{ weight: number, cost: number, patienceMs: number, waitedMs: number, usable },
  }),
  fc.record({ type: fc.constantFrom('leave' as const, 'took' as const), upstream, id: fc.nat() }),
  fc.record({
    ...{ type: fc.constant('seats' as const), upstream, back: counts, used: counts, samples, refused: counts, usable },
  }),
);
const answer: fc.Arbitrary<QueueAnswer> = fc.oneof(
  fc.record({ type: fc.constant('granted' as const), endpoint: name, ahead: fc.nat(), busy: fc.boolean() }),
  fc.record({
    ...{ type: fc.constant('refused' as const), reason: fc.constantFrom('full' as const, 'evicted', 'late') },
    ...{ ahead: fc.nat(), waitMs: number },
  }),
  fc.record({ type: fc.constant('left' as const), ahead: fc.nat(), waitMs: number }),
);

const next: fc.Arbitrary<NextNote> = fc.record({
  ...{
    upstream,
    rest: fc.integer({ min: -1, max: 101 }),
    known: fc.nat(),
    alone: fc.boolean(),
    next: fc.array(fc.nat()),
  },
});

test('what workers say', () => {
  fc.assert(
    fc.property(fc.array(fc.array(ask, { maxLength: 5 }), { maxLength: 5 }), (letters) => {
      const [writer, reader] = [new AskWriter(), new AskReader()];
      for (const said of letters) {
        for (const one of said) writer.add(one);
        const heard: QueueAsk[] = [];
        reader.read(over(writer.take()), (one) => heard.push(one));
        assert.deepEqual(heard, over(said));
      }
    }),
  );
});

test('what the authority says', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.tuple(upstream, fc.nat(), answer), next), { maxLength: 9 }), (said) => {
      const writer = new AnswerWriter();
      for (const one of said) {
        if (Array.isArray(one)) writer.add(...one);
        else writer.next(one);
      }
      const heard: ([string, number, QueueAnswer] | NextNote)[] = [];
      readAnswers(
        over(writer.take()),
        (...one) => heard.push(one),
        (one) => heard.push(one),
      );
      assert.deepEqual(heard, over(said));
    }),
  );
});

/** A worker and the authority of one place, each letter counted. */
function makeLine() {
  const clock = new ManualClock();
  const authority = new QueueAuthority(clock, () => {});
  const endpoints = [{ url: 'http://10.0.0.1', name: 'e', maxConcurrency: 1 }];
  authority.configure({ up: upstreamConfig.parse({ endpoints }) }, 1);
  const letters = { up: 0, down: 0 };
  let silent = false;
  const lines = new WorkerLines(authority);
  const down = (letter: Letter) => {
    letters.down++;
    line.heard(over(letter));
  };
  const up = (letter: Letter) => {
    letters.up++;
    if (!silent) lines.heard(0, over(letter), down);
  };
  const line: QueueLine = new QueueLine(clock, up, () => {});
  const wait = (id: number) => {
    const rest = { priority: 50, tenant: 't', weight: 1, cost: 1, patienceMs: 1000, waitedMs: 0, usable: ['e'] };
    return line.ask({ type: 'wait', upstream: 'up', id, ...rest }, 2000);
  };
  const silence = () => {
    silent = true;
  };
  return { clock, line, letters, wait, silence };
}

test('what is said in one turn is one letter, and its answers are one; what is lazy waits for a moment', async () => {
  const { clock, line, letters, wait } = makeLine();
  const answers = [1, 2, 3].map(wait);
  await turn();
  await turn();
  assert.equal((await answers[0])?.type, 'granted');
  assert.deepEqual(letters, { up: 1, down: 1 });
  void line.ask({ type: 'leave', upstream: 'up', id: 2 }, 1000, true);
  void line.ask({ type: 'leave', upstream: 'up', id: 3 }, 1000, true);
  await turn();
  assert.deepEqual(letters, { up: 1, down: 1 });
  clock.advance(10);
  await turn();
  assert.deepEqual(letters, { up: 2, down: 2 });
  assert.deepEqual(
    (await Promise.all(answers)).map((one) => one?.type),
    ['granted', 'left', 'left'],
  );
});

test('an answer that does not come is given up', async () => {
  const { clock, wait, silence } = makeLine();
  silence();
  const lost = wait(1);
  await turn();
  clock.advance(1000);
  await turn();
  const heard = assert.rejects(lost, /nobody has answered/);
  clock.advance(6000);
  await heard;
});
