import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Usage } from '../kernel/exchange.ts';
import { type Operation, usageTap } from './ai.ts';
import { at, everySplit, run, usage } from './tap.test.fixture.ts';

const chat = at('/v1/chat/completions');
const completion = at('/v1/completions');
const responses = at('/v1/responses');
const messages = at('/v1/messages');

const sse = (...events: unknown[]) =>
  events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join('');
const named = (...events: ({ type: string } & Record<string, unknown>)[]) =>
  events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
const chunk = (delta: unknown, more: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta, logprobs: null, finish_reason: null }],
  ...more,
});
const counts = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };
const start = { role: 'assistant', content: '' };
const last = { id: 'chatcmpl-1', choices: [], usage: counts };

const STREAMS: [string, Operation, string, Usage | undefined, number][] = [
  [
    'chat with usage:null in each chunk',
    chat,
    sse(
      chunk(start, { usage: null }),
      chunk({ content: 'Hi "usage":{' }, { usage: null }),
      chunk({ content: '!' }, { usage: null }),
      chunk({}, { usage: null }),
      {
        choices: [],
        usage: {
          ...counts,
          prompt_tokens_details: { cached_tokens: 4 },
          completion_tokens_details: { reasoning_tokens: 3 },
        },
      },
      '[DONE]',
    ),
    usage(11, 7, 4, 3),
    2,
  ],
  ['chat without usage', chat, sse(chunk(start), chunk({ content: 'a' }), chunk({}), '[DONE]'), undefined, 1],
  [
    'continuous usage: the last counts',
    chat,
    sse(
      chunk(start, { usage: { prompt_tokens: 11, completion_tokens: 0, total_tokens: 11 } }),
      chunk({ content: 'a' }, { usage: { prompt_tokens: 11, completion_tokens: 1, total_tokens: 12 } }),
      chunk({ content: 'b' }, { usage: counts }),
      '[DONE]',
    ),
    usage(11, 7),
    2,
  ],
  [
    'usage on the chunk that finishes, cache hits in a field of their own',
    chat,
    sse(chunk({ content: 'a' }), chunk({}, { usage: { ...counts, prompt_cache_hit_tokens: 8 } }), '[DONE]'),
    usage(11, 7, 8),
    1,
  ],
  [
    'tool calls, reasoning and a refusal are content',
    chat,
    sse(
      chunk({ content: null, reasoning_content: 'hm' }),
      chunk({ content: null, reasoning: 'so' }),
      chunk({ tool_calls: [{ index: 0, function: { name: 'f', arguments: '' } }] }),
      chunk({ tool_calls: [] }),
      chunk({ refusal: 'no', content: null }),
      chunk({ content: null, refusal: null }),
    ),
    undefined,
    4,
  ],
  [
    'white space after colons',
    chat,
    'data: {"choices": [{"delta": {"content": "a"}}], "usage": null}\n\n' +
      'data: {"choices": [ ], "usage": {"prompt_tokens": 11, "completion_tokens": 7}}\n\n',
    usage(11, 7),
    1,
  ],
  ['CRLF, comments, no space', chat, `: hi\r\n\r\ndata:${JSON.stringify(last)}\r\n\r\n`, usage(11, 7), 0],
  ['CR alone', chat, `data: ${JSON.stringify(last)}\r\rdata: [DONE]\r\r`, usage(11, 7), 0],
  [
    'several data lines',
    chat,
    'data: {"choices":[],\ndata: "usage":{"prompt_tokens":11,\ndata: "completion_tokens":7}}\n\n',
    usage(11, 7),
    0,
  ],
  ['a byte order mark', chat, `\ufeff${sse(last)}`, usage(11, 7), 0],
  ['no blank line at the end', chat, `data: ${JSON.stringify(last)}`, usage(11, 7), 0],
  ['usage below the top is a decoy', chat, sse(chunk({ content: 'a', usage: { prompt_tokens: 5 } })), undefined, 1],
  ['an array called usage', chat, sse({ choices: [], usage: [counts] }), undefined, 0],
  [
    'counts that are none',
    chat,
    sse({ choices: [], usage: { prompt_tokens: -1, completion_tokens: '7' } }),
    undefined,
    0,
  ],
  ['not JSON', chat, 'data: {"usage":{"prompt_tokens":}}\n\ndata: "usage"\n\ndata: }}]]{"usage"\n\n', undefined, 0],
  [
    'completions',
    completion,
    sse({ choices: [{ text: 'a' }] }, { choices: [{ text: '' }] }, { choices: [], usage: counts }, '[DONE]'),
    usage(11, 7),
    1,
  ],
  ...(['completed', 'incomplete', 'failed'] as const).map((end): [string, Operation, string, Usage, number] => [
    `responses that are ${end}`,
    responses,
    named(
      { type: 'response.created', response: { id: 'r', usage: null } },
      { type: 'response.reasoning_summary_text.delta', delta: 'hm', sequence_number: 9 },
      { type: 'response.output_text.delta', delta: 'Hi', sequence_number: 10 },
      { type: 'response.function_call_arguments.delta', delta: '{"a', sequence_number: 11 },
      { type: 'response.output_text.done', text: 'Hi', sequence_number: 12 },
      {
        type: `response.${end}`,
        response: {
          output: [{ usage: { input_tokens: 1 } }],
          usage: {
            input_tokens: 11,
            input_tokens_details: { cached_tokens: 5 },
            output_tokens: 7,
            output_tokens_details: { reasoning_tokens: 2 },
          },
        },
      },
    ),
    usage(11, 7, 5, 2),
    3,
  ]),
  [
    'messages: begun, then updated',
    messages,
    named(
      {
        type: 'message_start',
        message: {
          content: [],
          usage: { input_tokens: 3, cache_creation_input_tokens: 20, cache_read_input_tokens: 100, output_tokens: 1 },
        },
      },
      { type: 'ping' },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'hm' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'x' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hi' } },
      { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '' } },
      { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{"a' } },
      {
        type: 'message_delta',
        delta: { stop_reason: 'end_turn' },
        usage: { output_tokens: 42, output_tokens_details: { thinking_tokens: 9 } },
      },
      { type: 'message_stop' },
    ),
    usage(123, 42, 100, 9),
    3,
  ],
  [
    'messages that were cut: what was known',
    messages,
    named({ type: 'message_start', message: { usage: { input_tokens: 3, output_tokens: 1 } } }),
    usage(3, 1),
    0,
  ],
];

describe('usageTap on streams', () => {
  for (const [name, operation, text, wanted, tokens] of STREAMS) {
    it(name, () => everySplit(operation, 'sse', text, { usage: wanted, tokens, firsts: tokens > 0 ? 1 : 0 }));
  }

  it('reads an event larger than it would hold', () => {
    const output = [{ text: 'x"\\'.repeat(50_000), embedding: Array.from({ length: 9000 }, (_, k) => k / 7) }];
    const event = { type: 'response.completed', response: { output, usage: { input_tokens: 11, output_tokens: 7 } } };
    const bytes = Buffer.from(named(event) + sse('[DONE]'));
    assert.ok(bytes.length > 300_000);
    for (const step of [1000, 4099, 65_536, bytes.length]) {
      const parts: Buffer[] = [];
      for (let k = 0; k < bytes.length; k += step) parts.push(bytes.subarray(k, k + step));
      assert.deepEqual(run(responses, 'sse', parts).usage, usage(11, 7), `steps of ${step}`);
    }
  });

  it('tells when an event is incomplete', () => {
    const tap = usageTap(chat, 'sse');
    const bytes = Buffer.from('data: {}\n\nda');
    assert.equal(tap.atBoundary, true);
    tap.data(bytes, 0, 10);
    assert.equal(tap.atBoundary, true);
    tap.data(bytes, 10, 12);
    assert.equal(tap.atBoundary, false);
  });

  it('throws at nothing', () => {
    const text = fc.array(
      fc.constantFrom('{', '}', '[', ']', '"usage"', ':', ',', '"', '\\', '1', 'null', '\n', 'data: '),
    );
    fc.assert(
      fc.property(text, fc.nat(), (parts, cut) => {
        const bytes = Buffer.from(parts.join(''));
        const middle = bytes.length === 0 ? 0 : cut % bytes.length;
        for (const kind of ['json', 'sse'] as const) {
          const whole = run(chat, kind, [bytes]);
          assert.deepEqual(run(chat, kind, [bytes.subarray(0, middle), bytes.subarray(middle)]), whole);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
