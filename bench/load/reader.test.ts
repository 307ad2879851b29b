import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MessageReader } from './reader.ts';

interface Case {
  name: string;
  kind: 'request' | 'response';
  bytes: string;
  status: number;
  body: string;
  events: number;
  /** Whether the end of the connection completes it. */
  byEnd?: boolean;
}

const cases: Case[] = [
  {
    name: 'a length',
    kind: 'response',
    bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    ...{ status: 200, body: 'hello', events: 0 },
  },
  {
    name: 'an empty body',
    kind: 'response',
    bytes: 'HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n',
    ...{ status: 200, body: '', events: 0 },
  },
  {
    name: 'chunks with an extension and a trailer, an event across two of them',
    kind: 'response',
    bytes:
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7;a=b\r\ndata: 1\r\n1\r\n\n\r\n10\r\n\ndata: 2\n\n: c\n\n\n\r\n0\r\nX: y\r\n\r\n',
    ...{ status: 200, body: 'data: 1\n\ndata: 2\n\n: c\n\n\n', events: 3 },
  },
  {
    name: 'an interim response first',
    kind: 'response',
    bytes: 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno',
    ...{ status: 503, body: 'no', events: 0 },
  },
  { name: 'no body by status', kind: 'response', bytes: 'HTTP/1.1 204 No\r\n\r\n', status: 204, body: '', events: 0 },
  {
    name: 'until the connection ends',
    kind: 'response',
    bytes: 'HTTP/1.0 200 OK\r\n\r\ndata: x\n\n',
    ...{ status: 200, body: 'data: x\n\n', events: 1, byEnd: true },
  },
  {
    name: 'a request with a body',
    kind: 'request',
    bytes: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc',
    ...{ status: 0, body: 'abc', events: 0 },
  },
  {
    name: 'a request without',
    kind: 'request',
    bytes: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    status: 0,
    body: '',
    events: 0,
  },
];

function readerOf(kind: 'request' | 'response'): MessageReader {
  const reader = new MessageReader(kind);
  reader.countEvents = true;
  reader.keepBody = true;
  return reader;
}

for (const { name, kind, bytes, status, body, events, byEnd } of cases) {
  test(`${name}: the same however the bytes are split, and again on the same connection`, () => {
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 6 }), (cuts) => {
        const reader = readerOf(kind);
        const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        for (let message = 0; message < 2; message++) {
          for (let at = 1; at < edges.length; at++) {
            // A shared read buffer holds older bytes behind the piece: they must not be looked at.
            const piece = Buffer.from(`${bytes.slice(edges[at - 1], edges[at])}\r\n\r\n0\r\n\r\n`);
            const length = edges[at]! - edges[at - 1]!;
            assert.equal(reader.feed(piece, length), length);
          }
          assert.equal(byEnd ? reader.end() : reader.done, true);
          assert.equal(reader.status, status);
          assert.equal(Buffer.concat(reader.body).toString(), body);
          assert.equal(reader.bodyBytes, body.length);
          assert.equal(reader.events, events);
          reader.reset();
          assert.ok(reader.idle);
        }
      }),
      { numRuns: 50 },
    );
  });
}

test('bytes behind a complete message are left', () => {
  const reader = readerOf('response');
  assert.equal(reader.feed(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxyz')), 39);
  assert.ok(reader.done);
});

test('what cannot be read is said', () => {
  for (const [bytes, pattern] of [
    ['SSH-2.0-x\r\n\r\n', /not an HTTP response/],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', /not a chunk size/],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n', /longer than its size/],
    [`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70_000)}`, /beyond 64 KiB/],
  ] as const) {
    assert.throws(() => readerOf('response').feed(Buffer.from(bytes)), pattern);
  }
});

test('a message that has not ended is not complete at the end of the connection', () => {
  const reader = readerOf('response');
  reader.feed(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel'));
  assert.equal(reader.end(), false);
});
