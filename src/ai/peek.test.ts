import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PeekFault, peekRequest, type RequestPeek } from './peek.ts';

function good(text: string | Buffer): RequestPeek {
  const peek = peekRequest(Buffer.from(text as string));
  if (peek instanceof PeekFault) assert.fail(peek.message);
  return peek;
}

describe('peekRequest finds', () => {
  const found: [string, string, Partial<RequestPeek>][] = [
    [
      'a chat',
      '{"model":"m","stream":true,"max_tokens":5}',
      {
        model: 'm',
        modelStart: 9,
        modelEnd: 12,
        stream: true,
        maxTokens: 5,
        objectStart: 1,
        empty: false,
      },
    ],
    [
      'white space around everything',
      ' \t\r\n{ "model" : "m" , "user" :\n"u" } \n',
      { model: 'm', user: 'u', objectStart: 5 },
    ],
    [
      'model last, behind decoys',
      '{"messages":[{"model":"x","a":"\\"model\\":\\"y\\""}],"n":{"stream":true},"model":"m"}',
      {
        model: 'm',
        stream: false,
      },
    ],
    ['an escaped key', '{"mod\\u0065l":"m","\\u0073tream":true}', { model: 'm', stream: true }],
    ['an escaped value', '{"model":"a\\/b\\u00e9\\ud83d\\ude00"}', { model: 'a/bé😀' }],
    ['a value in UTF-8', '{"model":"模型"}', { model: '模型' }],
    ['nothing', '{}', { model: undefined, empty: true, objectStart: 1, modelStart: -1 }],
    [
      'null as absent',
      '{"model":null,"stream":null,"user":null,"max_tokens":null}',
      {
        model: undefined,
        stream: false,
        maxTokens: undefined,
        modelStart: 9,
        modelEnd: 13,
      },
    ],
    [
      'usage asked for',
      '{"stream_options":{"x":[1],"include_usage":true}}',
      {
        includeUsage: true,
        streamOptionsStart: 18,
        streamOptionsEnd: 48,
        includeUsageStart: 43,
        includeUsageEnd: 47,
      },
    ],
    ['usage declined', '{"stream_options": {"include_usage": false }}', { includeUsage: false, includeUsageStart: 37 }],
    ['no stream options', '{"stream_options":null}', { streamOptionsStart: 18, streamOptionsEnd: 22 }],
    [
      'the largest of the token limits',
      '{"max_tokens":7,"max_completion_tokens":1e2,"max_output_tokens":3}',
      { maxTokens: 100 },
    ],
    [
      'a limit below zero, which is none',
      '{"max_tokens":-1,"max_output_tokens":-0.5}',
      { maxTokens: undefined, weakBound: true },
    ],
    ['a limit of nothing', '{"max_tokens":0,"max_completion_tokens":5}', { maxTokens: 5, weakBound: true }],
    ['the field of llama.cpp', '{"max_tokens":1,"n_predict":500}', { maxTokens: 500, predict: 500, weakBound: false }],
    ['a user that is no string', '{"user":{"id":1}}', { user: undefined }],
    ['numbers of every kind', '{"a":[0,-0,1.5,-1.5e+10,2E-3,10],"b":true,"c":false,"model":"m"}', { model: 'm' }],
    [
      'keys that only look like ours',
      '{"models":"x","mode":"y","model ":"z","stream_option":1,"streams":2}',
      { model: undefined },
    ],
    [
      'a long string with quotes and backslashes',
      `{"a":"${'x'.repeat(60)}\\\\\\"${'y\\n'.repeat(80)}\\\\","model":"m"}`,
      { model: 'm' },
    ],
  ];
  for (const [name, text, wanted] of found) {
    it(name, () => {
      const peek = good(text) as unknown as Record<string, unknown>;
      for (const [key, value] of Object.entries(wanted)) assert.deepEqual(peek[key], value, key);
    });
  }
});

describe('peekRequest refuses', () => {
  const nested = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  const refused: [string, string | Buffer, RegExp][] = [
    ['nothing', '', /ends where \{ is needed \(byte 0\)/],
    ['white space', '  ', /byte 2/],
    ['an array', '[{"model":"m"}]', /found '\[' where \{/],
    ['a string', '"model"', /where \{/],
    ['a byte order mark', '\ufeff{"model":"m"}', /found byte 0xef where \{ is needed \(byte 0\)/],
    ['UTF-16', Buffer.from('{"model":"m"}', 'utf16le'), /found byte 0x0/],
    ['a cut object', '{"model":"m"', /ends where , or \} is needed \(byte 12\)/],
    ['a cut string', '{"model":"m', /does not end \(byte 9\)/],
    ['a cut key', '{"mod', /does not end \(byte 1\)/],
    ['a cut key with an escape', '{"mod\\', /begins no JSON escape/],
    ['a cut literal', '{"stream":tru', /not true, false or null/],
    [
      'text behind the object',
      '{"model":"m"}{"model":"n"}',
      /found '\{' where the end of the text is needed \(byte 13\)/,
    ],
    ['NUL behind the object', '{"model":"m"}\0', /byte 13/],
    ['a form feed as white space', '{\f"model":"m"}', /found byte 0xc/],
    ['a no-break space as white space', '{\u00a0"model":"m"}', /found byte 0xc2/],
    ['a line comment', '{"a":1,//"model":"x"\n"model":"m"}', /found '\/'/],
    ['a block comment', '{"a":1/*,"model":"x"*/,"model":"m"}', /found '\/'/],
    ['a hash comment', '{"a":1,#\n"model":"m"}', /found '#'/],
    ['single quotes', "{'model':'m'}", /found '''/],
    ['a bare key', '{model:"m"}', /found 'm' where a key/],
    ['NaN', '{"a":NaN,"model":"m"}', /found 'N'/],
    ['Infinity', '{"a":-Infinity,"model":"m"}', /a number that JSON does not allow/],
    ['a leading zero', '{"a":01}', /a number/],
    ['a leading plus', '{"a":+1}', /found '\+'/],
    ['a bare point', '{"a":1.}', /a number/],
    ['a bare exponent', '{"a":1e}', /a number/],
    ['hexadecimal', '{"a":0x1}', /found 'x'/],
    ['crossed brackets', '{"a":[1},"model":"m"]}', /found '\}' where , or \] is needed \(byte 7\)/],
    ['a trailing comma', '{"model":"m",}', /found '\}' where a key/],
    ['a trailing comma inside', '{"a":[1,],"model":"m"}', /found '\]'/],
    ['two commas', '{"a":1,,"model":"m"}', /found ','/],
    ['a missing colon', '{"model" "m"}', /where : is needed/],
    ['a missing comma', '{"a":1 "model":"m"}', /where , or \} is needed/],
    ['a repeated model', '{"model":"a","model":"b"}', /"model" is given twice.*byte 13/],
    ['a model repeated by escape', '{"model":"a","mod\\u0065l":"b"}', /"model" is given twice/],
    ['a repeated stream', '{"stream":true,"stream":false}', /"stream" is given twice/],
    ['a repeated user', '{"user":"a","user":"b"}', /"user" is given twice/],
    ['repeated options', '{"stream_options":{},"stream_options":null}', /"stream_options" is given twice/],
    [
      'repeated include_usage',
      '{"stream_options":{"include_usage":true,"include_usage":false}}',
      /"include_usage" is given twice/,
    ],
    ['a repeated limit', '{"max_tokens":1,"max_tokens":2}', /"max_tokens" is given twice/],
    ['a key in another case', '{"model":"a","Model":"b"}', /differs from "model" only in case/],
    ['a key in capitals', '{"STREAM":true}', /differs from "stream" only in case/],
    ['a key with a long s', '{"\u017ftream":true}', /differs from "stream" only in case/],
    ['a key with a Kelvin sign', '{"max_to\\u212aens":1}', /differs from "max_tokens" only in case/],
    ['include_usage in another case', '{"stream_options":{"Include_Usage":true}}', /only in case/],
    ['a key with NUL', '{"model":"a","model\\u0000":"b"}', /a control character inside a key/],
    ['a key with a raw control character', '{"mo\ndel":"a"}', /a raw control character inside a key/],
    ['a key with half a pair', '{"model\\ud800":"a"}', /half of a surrogate pair/],
    ['a model with half a pair', '{"model":"a\\udc00"}', /half of a surrogate pair/],
    ['a model with NUL', '{"model":"a\\u0000b"}', /"model" holds a control character/],
    ['a model with a raw newline', '{"model":"a\nb"}', /raw control character/],
    ['a model that is a number', '{"model":5}', /"model" must be a string/],
    ['a stream that is a string', '{"stream":"true"}', /"stream" must be true or false/],
    ['a stream that is a number', '{"stream":1}', /"stream" must be true or false/],
    ['options that are a list', '{"stream_options":[]}', /"stream_options" must be an object/],
    ['include_usage that is a number', '{"stream_options":{"include_usage":1}}', /"include_usage" must be/],
    ['a limit that is a string', '{"max_tokens":"5"}', /"max_tokens" must be a number/],
    ['a limit beyond numbers', '{"max_tokens":1e999}', /"max_tokens" must be a number/],
    ['an invalid escape', '{"a":"\\x","model":"m"}', /begins no JSON escape \(byte 6\)/],
    ['a cut \\u escape before a quote', '{"a":"\\u12","model":"m"}', /begins no JSON escape/],
    ['an invalid escape deep in a long string', `{"a":"${'x'.repeat(99)}\\q"}`, /byte 105/],
    ['invalid UTF-8', Buffer.from('{"a":"\xe2","model":"m"}', 'latin1'), /not UTF-8/],
    ['an encoded surrogate', Buffer.from('{"model":"\xed\xa0\x80"}', 'latin1'), /not UTF-8/],
    ['an overlong quote', Buffer.from('{"model":"\xc0\xa2"}', 'latin1'), /not UTF-8/],
    ['too deep nesting', nested(129), /more than 128 containers/],
  ];
  for (const [name, text, message] of refused) {
    it(name, () => {
      const peek = peekRequest(Buffer.from(text as string));
      assert.ok(peek instanceof PeekFault, 'accepted');
      assert.match(peek.message, message);
      assert.ok(peek.at >= 0);
    });
  }

  it('in a form that can be answered', () => {
    const peek = peekRequest(Buffer.from('{"stream":1}'));
    assert.ok(peek instanceof PeekFault);
    const error = peek.error();
    assert.equal(error.status, 400);
    assert.equal(error.param, 'stream');
    assert.equal(error.message, peek.message);
  });

  it('nothing at the deepest nesting allowed', () => {
    good(nested(128));
  });
});
