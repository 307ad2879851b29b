/** What is kept of answers, cut in every way, and what a tokenizer is given of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { countTokens as gptTokens } from 'gpt-tokenizer/encoding/cl100k_base';
import { type Operation, type Produced, producedBy, streamGuard, usageHider, usageTap } from './ai.ts';
import { countInRuns, countTokens, type Tokenizer } from './count.ts';
import { encodingOf } from './encoding.ts';
import { closeJson } from './produced.ts';
import { at } from './tap.test.fixture.ts';
import { templateOf } from './template.ts';

/** One token for each UTF-16 unit: what is lost, doubled or decoded wrongly changes the sum. */
const units: Tokenizer = {
  count: (text) => text.length,
  chat: (messages, functions) =>
    messages.reduce((sum, { role, content }) => sum + role.length + content.length, 1000 * functions.length),
  perCall: 100,
};
const chat = at('/v1/chat/completions');
const messages = at('/v1/messages');

function feed(
  operation: Operation,
  kind: 'json' | 'sse',
  text: string,
  cuts: readonly number[],
  answers = 1,
): Produced {
  const produced = producedBy(operation, kind, answers, { free: 1 << 26 });
  const tap = usageTap(operation, kind, produced);
  const bytes = Buffer.from(text);
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < places.length; i++) tap.data(bytes, places[i - 1] as number, places[i] as number);
  tap.end();
  return produced;
}

const output = (operation: Operation, produced: Produced) =>
  countTokens({ operation, produced: produced.text() }, units).outputTokens;

const events = (values: readonly unknown[]) => values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join('');
const piece = fc.record({
  text: fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
  field: fc.constantFrom('content', 'reasoning_content', 'refusal', 'call'),
  index: fc.nat(2),
});
const cuts = fc.array(fc.nat(10_000), { maxLength: 20 });

describe('what is kept of a stream', () => {
  test('is all that was generated, wherever its bytes are cut, and however many answers are in it', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), cuts, fc.boolean(), (pieces, where, many) => {
        const calls = new Set<number>();
        let wanted = 0;
        const values = pieces.map(({ text, field, index: drawn }) => {
          const index = many ? drawn : 0;
          wanted += text.length;
          if (field === 'call') calls.add(index);
          const delta =
            field === 'call' ? { tool_calls: [{ index: 0, function: { arguments: text } }] } : { [field]: text };
          return { choices: [{ index, delta, logprobs: { content: [{ token: text }] } }] };
        });
        const produced = feed(chat, 'sse', events(values), where, many ? 3 : 1);
        assert.equal(output(chat, produced), wanted + 100 * calls.size);
      }),
    );
  });

  test('is told apart by call, however they are written and mixed', () => {
    const part = fc.record({ index: fc.nat(2), text: fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }) });
    fc.assert(
      fc.property(
        fc.array(fc.array(part, { minLength: 1, maxLength: 3 }), { maxLength: 20 }),
        fc.constantFrom(['{"', '":"', '"}'], ['{ "', '": "', '" }']),
        cuts,
        (parts, [open, colon, close], where) => {
          const wanted = new Map<number, string>();
          const lines = parts.map((calls) => {
            const texts = calls.map(({ index, text }) => {
              wanted.set(index, (wanted.get(index) ?? '') + text);
              return `{"index":${index},"function":${open}arguments${colon}${JSON.stringify(text).slice(1, -1)}${close}}`;
            });
            return `data: {"choices":[{"index":0,"delta":{"tool_calls":[${texts.join(',')}]}}]}\n\n`;
          });
          const texts: string[] = [];
          const spy: Tokenizer = { ...units, count: (text) => texts.push(text) };
          const produced = feed(chat, 'sse', lines.join(''), where);
          countTokens({ operation: chat, produced: produced.text() }, spy);
          assert.deepEqual(texts.sort(), [...wanted.values()].sort());
        },
      ),
    );
  });

  test('is the same text whether it comes in one event or in many', () => {
    const texts: string[] = [];
    const spy: Tokenizer = { ...units, count: (text) => texts.push(text) };
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.nat(60), cuts, (text, split, where) => {
        texts.length = 0;
        // Pieces of UTF-16 units: half a surrogate pair in each of two events.
        const parts = [text.slice(0, split), text.slice(split)].filter((one) => one !== '');
        const values = parts.map((one) => ({ type: 'content_block_delta', delta: { type: 'text_delta', text: one } }));
        const produced = feed(messages, 'sse', events(values), where);
        countTokens({ operation: messages, produced: produced.text() }, spy);
        assert.deepEqual(texts, text === '' ? [] : [text]);
      }),
    );
  });

  test('is what passes where a guard ends it, and the same where usage is taken out', () => {
    const text = events([...'abcdefgh'].map((content) => ({ choices: [{ index: 0, delta: { content } }] })));
    const bytes = Buffer.from(text);
    const allowance = { promptTokens: 1, answers: 1, allows: (pieces: number) => pieces <= 5 };
    const guarded = producedBy(chat, 'sse', 1, { free: 1 << 20 });
    streamGuard(chat, false, allowance, usageHider(chat), guarded).data(bytes, 0, bytes.length, () => {});
    assert.equal(output(chat, guarded), 5);
    const hidden = producedBy(chat, 'sse', 1, { free: 1 << 20 });
    usageHider(chat, hidden).data(bytes, 0, bytes.length, () => {});
    assert.equal(output(chat, hidden), 8);
  });

  test('is bounded: what there is no room for is counted in bytes', () => {
    const one = { choices: [{ index: 0, delta: { content: 'x'.repeat(1000) } }] };
    const room = { free: 3000 };
    const produced = producedBy(chat, 'sse', 1, room);
    const tap = usageTap(chat, 'sse', produced);
    const bytes = Buffer.from(events(Array.from({ length: 10 }, () => one)));
    tap.data(bytes, 0, bytes.length);
    assert.deepEqual([produced.kept, produced.beyond, room.free], [2000, 8000, 952]);
    produced.drop();
    assert.equal(room.free, 3000);
    const whole = producedBy(chat, 'json', 1, { free: 1 << 30 });
    usageTap(chat, 'json', whole).data(Buffer.alloc(3 << 20), 0, 3 << 20);
    assert.deepEqual([whole.kept, whole.beyond], [1 << 20, 2 << 20]);
  });

  test('what is no JSON, or too large an event, costs no memory and breaks nothing', () => {
    const large = JSON.stringify({ choices: [{ delta: { content: 'y'.repeat(100_000) } }] });
    const text = `data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"content":"broken\n\ndata: ${large}\n\ndata: [DONE]\n\n`;
    const produced = feed(chat, 'sse', text, []);
    assert.equal(output(chat, produced), 1);
    assert.ok(produced.beyond > 100_000);
  });
});

test('an answer that was cut is read as far as it goes', () => {
  const whole = JSON.stringify({ choices: [{ message: { content: 'line\n"quoted" \\ é 🥐 end' } }] });
  const all = output(chat, feed(chat, 'json', whole, [5, 20])) as number;
  assert.equal(all, JSON.parse(whole).choices[0].message.content.length);
  const from = whole.indexOf('line');
  for (let end = from + 1; end < whole.length - 4; end++) {
    const closed = closeJson(whole.slice(0, end)) as string;
    const read = (JSON.parse(closed) as { choices: { message: { content: string } }[] }).choices[0]?.message.content;
    assert.ok('line\n"quoted" \\ é 🥐 end'.startsWith(read as string), closed);
  }
  assert.equal(closeJson('{"choices":['), undefined);
  assert.equal(closeJson(''), undefined);
});

describe('prompts', () => {
  const input = (path: string, body: unknown) => {
    const operation = at(path);
    return countTokens({ operation, prompt: Buffer.from(JSON.stringify(body)) }, units).inputTokens;
  };
  const cases: [string, string, unknown, number | undefined][] = [
    ['chat', '/v1/chat/completions', { messages: [{ role: 'user', content: 'abc' }] }, 7],
    [
      'parts, and an image',
      '/v1/chat/completions',
      {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'abc' },
              { type: 'image_url', image_url: { url: 'https://x.test/a.png' } },
            ],
          },
        ],
      },
      1207,
    ],
    [
      'calls of tools, and what they answered',
      '/v1/chat/completions',
      {
        messages: [
          { role: 'assistant', content: null, tool_calls: [{ function: { name: 'ab', arguments: '{}' } }] },
          { role: 'tool', content: 'xyz' },
        ],
        tools: [{ type: 'function', function: { name: 'ab' } }],
      },
      9 + 2 + 2 + 100 + 7 + 1000,
    ],
    [
      'messages',
      '/v1/messages',
      {
        system: [{ type: 'text', text: 'S' }],
        messages: [
          { role: 'assistant', content: [{ type: 'tool_use', name: 'ab', input: { a: 1 } }] },
          { role: 'user', content: [{ type: 'tool_result', content: [{ type: 'text', text: 'xyz' }] }] },
        ],
        tools: [{ name: 'ab', input_schema: {} }],
      },
      7 + 9 + 2 + 7 + 100 + 7 + 1000,
    ],
    [
      'responses',
      '/v1/responses',
      {
        instructions: 'S',
        input: [
          { role: 'user', content: [{ type: 'input_text', text: 'abc' }] },
          { type: 'function_call', name: 'ab', arguments: '{}' },
          { type: 'function_call_output', output: 'xyz' },
        ],
        tools: [{ type: 'function', name: 'ab', parameters: {} }],
      },
      7 + 7 + 4 + 100 + 7 + 1000,
    ],
    ['completions by token ids', '/v1/completions', { prompt: [1, 2, 3] }, 3],
    ['completions, several', '/v1/completions', { prompt: ['ab', [7]] }, 3],
    ['embeddings', '/v1/embeddings', { input: ['ab', 'c'] }, 3],
    ['rerank', '/v1/rerank', { query: 'ab', documents: ['c', { text: 'de' }] }, 5],
    ['what is no object', '/v1/embeddings', [], 0],
  ];
  for (const [what, path, body, wanted] of cases) test(what, () => assert.equal(input(path, body), wanted));
  test('what is no JSON cannot be counted', () => {
    assert.equal(countTokens({ operation: chat, prompt: Buffer.from('{"a') }, units).inputTokens, undefined);
  });
});

test('long runs are cut, and nothing is lost', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('a', ' ', '!', '7', '漢', '🥐'), fc.nat(400))), (runs) => {
      const text = runs.map(([char, times]) => char.repeat(times)).join('');
      const seen: string[] = [];
      countInRuns(text, (part) => seen.push(part));
      assert.equal(seen.join(''), text);
      assert.ok(seen.every((part) => !/(\p{L}{256}|\s{256}|!{256}|(🥐){256})/u.test(part)));
    }),
  );
  const prose = 'It is what people write, in words and sentences. '.repeat(50);
  assert.equal(
    countInRuns(prose, (part) => gptTokens(part)),
    gptTokens(prose),
  );
});

test('what a name makes certain', () => {
  const cases: [string, string | undefined][] = [
    ['gpt-4o-mini-2024-07-18', 'o200k_base'],
    ['openai/gpt-5.1', 'o200k_base'],
    ['o3', 'o200k_base'],
    ['gpt-oss-120b', 'o200k_harmony'],
    ['gpt-4', 'cl100k_base'],
    ['gpt-4-turbo', 'cl100k_base'],
    ['text-embedding-3-large', 'cl100k_base'],
    ['gpt-4x', undefined],
    ['o30', undefined],
    ['deepseek-chat', undefined],
    ['', undefined],
  ];
  for (const [model, encoding] of cases) for (let i = 0; i < 2; i++) assert.equal(encodingOf(model), encoding, model);
  assert.deepEqual(templateOf(new Set(['<s>', '<|start_header_id|>'])), { start: 1, message: 5, reply: 4 });
  assert.deepEqual(templateOf(new Set()), { start: 0, message: 4, reply: 3 });
});
