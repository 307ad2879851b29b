/** The end of a request: what is known, what is asked, and what holds when nobody answers. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { producedBy, recognize, TokenRatios, type UsageProgress, usageTap } from '../ai/ai.ts';
import type { Counted } from '../ai/count.ts';
import { Events } from '../kernel/event.ts';
import type { Exchange, Outcome, Usage } from '../kernel/exchange.ts';
import { account } from './account.ts';
import { Counting } from './counting.ts';

const chat = recognize('POST', '/v1/chat/completions');
const usage = (inputTokens: number, outputTokens: number): Usage => {
  return { inputTokens, outputTokens, cachedInputTokens: 0, reasoningTokens: 0 };
};

/** What a test sets of a request that has ended. */
interface Facts {
  outcome?: Outcome;
  status?: number;
  /** What its server has reported. */
  said?: Usage;
  /** What it has generated in a stream. */
  text?: string[];
  body?: string;
  tokenizer?: string;
  /** Its answer could not be read. */
  unread?: boolean;
  /** What was estimated and reserved; undefined: no limit counts it. */
  meter?: { estimate: number; promptTokens: number; outputTokens: number };
  /** What is estimated where no limit has asked for it, but a price or the ledger does. */
  later?: { estimate: number; promptTokens: number; outputTokens: number };
}

function ended(facts: Facts, answer: (() => Promise<Counted>) | undefined) {
  const { outcome = 'completed', status = 200, said, text, tokenizer = 'any', meter } = facts;
  const failed: string[] = [];
  const settled: unknown[] = [];
  const told: Exchange[] = [];
  const events = new Events();
  events.on('requestEnded', (exchange) => told.push(exchange));
  const counting = new Counting(answer && (() => answer()), () => failed.push('failed'));
  const stream = text !== undefined;
  const exchange = {
    outcome,
    status,
    stream,
    firstByteAt: 1,
    tries: 1,
    model: 'm',
    startedAt: 0,
    inbound: { clientAddress: 'a' },
    responseBytes: 700,
    requestBytes: 0,
  };
  const produced = producedBy(chat as never, 'sse', 1, counting.room);
  const tap = usageTap(chat as never, 'sse', produced);
  const bytes = Buffer.from(
    (text ?? [])
      .map((content) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`)
      .join(''),
  );
  tap.data(bytes, 0, bytes.length);
  const admission = {
    leave: () => settled.push('leave'),
    end: ({ inputTokens, outputTokens }: Usage) => settled.push([inputTokens, outputTokens]),
  };
  const ratios = new TokenRatios();
  const progress: UsageProgress = { usage: said, tokens: tap.tokens, onFirstToken: undefined, atBoundary: true };
  account({
    exchange,
    operation: chat,
    body: facts.body === undefined ? undefined : Buffer.from(facts.body),
    meter,
    estimated: () => facts.later,
    progress: facts.unread === true ? undefined : progress,
    guard: undefined,
    tokenizer,
    produced,
    price: undefined,
    admission,
    worker: { ratios, counting, events },
  } as never);
  const now = () => ({ source: told[0]?.usageSource, usage: told[0]?.usage, times: told.length, settled, failed });
  return { now, counting, ratios, free: counting.room.free };
}

const meter = { estimate: 40, promptTokens: 50, outputTokens: 100 };
const counted = (inputTokens: number | undefined, outputTokens: number | undefined): Counted => {
  return { inputTokens, outputTokens, reasoningTokens: 0 };
};
const turn = () => new Promise((done) => setImmediate(done));

describe('what holds', () => {
  const cases: [what: string, facts: Facts, counts: Counted | undefined, source: string, wanted: [number, number]][] = [
    ['reported', { said: usage(9, 5), body: '{}', meter }, counted(1, 1), 'reported', [9, 5]],
    ['counted', { text: ['a', 'b'], body: '{}', meter }, counted(7, 3), 'counted', [7, 3]],
    ['zeros are no report', { said: usage(0, 0), text: ['a'], body: '{}', meter }, counted(7, 3), 'counted', [7, 3]],
    ['only the output is missing', { said: usage(9, 0), text: ['a'], body: '{}' }, counted(1, 3), 'counted', [9, 3]],
    ['only the input is missing', { said: usage(0, 5), text: ['a'], body: '{}' }, counted(7, 1), 'counted', [7, 5]],
    ['a stream that was cut', { outcome: 'client_aborted', text: ['a'], body: '{}' }, counted(7, 3), 'counted', [7, 3]],
    [
      'a cut stream that has said how it began',
      { outcome: 'client_aborted', said: usage(9, 1), text: ['a'], body: '{}' },
      counted(7, 3),
      'counted',
      [9, 3],
    ],
    ['no body is held', { text: ['a', 'b'] }, counted(undefined, 3), 'estimated', [0, 3]],
    ['a prompt that is no JSON', { text: ['a'], body: '{', meter }, counted(undefined, 3), 'estimated', [50, 3]],
    [
      'an answer that nobody waited for: nobody knows how far it was',
      { outcome: 'client_aborted', body: '{}', meter },
      counted(7, undefined),
      'estimated',
      [7, 100],
    ],
    [
      'an answer that could not be read',
      { body: '{}', meter, unread: true },
      counted(7, undefined),
      'estimated',
      [7, 175],
    ],
    ['a stream that could not be read', { text: [], meter, unread: true }, undefined, 'estimated', [50, 175]],
    ['a price alone', { outcome: 'failed', text: ['a'], body: '{}', later: meter }, undefined, 'estimated', [50, 1]],
    [
      'nobody waited, and only a price is there',
      { outcome: 'client_aborted', body: '{}', later: meter },
      undefined,
      'estimated',
      [50, 100],
    ],
    ['nobody counts', { text: ['a', 'b'], body: '{}', meter }, undefined, 'estimated', [50, 2]],
  ];
  for (const [what, facts, counts, source, wanted] of cases) {
    test(what, async () => {
      const request = ended(facts, counts && (() => Promise.resolve(counts)));
      await turn();
      const { usage: found, ...told } = request.now();
      assert.deepEqual([told.source, found?.inputTokens, found?.outputTokens], [source, ...wanted]);
      assert.equal(told.times, 1);
      assert.deepEqual(told.settled.at(-1), wanted);
      assert.equal(request.free, request.counting.room.free, 'memory is free');
    });
  }
});

test('an error of the server costs nothing, and nobody is asked', async () => {
  const request = ended({ status: 500, body: '{}', meter }, () => assert.fail('asked'));
  await turn();
  assert.deepEqual(request.now(), { source: '', usage: undefined, times: 1, settled: [[0, 0]], failed: [] });
});

test('the place is free at once, the tokens when they are counted', async () => {
  let answer: (counted: Counted) => void = () => {};
  const request = ended({ text: ['a'], body: '{}', meter }, () => new Promise((done) => (answer = done)));
  await turn();
  assert.deepEqual(request.now(), { source: undefined, usage: undefined, times: 0, settled: ['leave'], failed: [] });
  assert.equal(request.counting.waiting, 1);
  answer(counted(7, 3));
  await turn();
  assert.deepEqual(request.now().settled, ['leave', [7, 3]]);
  assert.equal(request.counting.waiting, 0);
});

test('what is counted teaches how to estimate', async () => {
  const request = ended({ text: ['a'], body: '{}', meter }, () => Promise.resolve(counted(400, 3)));
  await turn();
  assert.ok(request.ratios.of('m', 'a', 0) === 8, String(request.ratios.of('m', 'a', 0)));
});

test('nobody answers, or nobody waits any longer: the estimate holds, once', async () => {
  const refused = ended({ text: ['a', 'b'], body: '{}', meter }, () => Promise.reject(new Error('dead')));
  await turn();
  assert.deepEqual(refused.now(), {
    source: 'estimated',
    usage: usage(50, 2),
    times: 1,
    settled: ['leave', [50, 2]],
    failed: ['failed'],
  });
  let answer: (counted: Counted) => void = () => {};
  const late = ended({ text: ['a'], body: '{}', meter }, () => new Promise((done) => (answer = done)));
  late.counting.giveUp();
  answer(counted(7, 3));
  await turn();
  assert.deepEqual([late.now().times, late.now().source, late.now().settled], [1, 'estimated', ['leave', [50, 1]]]);
});

test('too much waits already: the estimate holds at once', () => {
  const counting = new Counting(
    () => new Promise(() => {}),
    () => {},
  );
  const order = { operation: chat as never, prompt: Buffer.alloc(1 << 20) };
  let asked = 0;
  while (counting.ask('any', order, () => {})) asked++;
  assert.equal(asked, 15);
  assert.equal(counting.waiting, 15);
});
