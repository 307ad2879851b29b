/**
 * A client connection reads the same whatever pieces its bytes come in: pipelined requests with bodies of every framing,
 * and any other bytes. Holds no more than its limits allow, and never throws.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fieldCases } from './differential/fields.ts';
import { lineCases } from './differential/lines.ts';
import { edits, mutate } from './differential/mutate.ts';
import * as node from './differential/node.ts';
import { readRequests } from './differential/ours.ts';
import { framingCases } from './differential/requests.ts';

const text = (maxLength: number) => fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const token = fc.stringMatching(/^[!#$%&'*+.^`|~0-9A-Za-z-]{1,12}$/);
const value = fc.stringMatching(/^[!-~\x80-\xff]([\t -~\x80-\xff]{0,20}[!-~\x80-\xff])?$|^$/);
const TAKEN =
  /^(host|content-length|transfer-encoding|connection|upgrade|expect|te|trailer|keep-alive|proxy-connection)$/i;
const fields = fc
  .array(fc.tuple(token, value), { maxLength: 5 })
  .map((list) => list.filter(([name]) => !TAKEN.test(name)));

/** A valid request: method, fields, framing, body. */
const request = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'BREW'),
    target: fc.stringMatching(/^\/[!"$-~]{0,20}$/),
    fields,
    framing: fc.constantFrom('none', 'counted', 'chunked'),
    body: text(60),
    extension: fc.constantFrom('', ';a', ';a=b', ';a="b c"'),
    trailers: fc.constantFrom('', 'X-T: 1\r\n'),
    blank: fc.boolean(),
  })
  .map((parts) => {
    const own = parts.fields.map(([name, v]) => `${name}:${v}\r\n`).join('');
    const head = `${parts.blank ? '\r\n' : ''}${parts.method} ${parts.target} HTTP/1.1\r\nHost: a\r\n${own}`;
    if (parts.framing === 'none') return { bytes: `${head}\r\n`, parts, body: '' };
    if (parts.framing === 'counted')
      return { bytes: `${head}Content-Length: ${parts.body.length}\r\n\r\n${parts.body}`, parts, body: parts.body };
    const half = parts.body.length >> 1;
    const chunks = [parts.body.slice(0, half), parts.body.slice(half)].filter((chunk) => chunk !== '');
    const coded = chunks.map((c) => `${c.length.toString(16)}${parts.extension}\r\n${c}\r\n`).join('');
    const bytes = `${head}Transfer-Encoding: chunked\r\n\r\n${coded}0\r\n${parts.trailers}\r\n`;
    return { bytes, parts, body: parts.body };
  });

test('pipelined requests of every framing come out whole in any split (property)', () => {
  fc.assert(
    fc.property(
      fc.array(request, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(2000), { maxLength: 12 }),
      (requests, cuts) => {
        const outcome = readRequests(requests.map(({ bytes }) => bytes).join(''), cuts);
        assert.equal(outcome.end, 'clean', outcome.why);
        assert.deepEqual(
          outcome.messages.map(({ method, target, body }) => [method, target, body]),
          requests.map(({ parts, body }) => [parts.method, parts.target, body]),
        );
        outcome.messages.forEach((message, i) => {
          const { parts } = requests[i] as (typeof requests)[number];
          assert.deepEqual(message.fields.slice(1, parts.fields.length + 1), parts.fields);
        });
      },
    ),
    { numRuns: 300 },
  );
});

const cases = [...framingCases, ...fieldCases, ...lineCases].filter(([, bytes]) => bytes.length < 1000);

test('every case of the corpus reads the same byte by byte', () => {
  for (const [name, bytes] of cases) {
    const whole = readRequests(bytes);
    const split = readRequests(
      bytes,
      Array.from(bytes, (_, i) => i),
    );
    assert.deepEqual({ messages: split.messages, end: split.end }, { messages: whole.messages, end: whole.end }, name);
  }
});

test('mutated cases read the same in any split, and never throw (property)', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...cases),
      edits,
      fc.array(fc.nat(500), { maxLength: 6 }),
      ([, bytes], changes, cuts) => {
        const changed = mutate(bytes, changes);
        const whole = readRequests(changed);
        const split = readRequests(changed, cuts);
        assert.deepEqual({ messages: split.messages, end: split.end }, { messages: whole.messages, end: whole.end });
      },
    ),
    { numRuns: 2000 },
  );
});

test('any bytes are read or refused, never an exception (property)', () => {
  fc.assert(
    fc.property(text(200), fc.array(fc.nat(200), { maxLength: 4 }), (bytes, cuts) => void readRequests(bytes, cuts)),
  );
});

test('what we take for whole, Node takes for the same (property)', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 3 }), async (requests) => {
      const known = requests.filter(({ parts }) => parts.method !== 'BREW').map(({ bytes }) => bytes);
      const ours = readRequests(known.join(''));
      const theirs = await node.readRequests(known.join(''));
      assert.deepEqual(ours, theirs);
    }),
  );
});
