import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Usage } from '../kernel/exchange.ts';
import type { Operation } from './ai.ts';
import { at, everySplit, run, usage } from './tap.test.fixture.ts';

const chat = at('/v1/chat/completions');
const responses = at('/v1/responses');
const embeddings = at('/v1/embeddings');
const rerank = at('/v1/rerank');
const messages = at('/v1/messages');

const counts = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

const embedding = Array.from({ length: 40 }, (_, k) => (k - 20) / 7e5);
const ANSWERS: [string, Operation, string, Usage | undefined][] = [
  [
    'chat',
    chat,
    JSON.stringify({
      id: 'x',
      choices: [{ message: { content: 'a "usage":{"prompt_tokens":1} \\', usage: { prompt_tokens: 2 } } }],
      usage: { ...counts, prompt_tokens_details: { cached_tokens: 4 } },
      system_fingerprint: 'fp',
    }),
    usage(11, 7, 4),
  ],
  ['pretty printed', chat, JSON.stringify({ choices: [], usage: counts }, undefined, 2), usage(11, 7)],
  ['usage first', chat, JSON.stringify({ usage: counts, choices: [{ text: 'x'.repeat(99) }] }), usage(11, 7)],
  ['usage null', chat, '{"usage":null,"choices":[]}', undefined],
  ['a string that says usage', chat, '{"object":"usage","x":{"prompt_tokens":3},"usage":"usage"}', undefined],
  [
    'embeddings',
    embeddings,
    JSON.stringify({ data: [{ embedding }, { embedding: [[1], 'a'] }], usage: { prompt_tokens: 5, total_tokens: 5 } }),
    usage(5, 0),
  ],
  ['rerank with a total only', rerank, JSON.stringify({ results: [], usage: { total_tokens: 9 } }), usage(9, 0)],
  ['responses', responses, JSON.stringify({ output: [], usage: { input_tokens: 2, output_tokens: 3 } }), usage(2, 3)],
  [
    'messages',
    messages,
    JSON.stringify({
      content: [{ type: 'text', text: `${'\\"'.repeat(40)}` }],
      usage: { input_tokens: 3, cache_creation_input_tokens: null, cache_read_input_tokens: 10, output_tokens: 4 },
    }),
    usage(13, 4, 10),
  ],
  ['an error', chat, '{"error":{"message":"no","usage":{"prompt_tokens":1}}}', undefined],
  ['a list', chat, '[{"usage":{"prompt_tokens":1}}]', undefined],
  ['usage with nothing in it', chat, '{"usage":{}}', undefined],
];

describe('usageTap on JSON answers', () => {
  for (const [name, operation, text, wanted] of ANSWERS) {
    it(name, () => everySplit(operation, 'json', text, { usage: wanted, tokens: 0, firsts: 0 }));
  }

  it('keeps no usage beyond its limit', () => {
    const text = `{"usage":{"prompt_tokens":1,"x":"${'x'.repeat(20_000)}"}}`;
    assert.equal(run(chat, 'json', [Buffer.from(text)]).usage, undefined);
  });

  it('finds it in any answer, at any split', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.array(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })), { maxLength: 3 }),
        fc.nat(3),
        fc.array(fc.nat(), { maxLength: 5 }),
        (others, vectors, indent, cuts) => {
          const { usage: _, response: __, message: ___, ...rest } = others;
          const text = JSON.stringify({ ...rest, vectors, usage: counts, z: rest }, undefined, indent);
          const bytes = Buffer.from(text);
          const places = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length];
          const parts = places.slice(1).map((end, k) => bytes.subarray(places[k], end));
          assert.deepEqual(run(chat, 'json', parts).usage, usage(11, 7));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
