import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HttpFault } from '../http/fault.ts';
import { AnswerReader, COMPLETE, MORE, SURPLUS } from './answer.ts';

const limits = { head: 500, fields: 10, interim: 3 };
const bodyLimits = { body: 10_000, chunkExtensions: 50, trailers: 200, fields: 10 };

/** What a reader makes of bytes that arrive in these pieces. */
function read(text: string, cuts: readonly number[], method = 'GET') {
  const bytes = Buffer.from(text, 'latin1');
  const reader = new AnswerReader(limits, bodyLimits);
  const seen = { interim: [] as number[], status: 0, body: '', trailers: '', result: 'more' as string, rest: '' };
  const sink = {
    onInterimHead: (head: { status: number }) => void seen.interim.push(head.status),
    onFinalHead: (head: { status: number }) => {
      seen.status = head.status;
    },
    onPayload: (b: Buffer, s: number, e: number) => {
      seen.body += b.toString('latin1', s, e);
    },
  };
  reader.begin(method);
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const end of [...ends, bytes.length]) {
    if (end === from) continue;
    const piece = Buffer.from(bytes.subarray(from, end));
    const result = reader.read(piece, 0, piece.length, sink);
    piece.fill(0);
    from = end;
    if (result instanceof HttpFault) return { ...seen, result: 'fault', kind: result.kind };
    if (result === COMPLETE || result === SURPLUS) {
      // Whether surplus is seen at once depends on the pieces; that the answer is complete does not.
      return { ...seen, trailers: reader.trailers, result: 'complete', kind: '' };
    }
    assert.equal(result, MORE);
  }
  return { ...seen, result: reader.closeDelimited ? 'open' : 'more', kind: '' };
}

const answers: [string, string, string][] = [
  ['counted', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'complete'],
  [
    'chunked',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n',
    'complete',
  ],
  ['until the end', 'HTTP/1.0 200 OK\r\n\r\nhello', 'open'],
  ['no body', 'HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n', 'complete'],
  ['interim', 'HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/1.1 204 N\r\n\r\n', 'complete'],
  ['a tunnel', 'HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', 'open'],
  ['too many interim ones', `${'HTTP/1.1 103 E\r\n\r\n'.repeat(4)}HTTP/1.1 204 N\r\n\r\n`, 'fault'],
  ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello', 'fault'],
  ['a chunk too long', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n', 'fault'],
  ['a head that never ends', `HTTP/1.1 200 OK\r\n${'A: bcdefghijk\r\n'.repeat(60)}`, 'fault'],
];

for (const [what, text, result] of answers) {
  test(`${what}: any split gives the same`, () => {
    const whole = read(text, []);
    assert.equal(whole.result, result);
    const everyByte = Array.from(text, (_, i) => i);
    const plain = (seen: ReturnType<typeof read>) => (result === 'fault' ? seen.result : seen);
    assert.deepEqual(plain(read(text, everyByte)), plain(whole));
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { maxLength: 8 }), (cuts) =>
        assert.deepEqual(plain(read(text, cuts)), plain(whole)),
      ),
    );
  });
}

test('bytes behind an answer are told in the read that ends it', () => {
  const reader = new AnswerReader(limits, bodyLimits);
  const sink = { onInterimHead() {}, onFinalHead() {}, onPayload() {} };
  for (const [head, method] of [
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx', 'GET'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'GET'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n', 'HEAD'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'GET'],
  ] as const) {
    for (const [extra, expected] of [
      ['', COMPLETE],
      ['H', SURPLUS],
    ] as const) {
      const bytes = Buffer.from(head + extra);
      reader.begin(method);
      assert.equal(reader.read(bytes, 0, bytes.length, sink), expected, head + extra);
    }
  }
});

test('any bytes give an answer or a fault, alike in any split, never an exception (property)', () => {
  const word = fc.constantFrom(
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 100 C\r\n\r\n',
    'Content-Length: 3\r\n',
    'Transfer-Encoding: chunked\r\n',
    '\r\n',
    '3\r\nabc\r\n',
    '0\r\n\r\n',
    'abc',
    '\n',
    '\r',
    '\0',
    'A: b\r\n',
  );
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 8 }),
      fc.array(fc.nat(200), { maxLength: 6 }),
      fc.constantFrom('GET', 'HEAD'),
      (words, cuts, method) => {
        const whole = read(words.join(''), [], method);
        const split = read(words.join(''), cuts, method);
        // Bytes behind the answer are not read, so a fault in them may be seen or not; nothing else may differ.
        if (whole.result === 'fault') assert.equal(split.result, 'fault');
        else assert.deepEqual(split, whole);
      },
    ),
    { numRuns: 1000 },
  );
});
