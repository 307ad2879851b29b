import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Operation, recognize, streamGuard, usageHider } from './ai.ts';

const at = (path: string) => recognize('POST', path) as Operation;
const chunk = (value: object) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', ...value })}\n\n`;
const choice = (index: number, delta: object, finish_reason: string | null = null) =>
  chunk({ choices: [{ index, delta, logprobs: null, finish_reason }] });

interface Outcome {
  text: string;
  done: boolean;
  tokens: number;
}

/** Sends the parts through a guard that allows so many pieces of content. */
function guard(
  operation: Operation,
  parts: readonly Buffer[],
  most: number,
  options: { usage?: boolean; answers?: number; hide?: boolean } = {},
): Outcome {
  const allowance = { promptTokens: 7, answers: options.answers ?? 1, allows: (pieces: number) => pieces <= most };
  const next = options.hide === true ? usageHider(operation) : undefined;
  const made = streamGuard(operation, options.usage === true, allowance, next);
  let text = '';
  const pass = (buffer: Buffer, start: number, end: number) => {
    text += buffer.toString('latin1', start, end);
  };
  for (const part of parts) {
    // As in a read buffer that is used again and again.
    const padded = Buffer.concat([Buffer.from('{"x'), part, Buffer.from('"}\n\n')]);
    made.data(padded, 3, 3 + part.length, pass);
    padded.fill('"');
    if (made.done) break;
  }
  if (!made.done) made.end(pass);
  return { text, done: made.done, tokens: made.tokens };
}

/** Cuts a text at these places. */
function cut(text: string, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map((place) => place % (text.length + 1)).sort((a, b) => a - b), text.length];
  return sorted.slice(1).map((to, i) => Buffer.from(text.slice(sorted[i], to)));
}

const chat = [
  choice(0, { role: 'assistant', content: '' }),
  ...Array.from({ length: 9 }, (_, i) => choice(0, { content: ` ${'abcdefghi'[i]}` })),
  choice(0, {}, 'stop'),
  'data: [DONE]\n\n',
];

describe('a stream guard', () => {
  it('passes every byte of what is allowed, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat()), fc.boolean(), (places, crlf) => {
        const text = crlf ? chat.join('').replaceAll('\n', '\r\n') : chat.join('');
        assert.deepEqual(guard(at('/v1/chat/completions'), cut(text, places), 9), { text, done: false, tokens: 9 });
      }),
    );
  });

  it('ends after what is allowed, between two events, however it is cut', () => {
    const end = `${choice(0, {}, 'length')}data: [DONE]\n\n`;
    fc.assert(
      fc.property(fc.array(fc.nat()), fc.integer({ min: 0, max: 8 }), (places, most) => {
        const { text, done, tokens } = guard(at('/v1/chat/completions'), cut(chat.join(''), places), most);
        assert.equal(text, chat.slice(0, most + 1).join('') + end);
        assert.deepEqual([done, tokens], [true, most]);
      }),
    );
  });

  it('ends between two slices, without what has come in part', () => {
    const allowance = { promptTokens: 7, answers: 1, allows: () => true };
    let text = '';
    const pass = (buffer: Buffer, start: number, end: number) => {
      text += buffer.toString('latin1', start, end);
    };
    const made = streamGuard(at('/v1/chat/completions'), false, allowance, undefined);
    const bytes = Buffer.from(chat.slice(0, 3).join(''));
    made.data(bytes, 0, bytes.length - 5, pass);
    assert.equal(made.close(pass), true);
    made.data(bytes, bytes.length - 5, bytes.length, pass);
    assert.equal(made.close(pass), false, 'it has ended');
    assert.equal(text, `${chat.slice(0, 2).join('')}${choice(0, {}, 'length')}data: [DONE]\n\n`);
    assert.deepEqual([made.done, made.tokens], [true, 1]);
  });

  it('waits while it is not known whether more is allowed, and then goes on or ends, however it is cut', () => {
    const places = fc.array(fc.nat());
    const steps = fc.array(fc.record({ after: fc.nat(8), more: fc.nat(4) }), { maxLength: 5 });
    fc.assert(
      fc.property(places, steps, (cuts, asked) => {
        let most = 2;
        let open = asked.length;
        const allowance = {
          promptTokens: 7,
          answers: 1,
          decided: undefined as (() => void) | undefined,
          allows: (pieces: number) => pieces <= most || (open > 0 && 'wait'),
        };
        const made = streamGuard(at('/v1/chat/completions'), false, allowance, undefined);
        let told = 0;
        made.decided = () => told++;
        let text = '';
        const pass = (buffer: Buffer, start: number, end: number) => {
          text += buffer.toString('latin1', start, end);
        };
        const decide = () => {
          most += asked[asked.length - open]?.more ?? 0;
          open--;
          const before = told;
          if (made.waits) allowance.decided?.();
          assert.equal(told, before + (made.waits ? 1 : 0));
          made.data(Buffer.alloc(0), 0, 0, pass);
        };
        for (const part of cut(chat.join(''), cuts)) {
          const bytes = Buffer.from(part);
          made.data(bytes, 0, bytes.length, pass);
          // What is read before anybody has stopped reading.
          bytes.fill('"');
          if (made.waits && asked[asked.length - open]?.after === 0) decide();
        }
        while (open > 0 && !made.done) decide();
        assert.equal(made.waits, false);
        if (!made.done) made.end(pass);
        const end = `${choice(0, {}, 'length')}data: [DONE]\n\n`;
        assert.equal(text, most >= 9 ? chat.join('') : chat.slice(0, most + 1).join('') + end);
        assert.deepEqual([made.done, made.tokens], [most < 9, Math.min(most, 9)]);
      }),
    );
  });

  it('can be ended while it waits', () => {
    const allowance = { promptTokens: 7, answers: 1, allows: (pieces: number) => pieces <= 2 || ('wait' as const) };
    const made = streamGuard(at('/v1/chat/completions'), false, allowance, undefined);
    let text = '';
    const pass = (buffer: Buffer, start: number, end: number) => {
      text += buffer.toString('latin1', start, end);
    };
    const bytes = Buffer.from(chat.join(''));
    made.data(bytes, 0, bytes.length, pass);
    assert.equal(text, chat.slice(0, 3).join(''));
    assert.equal(made.close(pass), true);
    assert.deepEqual([made.done, made.waits, made.tokens], [true, false, 2]);
    assert.equal(text, `${chat.slice(0, 3).join('')}${choice(0, {}, 'length')}data: [DONE]\n\n`);
  });

  it('tells usage where the client has asked for it, and hides what it has not asked for', () => {
    const asked = guard(at('/v1/chat/completions'), [Buffer.from(chat.join(''))], 3, { usage: true });
    assert.match(
      asked.text,
      /"choices":\[\],"usage":\{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10\}\}\n\ndata: \[DONE\]\n\n$/,
    );
    const text = chat.join('').replaceAll('}]}', '}],"usage":null}');
    fc.assert(
      fc.property(fc.array(fc.nat()), (places) => {
        const hidden = guard(at('/v1/chat/completions'), cut(text, places), 9, { hide: true });
        assert.equal(hidden.text, chat.join(''));
      }),
    );
  });

  it('ends each answer that has not ended by itself', () => {
    const text = [
      choice(0, { content: 'a' }),
      choice(1, { content: 'b' }),
      choice(0, {}, 'stop'),
      choice(1, { content: 'c' }),
    ].join('');
    const { text: got } = guard(at('/v1/chat/completions'), [Buffer.from(text)], 2, { answers: 2 });
    assert.deepEqual(
      [...got.matchAll(/"index":(\d),"delta":\{\},"logprobs":null,"finish_reason":"(\w+)"/g)].map(([, i, why]) => [
        i,
        why,
      ]),
      [
        ['0', 'stop'],
        ['1', 'length'],
      ],
    );
  });

  it('counts tool calls, reasoning and long pieces', () => {
    const call = choice(0, {
      tool_calls: [{ index: 0, function: { arguments: '{"city":"Paris and the rest of the world"}' } }],
    });
    assert.ok(guard(at('/v1/chat/completions'), [Buffer.from(call)], 99).tokens >= 8);
    assert.ok(
      guard(at('/v1/chat/completions'), [Buffer.from(choice(0, { reasoning_content: 'one two three four' }))], 99)
        .tokens >= 4,
    );
  });

  it('leaves a stream alone that has ended by itself', () => {
    const late = `${chat.join('')}${choice(0, { content: 'late' })}`;
    assert.equal(guard(at('/v1/chat/completions'), [Buffer.from(late)], 9).text, late);
  });

  it('closes the block that is open in a stream of messages, and no other', () => {
    const event = (type: string, fields: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
    const begin = event('message_start', { message: { usage: { input_tokens: 3, output_tokens: 1 } } });
    const block = event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } });
    const delta = event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'x' } });
    const stop = event('content_block_stop', { index: 0 });
    const call = event('content_block_start', { index: 1, content_block: { type: 'tool_use', name: 't', input: {} } });
    const json = event('content_block_delta', { index: 1, delta: { type: 'input_json_delta', partial_json: '{"a"' } });
    const end = `${event('message_delta', { delta: { stop_reason: 'max_tokens', stop_sequence: null }, usage: { output_tokens: 1 } })}${event('message_stop', {})}`;
    const run = (events: string[]) => guard(at('/v1/messages'), [Buffer.from(events.join(''))], 1).text;
    assert.equal(run([begin, block, delta, delta]), begin + block + delta + stop + end);
    assert.equal(
      run([begin, block, delta, stop, call, json]),
      begin + block + delta + stop + call + event('content_block_stop', { index: 1 }) + end,
    );
  });
});
