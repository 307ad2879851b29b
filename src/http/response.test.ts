import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LENGTH_CHUNKED, LENGTH_CLOSE, LENGTH_NONE } from '../kernel/exchange.ts';
import { HttpFault } from './fault.ts';
import { HOP_BY_HOP } from './known.ts';
import { parseResponse, Response } from './response.ts';

const limits = { head: 2000, fields: 20 };

function parse(text: string, method = 'GET'): Response | HttpFault {
  const buffer = Buffer.from(text, 'latin1');
  return parseResponse(buffer, 0, buffer.length, method, limits);
}

const ok = (fields: string) => `HTTP/1.1 200 OK\r\n${fields}\r\n`;

const refused: [string, string, string][] = [
  ['two lengths', ok('Content-Length: 5\r\nContent-Length: 6\r\n'), 'response_content_length_repeated'],
  ['the same length twice', ok('Content-Length: 5\r\nContent-Length: 5\r\n'), 'response_content_length_repeated'],
  ['a list of lengths', ok('Content-Length: 5, 5\r\n'), 'response_content_length_invalid'],
  ['a negative length', ok('Content-Length: -5\r\n'), 'response_content_length_invalid'],
  ['a signed length', ok('Content-Length: +5\r\n'), 'response_content_length_invalid'],
  ['a spaced length', ok('Content-Length: 5 5\r\n'), 'response_content_length_invalid'],
  ['an empty length', ok('Content-Length:\r\n'), 'response_content_length_invalid'],
  ['a length behind NBSP', ok('Content-Length: \xa05\r\n'), 'response_content_length_invalid'],
  ['length and coding', ok('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'), 'response_cl_and_te'],
  ['gzip and chunked', ok('Transfer-Encoding: gzip, chunked\r\n'), 'response_unknown_coding'],
  ['chunked twice', ok('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'), 'response_unknown_coding'],
  ['chunked behind NBSP', ok('Transfer-Encoding: \xa0chunked\r\n'), 'response_unknown_coding'],
  ['an empty coding', ok('Transfer-Encoding:\r\n'), 'response_unknown_coding'],
  ['a coding in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'response_te_in_http10'],
  ['obs-fold', ok('A: b\r\n c\r\n'), 'response_obs_fold'],
  ['a space before the colon', ok('A : b\r\n'), 'response_space_before_colon'],
  ['an empty name', ok(': b\r\n'), 'response_empty_field_name'],
  ['a bare CR', ok('A: b\rc\r\n'), 'response_bare_cr'],
  ['a bare LF', ok('A: b\nc: d\r\n'), 'response_bare_lf'],
  ['NUL', ok('A: \0\r\n'), 'response_invalid_field_value'],
  ['many fields', ok('A: b\r\n'.repeat(21)), 'response_too_many_fields'],
  ['a large head', ok(`A: ${'b'.repeat(2000)}\r\n`), 'response_head_too_large'],
  ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n', 'status_line'],
  ['no version', '200 OK\r\n\r\n', 'status_line'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'status_line'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', 'status_line'],
  ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n', 'status_line'],
  ['no status', 'HTTP/1.1 \r\n\r\n', 'status_line'],
  ['a bare CR in the reason', 'HTTP/1.1 200 O\rK\r\n\r\n', 'status_line'],
  ['NUL in the reason', 'HTTP/1.1 200 O\0K\r\n\r\n', 'status_line'],
  ['a line before it', '\r\nHTTP/1.1 200 OK\r\n\r\n', 'status_line'],
  ['a body of 100', 'HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\n', 'response_body_forbidden'],
  ['a chunked 103', 'HTTP/1.1 103 E\r\nTransfer-Encoding: chunked\r\n\r\n', 'response_body_forbidden'],
  ['a body of 204', 'HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\n', 'response_body_forbidden'],
  ['1xx in HTTP/1.0', 'HTTP/1.0 100 C\r\n\r\n', 'response_interim_http10'],
  ['101 without Upgrade', 'HTTP/1.1 101 S\r\nConnection: upgrade\r\n\r\n', 'response_upgrade_missing'],
];

for (const [what, text, kind] of refused) {
  test(`refuses ${what}`, () => {
    const result = parse(text);
    assert.ok(result instanceof HttpFault, 'it was parsed');
    assert.deepEqual([result.kind, result.code], [kind, 'upstream_protocol']);
  });
}

const framed: [string, string, string, number, boolean][] = [
  ['a length', ok('Content-Length: 5\r\n'), 'GET', 5, true],
  ['chunked', ok('transfer-encoding: Chunked\t\r\n'), 'GET', LENGTH_CHUNKED, true],
  ['neither', ok(''), 'GET', LENGTH_CLOSE, false],
  ['neither, though kept alive', ok('Connection: keep-alive\r\n'), 'GET', LENGTH_CLOSE, false],
  ['close', ok('Content-Length: 0\r\nConnection: x, Close\r\n'), 'GET', 0, false],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n', 'GET', 1, false],
  ['HTTP/1.0 kept alive', 'HTTP/1.0 200\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n', 'GET', 1, true],
  ['HEAD', ok('Content-Length: 5\r\n'), 'HEAD', LENGTH_NONE, true],
  ['HEAD, chunked', ok('Transfer-Encoding: chunked\r\n'), 'HEAD', LENGTH_NONE, true],
  ['304', 'HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n', 'GET', LENGTH_NONE, true],
  ['204', 'HTTP/1.1 204 N\r\nContent-Length: 0\r\n\r\n', 'GET', LENGTH_NONE, true],
  ['205', 'HTTP/1.1 205 R\r\nContent-Length: 0\r\n\r\n', 'GET', 0, true],
  ['999', 'HTTP/1.1 999 \r\nContent-Length: 2\r\n\r\n', 'GET', 2, true],
];

for (const [what, text, method, length, keepAlive] of framed) {
  test(`frames by ${what}`, () => {
    const head = parse(text, method);
    assert.ok(head instanceof Response, head instanceof HttpFault ? head.message : '');
    assert.deepEqual([head.length, head.keepAlive], [length, keepAlive]);
  });
}

test('reads reason, hint and upgrade; keeps the length that HEAD announces', () => {
  const head = parse(
    'HTTP/1.1 101 Switching \xe4\r\nConnection: Upgrade, X-Hop\r\nUpgrade: WebSocket\r\nKeep-Alive: max=5, timeout=30\r\nX-Hop: 1\r\nA: b\r\n\r\n',
  );
  assert.ok(head instanceof Response);
  assert.deepEqual([head.reason, head.upgrade, head.keepAliveSeconds], ['Switching \xe4', 'WebSocket', 30]);
  assert.equal(head.lines(HOP_BY_HOP), 'A: b\r\n');
  assert.equal((parse(ok('Content-Length: 5\r\n'), 'HEAD') as Response).contentLength, 5);
});

test('any bytes give a head or a fault, never an exception (property)', () => {
  const word = fc.constantFrom(
    'HTTP/1.1 ',
    '200',
    ' OK',
    '\r\n',
    '\n',
    '\r',
    'Content-Length: 1',
    ':',
    ' ',
    '\0',
    'Transfer-Encoding: chunked',
  );
  const noise = fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
  fc.assert(
    fc.property(fc.array(fc.oneof(word, noise), { maxLength: 25 }), (words) => {
      const result = parse(`${words.join('')}\r\n\r\n`);
      assert.ok(result instanceof Response || result instanceof HttpFault);
    }),
    { numRuns: 500 },
  );
});
