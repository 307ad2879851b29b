import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Circumstances } from './answer.ts';
import { Refusal } from './answer.ts';
import { isAnswer, OPERATIONS } from './protocol.ts';
import { countTokens } from './token.ts';

const about: Circumstances = {
  seed: 1,
  createdSeconds: 1_769_817_600,
  serial: 1,
  tokens: 5,
  cachedTokens: 0,
  reasoningTokens: 0,
  serves: () => true,
};

const KEYS = [
  'messages',
  'prompt',
  'input',
  'tools',
  'tool_choice',
  'stop',
  'n',
  'max_tokens',
  'response_format',
  'text',
];
const FIELDS = [...KEYS, 'system', 'stop_sequences', 'stream_options', 'dimensions', 'instructions', 'output_config'];
const message = fc.record({
  role: fc.constantFrom('user', 'assistant', 'tool'),
  content: fc.oneof(fc.string(), fc.jsonValue()),
});
const body = fc
  .tuple(fc.dictionary(fc.constantFrom(...FIELDS), fc.jsonValue()), fc.array(message), fc.boolean())
  .map(([rest, messages, likely]) =>
    likely ? { ...rest, model: 'm', messages, max_tokens: 9 } : { ...rest, model: 'm' },
  );

for (const [path, operation] of OPERATIONS) {
  test(`${path}: whatever JSON comes, an answer that is JSON, a stream whose data is JSON, or a refusal`, () => {
    fc.assert(
      fc.property(body, (request) => {
        const found = operation.answer(request, about, 'req_1');
        if (found instanceof Refusal) {
          assert.ok(found.status >= 400 && found.status < 500);
          return;
        }
        if (!isAnswer(found)) return;
        JSON.parse(found.whole());
        let stream = found.opening();
        for (let i = 0; i < found.steps; i++) stream += found.step(i);
        stream += found.closing();
        for (const event of stream.split('\n\n')) {
          const data = /^data: (.*)$/m.exec(event)?.[1];
          if (data !== undefined && data !== '[DONE]') JSON.parse(data);
        }
        assert.ok(found.generated(found.steps) >= found.steps);
      }),
    );
  });
}

test('text that is streamed is the text that is counted', () => {
  const chat = OPERATIONS.get('/v1/chat/completions');
  const found = chat?.answer({ model: 'm', messages: [{ role: 'user', content: 'x' }] }, { ...about, tokens: 200 }, '');
  assert.ok(found && !(found instanceof Refusal) && isAnswer(found));
  const whole = JSON.parse(found.whole()) as { choices: { message: { content: string } }[] };
  assert.equal(countTokens(whole.choices[0]?.message.content ?? ''), found.steps);
});
