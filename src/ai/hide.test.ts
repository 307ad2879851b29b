import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Usage } from '../kernel/exchange.ts';
import { type Operation, recognize, usageHider } from './ai.ts';
import { HELD_BYTES_MAX } from './hide.ts';

const chat = recognize('POST', '/v1/chat/completions') as Operation;
const completion = recognize('POST', '/v1/completions') as Operation;

function run(operation: Operation, parts: readonly Buffer[]) {
  const hider = usageHider(operation);
  const out: Buffer[] = [];
  let firsts = 0;
  hider.onFirstToken = () => firsts++;
  let passes = 0;
  const pass = (buffer: Buffer, start: number, end: number) => {
    passes++;
    assert.ok(end > start, 'passed nothing');
    out.push(Buffer.from(buffer.subarray(start, end)));
  };
  for (const part of parts) {
    const padded = Buffer.concat([Buffer.from('\n\n'), part, Buffer.from('\n\n,"usage":null')]);
    const before = Buffer.from(padded);
    passes = 0;
    hider.data(padded, 2, 2 + part.length, pass);
    assert.ok(passes <= 1, `${passes} passes for one slice`);
    assert.deepEqual(padded, before, 'the slice was written to');
    padded.fill('#');
  }
  hider.end(pass);
  return { text: Buffer.concat(out).toString(), usage: hider.usage, tokens: hider.tokens, firsts };
}

const usage = (inputTokens: number, outputTokens: number): Usage => ({
  inputTokens,
  outputTokens,
  cachedInputTokens: 0,
  reasoningTokens: 0,
});
const U = '{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}';
const LAST = `data: {"id":"x","choices":[],"usage":${U}}\n\n`;
const DONE = 'data: [DONE]\n\n';
const said = (text: string, more = '') =>
  `data: {"id":"x","choices":[{"index":0,"delta":{"content":"${text}"},"finish_reason":null}]${more}}\n\n`;

/** The client gets what the server sent. */
const SAME = 'the same';

/** What the server sends, and what the client must get. */
const CASES: [string, Operation, string, string, Usage | undefined, number][] = [
  ['the extra chunk', chat, said('a') + LAST + DONE, said('a') + DONE, usage(11, 7), 1],
  [
    'usage:null at the end of each chunk',
    chat,
    said('', ',"usage":null') + said('a', ',"usage":null') + said('b', ',"usage":null') + LAST + DONE,
    said('') + said('a') + said('b') + DONE,
    usage(11, 7),
    2,
  ],
  [
    'usage:null in the middle',
    chat,
    said('a', ',"usage":null,"obfuscation":"zz"') + LAST,
    said('a', ',"obfuscation":"zz"'),
    usage(11, 7),
    1,
  ],
  [
    'usage:null in front',
    chat,
    'data: {"usage":null,"choices":[{"delta":{}}]}\n\n',
    'data: {"choices":[{"delta":{}}]}\n\n',
    undefined,
    0,
  ],
  ['usage:null alone', chat, 'data: {"usage":null}\n\n', 'data: {}\n\n', undefined, 0],
  [
    'white space',
    chat,
    'data: {"choices": [{"delta": {"content": "a"}}], "usage": null}\n\ndata: {"choices": [ ], "usage": { "prompt_tokens": 11, "completion_tokens": 7 } }\n\n',
    'data: {"choices": [{"delta": {"content": "a"}}]}\n\n',
    usage(11, 7),
    1,
  ],
  [
    'continuous usage stays where there are choices',
    chat,
    said('a', `,"usage":{"prompt_tokens":11,"completion_tokens":1}`) + said('b', `,"usage":${U}`) + DONE,
    SAME,
    usage(11, 7),
    2,
  ],
  [
    'decoys',
    chat,
    `${said('\\"usage\\":null') + said('a \\\\', ',"x":{"usage":null}')}data: {"choices":[{"usage":null}]}\n\n`,
    SAME,
    undefined,
    2,
  ],
  [
    'a chunk without choices that holds something else',
    chat,
    'data: {"choices":[],"prompt_filter_results":[1],"usage":null}\n\n',
    'data: {"choices":[],"prompt_filter_results":[1]}\n\n',
    undefined,
    0,
  ],
  ['an error with usage', chat, `data: {"error":{"message":"no"},"usage":${U}}\n\n`, SAME, usage(11, 7), 0],
  [
    'comments and other fields',
    chat,
    `: hi\n\nretry: 5\n\nid: 1\n${said('a', ',"usage":null')}: x\n${LAST}${DONE}`,
    `: hi\n\nretry: 5\n\nid: 1\n${said('a')}${DONE}`,
    usage(11, 7),
    1,
  ],
  [
    'CRLF',
    chat,
    (said('a', ',"usage":null') + LAST + DONE).replaceAll('\n', '\r\n'),
    (said('a') + DONE).replaceAll('\n', '\r\n'),
    usage(11, 7),
    1,
  ],
  [
    'CR',
    chat,
    (said('a', ',"usage":null') + LAST + DONE).replaceAll('\n', '\r'),
    (said('a') + DONE).replaceAll('\n', '\r'),
    usage(11, 7),
    1,
  ],
  ['no space after data:', chat, `data:{"choices":[],"usage":${U}}\n\n${DONE}`, DONE, usage(11, 7), 0],
  [
    'several data lines',
    chat,
    `data: {"choices":[{"delta":{}}],\ndata: "usage":null,\ndata: "x":1}\n\ndata: {"choices":[],\ndata: "usage":${U}}\n\n`,
    'data: {"choices":[{"delta":{}}]\ndata: ,\ndata: "x":1}\n\n',
    usage(11, 7),
    0,
  ],
  ['a byte order mark', chat, `\ufeff${said('é', ',"usage":null')}`, `\ufeff${said('é')}`, undefined, 1],
  ['an end without its blank line', chat, said('a') + LAST.slice(0, -2), said('a'), usage(11, 7), 1],
  ['an end inside an event', chat, said('a') + LAST.slice(0, -20), said('a') + LAST.slice(0, -20), undefined, 1],
  [
    'what is no JSON',
    chat,
    'data: {"usage":null\n\ndata: {"usage":null]\n\ndata: "usage":null\n\ndata: {"a":1 "usage":null}\n\n"usage":null\n\n',
    SAME,
    undefined,
    0,
  ],
  [
    'completions',
    completion,
    `data: {"choices":[{"text":"a"}],"usage":null}\n\n${LAST}${DONE}`,
    `data: {"choices":[{"text":"a"}]}\n\n${DONE}`,
    usage(11, 7),
    1,
  ],
];

describe('usageHider', () => {
  for (const [name, operation, text, expected, counted, tokens] of CASES) {
    it(`${name}: the same at every split`, () => {
      const bytes = Buffer.from(text);
      const wanted = { text: expected === SAME ? text : expected, usage: counted, tokens, firsts: tokens > 0 ? 1 : 0 };
      assert.deepEqual(run(operation, [bytes]), wanted);
      for (let at = 1; at < bytes.length; at++) {
        assert.deepEqual(run(operation, [bytes.subarray(0, at), bytes.subarray(at)]), wanted, `split at ${at}`);
      }
      assert.deepEqual(
        run(
          operation,
          [...bytes].map((byte) => Buffer.of(byte)),
        ),
        wanted,
        'byte by byte',
      );
    });
  }

  it('random streams, random splits: what an upstream that was not asked would have sent', () => {
    const content = fc.string({ unit: 'grapheme', maxLength: 20 });
    const events = fc.array(fc.tuple(content, fc.constantFrom('null', 'none', 'mid', 'comment', 'last')), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(
        events,
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.nat(), { maxLength: 10 }),
        (list, newline, cuts) => {
          let sent = '';
          let expected = '';
          for (const [text, kind] of list) {
            const choice = `"choices":[{"delta":{"content":${JSON.stringify(text)}}}]`;
            if (kind === 'null') sent += `data: {"id":1,${choice},"usage":null}\n\n`;
            if (kind === 'null' || kind === 'none') expected += `data: {"id":1,${choice}}\n\n`;
            if (kind === 'none') sent += `data: {"id":1,${choice}}\n\n`;
            if (kind === 'mid') sent += `data: {"usage":null,${choice}}\n\n`;
            if (kind === 'mid') expected += `data: {${choice}}\n\n`;
            if (kind === 'comment') sent += ': "usage"\n\n';
            if (kind === 'comment') expected += ': "usage"\n\n';
            if (kind === 'last') sent += LAST;
          }
          const bytes = Buffer.from(sent.replaceAll('\n', newline));
          const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
          const parts = places.slice(1).map((end, k) => bytes.subarray(places[k], end));
          const hidden = run(chat, parts);
          assert.equal(hidden.text, expected.replaceAll('\n', newline));
          assert.equal(
            hidden.usage !== undefined,
            list.some(([, kind]) => kind === 'last'),
          );
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('throws at nothing, and leaves what does not mention usage alone', () => {
    const part = fc.constantFrom(
      '{',
      '}',
      '"a":',
      '"usage":',
      'null',
      '{"choices":[],"usage":{}}',
      ',',
      '"',
      '\\',
      '\n',
      '\r',
      'data: ',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), fc.nat(), (parts, cut) => {
        const bytes = Buffer.from(parts.join(''));
        const middle = bytes.length === 0 ? 0 : cut % bytes.length;
        const whole = run(chat, [bytes]);
        assert.deepEqual(run(chat, [bytes.subarray(0, middle), bytes.subarray(middle)]), whole);
        if (!bytes.includes('"usage"')) assert.equal(whole.text, bytes.toString());
      }),
      { numRuns: 3000 },
    );
  });

  it('holds back nothing but an incomplete event', () => {
    const hider = usageHider(chat);
    let out = '';
    const feed = (text: string) => {
      const bytes = Buffer.from(text);
      hider.data(bytes, 0, bytes.length, (buffer, start, end) => {
        out += buffer.toString('utf8', start, end);
      });
    };
    feed(`${said('a')}data: {"id"`);
    assert.equal(out, said('a'));
    feed(':1}\n');
    assert.equal(out, said('a'));
    feed('\n');
    assert.equal(out, `${said('a')}data: {"id":1}\n\n`);
    assert.equal(hider.atBoundary, true);
  });

  it('lets everything pass from an event on that is too large to hold, and reads on', () => {
    const large = `data: {"choices":[{"delta":{"content":"${'x'.repeat(HELD_BYTES_MAX)}"}}],"usage":null}\n\n`;
    const text = said('a', ',"usage":null') + large + said('b', ',"usage":null') + LAST + DONE;
    const expected = said('a') + large + said('b', ',"usage":null') + LAST + DONE;
    const bytes = Buffer.from(text);
    for (const step of [5000, 65_536, bytes.length]) {
      const parts: Buffer[] = [];
      for (let k = 0; k < bytes.length; k += step) parts.push(bytes.subarray(k, k + step));
      const hidden = run(chat, parts);
      assert.equal(hidden.text, expected);
      assert.deepEqual(hidden.usage, usage(11, 7));
      assert.equal(hidden.firsts, 1);
    }
  });

  it('keeps streams apart when one is fed from inside another', () => {
    const outer = usageHider(chat);
    const inner = usageHider(chat);
    const bytes = Buffer.from(said('a', ',"usage":null') + said('b', ',"usage":null'));
    const wanted = said('a') + said('b');
    outer.data(bytes, 0, bytes.length, (buffer, start, end) => {
      inner.data(bytes, 0, bytes.length, (deep, from, to) => assert.equal(deep.toString('utf8', from, to), wanted));
      assert.equal(buffer.toString('utf8', start, end), wanted);
    });
  });
});
