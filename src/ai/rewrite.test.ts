import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PeekFault, peekRequest } from './peek.ts';
import { type RequestChange, rewriteRequest } from './rewrite.ts';

function rewrite(text: string, change: RequestChange): string {
  const body = Buffer.from(text);
  const peek = peekRequest(body);
  if (peek instanceof PeekFault) assert.fail(peek.message);
  return rewriteRequest(body, peek, change).toString();
}

const ask: RequestChange = { askUsage: true };
const CASES: [string, string, RequestChange, string][] = [
  ['the model only', '{"a":1, "model" : "x" ,"b":"é"}', { model: 'y/z' }, '{"a":1, "model" : "y/z" ,"b":"é"}'],
  ['a model that needs escapes', '{"model":"x"}', { model: 'a"\\\n模' }, '{"model":"a\\"\\\\\\n模"}'],
  ['an escaped model', '{"mod\\u0065l":"\\u0078"}', { model: 'y' }, '{"mod\\u0065l":"y"}'],
  ['a null model', '{"model":null}', { model: 'y' }, '{"model":"y"}'],
  ['an absent model', '{"a":1}', { model: 'y' }, '{"model":"y","a":1}'],
  ['an absent model in an empty object', '{ }', { model: 'y' }, '{"model":"y" }'],
  ['both in an empty object', '{}', { model: 'y', ...ask }, '{"model":"y","stream_options":{"include_usage":true}}'],
  ['nothing', '{"model":"x"}', {}, '{"model":"x"}'],
  ['the same model', '{"model":"\\u0078"}', { model: 'x' }, '{"model":"\\u0078"}'],
  ['options that are absent', '{"stream":true}', ask, '{"stream_options":{"include_usage":true},"stream":true}'],
  ['options that are null', '{"stream_options": null}', ask, '{"stream_options": {"include_usage":true}}'],
  ['options that are empty', '{"stream_options":{ }}', ask, '{"stream_options":{"include_usage":true }}'],
  ['other options', '{"stream_options":{ "x":1}}', ask, '{"stream_options":{"include_usage":true, "x":1}}'],
  ['usage declined', '{"stream_options":{"include_usage": false}}', ask, '{"stream_options":{"include_usage": true}}'],
  [
    'usage null',
    '{"stream_options":{"include_usage":null,"x":1}}',
    ask,
    '{"stream_options":{"include_usage":true,"x":1}}',
  ],
  [
    'usage asked for already',
    '{"stream_options":{"include_usage":true}}',
    ask,
    '{"stream_options":{"include_usage":true}}',
  ],
  [
    'model behind options',
    '{"stream_options":{},"model":"x"}',
    { model: 'yy', ...ask },
    '{"stream_options":{"include_usage":true},"model":"yy"}',
  ],
  [
    'options behind model',
    '{"model":"x","stream_options":null}',
    { model: 'yy', ...ask },
    '{"model":"yy","stream_options":{"include_usage":true}}',
  ],
];

describe('rewriteRequest changes', () => {
  for (const [name, text, change, wanted] of CASES) {
    it(name, () => assert.equal(rewrite(text, change), wanted));
  }

  it('nothing: the very same buffer', () => {
    const body = Buffer.from('{"model":"x","stream_options":{"include_usage":true}}');
    const peek = peekRequest(body);
    if (peek instanceof PeekFault) assert.fail(peek.message);
    assert.equal(rewriteRequest(body, peek, { model: 'x', askUsage: true }), body);
  });

  it('any object: only what was asked, and what it gives peeks as intended', () => {
    const object = fc.record(
      {
        model: fc.string().filter((text) => !/\p{Cc}/u.test(text)),
        stream_options: fc.oneof(
          fc.constant(null),
          fc.record({ include_usage: fc.option(fc.boolean()), x: fc.jsonValue() }, { requiredKeys: [] }),
        ),
        stream: fc.constant(true),
        messages: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(object, fc.string({ unit: 'binary' }), fc.boolean(), fc.nat(3), (value, model, askUsage, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        const wanted: Record<string, unknown> = { ...(JSON.parse(text) as object), model };
        if (askUsage) wanted.stream_options = { ...value.stream_options, include_usage: true };
        assert.deepEqual(JSON.parse(rewrite(text, { model, askUsage })), JSON.parse(JSON.stringify(wanted)));
      }),
      { numRuns: 1000 },
    );
  });
});
