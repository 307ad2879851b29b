import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HttpFault } from '../http/fault.ts';
import { findHeadEnd } from '../http/head.ts';
import { parseResponse } from '../http/response.ts';
import { makeWorker } from './pipeline.fixture.ts';
import { shapeResponse } from './shape.ts';

const LIMITS = { head: 4096, fields: 50, interim: 1 };

function response(...fields: string[]) {
  const buffer = Buffer.from(`HTTP/1.1 200 OK\r\n${fields.map((line) => `${line}\r\n`).join('')}\r\n`);
  const head = parseResponse(buffer, 0, findHeadEnd(buffer, 0, buffer.length), 'POST', LIMITS);
  if (head instanceof HttpFault) throw new Error(head.message);
  return head;
}

function passage(path: string, body: object) {
  const made = makeWorker();
  const { forwarded } = made.send(`POST ${path}`, [], JSON.stringify({ model: 'm', ...body }));
  assert.ok(forwarded);
  return { passage: forwarded, clock: made.clock };
}

const JSON_TYPE = 'Content-Type: application/json; charset=utf-8';
const SSE_TYPE = 'Content-Type: text/event-stream';
const CHAT = '/v1/chat/completions';

describe('what watches or changes an answer', () => {
  const cases: [name: string, path: string, body: object, fields: string[], watched: string][] = [
    ['JSON is read in passing', CHAT, {}, [JSON_TYPE], 'tap'],
    [
      'a stream of which the client asked for usage',
      CHAT,
      { stream: true, stream_options: { include_usage: true } },
      [SSE_TYPE],
      'tap',
    ],
    ['a stream whose usage is hidden again', CHAT, { stream: true }, [SSE_TYPE], 'rewrite'],
    ['JSON though a stream was asked for (an error)', CHAT, { stream: true }, [JSON_TYPE], 'tap'],
    ['what is compressed passes unseen', CHAT, {}, [JSON_TYPE, 'Content-Encoding: gzip'], ''],
    ['another type passes unseen', '/v1/audio/speech', {}, ['Content-Type: audio/mpeg'], ''],
    ['no type at all', CHAT, {}, [], ''],
    ['no operation that is known', '/v1/unknown', {}, [JSON_TYPE], ''],
  ];
  for (const [name, path, body, fields, watched] of cases) {
    test(name, () => {
      const shape = shapeResponse(passage(path, body).passage, response(...fields));
      assert.equal(shape?.tap ? 'tap' : shape?.rewrite ? 'rewrite' : '', watched);
    });
  }
});

test('usage and the time of the first token are found in a stream', () => {
  for (const body of [{ stream: true }, { stream: true, stream_options: { include_usage: true } }]) {
    const { passage: one, clock } = passage(CHAT, body);
    const shape = shapeResponse(one, response(SSE_TYPE));
    const events = [
      '{"choices":[{"delta":{"content":"Hi"}}]}',
      '{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}',
      '[DONE]',
    ];
    let out = '';
    for (const event of events) {
      clock.advance(10);
      const bytes = Buffer.from(`data: ${event}\n\n`);
      shape?.tap?.data(bytes, 0, bytes.length);
      shape?.rewrite?.data(bytes, 0, bytes.length, (buffer, start, end) => {
        out += buffer.toString('utf8', start, end);
      });
    }
    shape?.tap?.end();
    shape?.rewrite?.end((buffer, start, end) => {
      out += buffer.toString('utf8', start, end);
    });
    assert.equal(one.exchange.firstTokenAt, 10);
    one.ended(one.exchange, 'completed', undefined);
    assert.deepEqual([one.exchange.usage?.inputTokens, one.exchange.usage?.outputTokens], [3, 1]);
    if (shape?.rewrite) assert.equal(out, `data: ${events[0]}\n\ndata: ${events[2]}\n\n`);
  }
});
