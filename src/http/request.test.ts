import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LENGTH_CHUNKED, LENGTH_NONE } from '../kernel/exchange.ts';
import { HttpFault } from './fault.ts';
import { checkPartialHead, findHeadEnd } from './head.ts';
import { HOP_BY_HOP, KNOWN } from './known.ts';
import { parseRequest, Request } from './request.ts';

/** Bytes as one character each. */
const latin1 = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((bytes) => Buffer.from(bytes).toString('latin1'));

const limits = { head: 4096, uri: 200, fields: 20, body: 1000 };

function parse(text: string): Request | HttpFault {
  const buffer = Buffer.from(text, 'latin1');
  const end = findHeadEnd(buffer, 0, buffer.length);
  if (end < 0) {
    const fault = checkPartialHead(buffer, 0, buffer.length, limits.head, limits.uri);
    return fault ?? new HttpFault('incomplete', 'bad_request', 'incomplete');
  }
  return parseRequest(buffer, 0, end, limits);
}

const get = (fields: string) => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const post = (fields: string) => `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

const refused: [string, string, string, string?][] = [
  ['length and coding', post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'), 'cl_and_te'],
  ['two lengths', post('Content-Length: 5\r\nContent-Length: 6\r\n'), 'content_length_repeated'],
  ['the same length twice', post('Content-Length: 5\r\nContent-Length: 5\r\n'), 'content_length_repeated'],
  ['a list of lengths', post('Content-Length: 5, 5\r\n'), 'content_length_invalid'],
  ['a negative length', post('Content-Length: -5\r\n'), 'content_length_invalid'],
  ['a signed length', post('Content-Length: +5\r\n'), 'content_length_invalid'],
  ['a spaced length', post('Content-Length: 5 5\r\n'), 'content_length_invalid'],
  ['a hex length', post('Content-Length: 0x5\r\n'), 'content_length_invalid'],
  ['an empty length', post('Content-Length: \r\n'), 'content_length_invalid'],
  ['a huge length', post('Content-Length: 99999999999999999999\r\n'), 'content_length_invalid'],
  ['chunked not last', post('Transfer-Encoding: chunked, gzip\r\n'), 'chunked_not_last'],
  ['chunked twice', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'), 'chunked_repeated'],
  ['gzip before chunked', post('Transfer-Encoding: gzip, chunked\r\n'), 'unknown_coding', 'unsupported_coding'],
  ['an unknown coding', post('Transfer-Encoding: xchunked\r\n'), 'unknown_coding', 'unsupported_coding'],
  ['a coding with vertical tab', post('Transfer-Encoding: \x0bchunked\r\n'), 'invalid_field_value'],
  ['identity', post('Transfer-Encoding: identity\r\n'), 'chunked_not_last'],
  ['a coding in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n', 'te_in_http10'],
  ['a bare CR in a value', get('A: b\rc\r\n'), 'bare_cr'],
  ['a bare CR at the line end', 'GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n', 'bare_cr'],
  ['a bare LF in the fields', 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n', 'bare_lf'],
  ['a bare LF after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n', 'bare_lf'],
  ['bare LFs only', 'GET / HTTP/1.1\nHost: a\n\n', 'bare_lf'],
  ['obs-fold', get('A: b\r\n c\r\n'), 'obs_fold'],
  ['obs-fold by tab', get('A: b\r\n\tc\r\n'), 'obs_fold'],
  ['a first line that is folded', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 'obs_fold'],
  ['a space before the colon', get('A : b\r\n'), 'space_before_colon'],
  ['an empty name', get(': b\r\n'), 'empty_field_name'],
  ['an invalid name', get('A(b): c\r\n'), 'invalid_field_name'],
  ['a name in Latin-1', get('\xc4: c\r\n'), 'invalid_field_name'],
  ['no colon', get('abc\r\n'), 'missing_colon'],
  ['NUL in a value', get('A: b\0c\r\n'), 'invalid_field_value'],
  ['DEL in a value', get('A: b\x7fc\r\n'), 'invalid_field_value'],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 'host_missing'],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 'host_repeated'],
  ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 'host_invalid'],
  ['a Host with userinfo', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 'host_invalid'],
  ['a Host with a comma', 'GET / HTTP/1.1\r\nHost: a,b\r\n\r\n', 'host_invalid'],
  ['a Host with a bad port', 'GET / HTTP/1.1\r\nHost: a:b\r\n\r\n', 'host_invalid'],
  ['a Host with two ports', 'GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n', 'host_invalid'],
  ['a Host with a space', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 'host_invalid'],
  ['an absolute target elsewhere', 'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n', 'host_mismatch'],
  ['an absolute target with userinfo', 'GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n', 'host_invalid'],
  ['another scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n', 'request_target'],
  ['a relative target', 'GET a HTTP/1.1\r\nHost: a\r\n\r\n', 'request_target'],
  ['a star with GET', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 'request_target'],
  ['a fragment', 'GET /#a HTTP/1.1\r\nHost: a\r\n\r\n', 'request_line'],
  ['two spaces', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', 'request_line'],
  ['a space at the end of the line', 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n', 'request_line'],
  ['a tab', 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n', 'request_line'],
  ['HTTP/0.9', 'GET /\r\n\r\n', 'request_line'],
  ['lower case http', 'GET / http/1.1\r\nHost: a\r\n\r\n', 'request_line'],
  ['HTTP/1.10', 'GET / HTTP/1.10\r\nHost: a\r\n\r\n', 'request_line'],
  ['HTTP/2.0', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 'http_version', 'version_not_supported'],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\n', 'http_version', 'version_not_supported'],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', 'http_version', 'version_not_supported'],
  ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n', 'connect_method', 'method_not_allowed'],
  ['CONNECT with a path', 'CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n', 'connect_method', 'method_not_allowed'],
  ['a method in small letters', 'head / HTTP/1.1\r\nHost: a\r\n\r\n', 'method_case'],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 'host_invalid'],
  ['a Host with a large port', 'GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n', 'host_invalid'],
  ['a Host that is a port', 'GET / HTTP/1.1\r\nHost: :80\r\n\r\n', 'host_invalid'],
  ['Content_Length', post('Content_Length: 5\r\n'), 'underscore_field_name'],
  ['Transfer_Encoding', post('Content-Length: 5\r\nTransfer_Encoding: chunked\r\n'), 'underscore_field_name'],
  ['X_Forwarded_For', get('X_Forwarded_For: 127.0.0.1\r\n'), 'underscore_field_name'],
  ['X-Forwarded_For', get('X-Forwarded_For: 127.0.0.1\r\n'), 'underscore_field_name'],
  ['a coding behind NBSP', post('Transfer-Encoding: \xa0chunked\r\n'), 'unknown_coding', 'unsupported_coding'],
  ['another expectation', post('Expect: 200-ok\r\nContent-Length: 1\r\n'), 'expectation', 'expectation_failed'],
  ['a long target', `GET /${'a'.repeat(300)} HTTP/1.1\r\nHost: a\r\n\r\n`, 'uri_too_long', 'uri_too_long'],
  ['a long target still arriving', `GET /${'a'.repeat(300)}`, 'uri_too_long', 'uri_too_long'],
  ['a large head', get(`A: ${'b'.repeat(5000)}\r\n`), 'head_too_large', 'head_too_large'],
  ['many fields', get('A: b\r\n'.repeat(30)), 'too_many_fields', 'head_too_large'],
  ['a large body', post('Content-Length: 1001\r\n'), 'body_too_large', 'body_too_large'],
];

for (const [what, text, kind, code] of refused) {
  test(`refuses ${what}`, () => {
    const result = parse(text);
    assert.ok(result instanceof HttpFault, `it was parsed: ${JSON.stringify(text)}`);
    assert.equal(result.kind, kind);
    assert.equal(result.code, code ?? 'bad_request');
  });
}

test('reads an ordinary request', () => {
  const head = parse(
    'POST /v1/chat?x=1 HTTP/1.1\r\nHost: API.example.com:8080\r\nContent-Length: 12\r\nX-A:  b \r\n\r\n',
  ) as Request;
  assert.equal(head.method, 'POST');
  assert.equal(head.path, '/v1/chat');
  assert.equal(head.query, 'x=1');
  assert.equal(head.authority, 'API.example.com:8080');
  assert.equal(head.host, 'api.example.com');
  assert.equal(head.length, 12);
  assert.equal(head.get('x-a'), 'b');
  assert.equal(head.keepAlive, true);
});

const accepted: [string, string, (head: Request) => void][] = [
  ['an absolute target', 'GET http://a/x?y HTTP/1.1\r\nHost: a\r\n\r\n', (h) => assert.equal(h.target, '/x?y')],
  ['an absolute target without path', 'GET http://a HTTP/1.1\r\nHost: a\r\n\r\n', (h) => assert.equal(h.target, '/')],
  ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', (h) => assert.equal(h.target, '*')],
  ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', (h) => assert.equal(h.keepAlive, false)],
  ['HTTP/1.0 kept alive', 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', (h) => assert.equal(h.keepAlive, true)],
  ['close', get('Connection: close\r\n'), (h) => assert.equal(h.keepAlive, false)],
  ['close in a list', get('Connection: x, Close\r\n'), (h) => assert.equal(h.keepAlive, false)],
  ['Chunked in capitals', post('Transfer-Encoding: Chunked\r\n'), (h) => assert.equal(h.length, LENGTH_CHUNKED)],
  ['no body', get(''), (h) => assert.equal(h.length, LENGTH_NONE)],
  ['an IPv6 host', 'GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n', (h) => assert.equal(h.host, '[::1]')],
  ['an empty Host port', 'GET / HTTP/1.1\r\nHost: a:\r\n\r\n', (h) => assert.equal(h.host, 'a')],
  [
    'an expectation',
    post('Expect: 100-Continue\r\nContent-Length: 1\r\n'),
    (h) => assert.equal(h.expectContinue, true),
  ],
  ['an upgrade', get('Connection: Upgrade\r\nUpgrade: WebSocket\r\n'), (h) => assert.equal(h.upgrade, 'websocket')],
  ['an upgrade that Connection does not name', get('Upgrade: websocket\r\n'), (h) => assert.equal(h.upgrade, '')],
  [
    'h2c is not asked for',
    get('Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n'),
    (h) => assert.equal(h.upgrade, ''),
  ],
  ['TLS is not asked for', get('Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n'), (h) => assert.equal(h.upgrade, '')],
  ['an underscore elsewhere', get('session_id: 1\r\n'), (h) => assert.equal(h.get('session_id'), '1')],
  ['close behind NBSP', get('Connection: \xa0close\r\n'), (h) => assert.equal(h.keepAlive, true)],
  ['OPTIONS of a server', 'OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n', (h) => assert.equal(h.target, '*')],
  ['Latin-1 in a value', get('A: \xe4\r\n'), (h) => assert.equal(h.get('a'), '\xe4')],
];

for (const [what, text, check] of accepted) {
  test(`reads ${what}`, () => {
    const head = parse(text);
    assert.ok(head instanceof Request, head instanceof HttpFault ? head.message : '');
    check(head);
  });
}

test('fields named by Connection stay behind, framing and Host cannot be named', () => {
  const head = parse(get('Connection: x-hop, host, keep-alive\r\nX-Hop: 1\r\nX-End: 2\r\n')) as Request;
  assert.equal(head.lines(HOP_BY_HOP), 'Host: a\r\nX-End: 2\r\n');
});

test('lines that travel are the bytes that came', () => {
  const head = parse(get('A: 1\r\nTE: trailers\r\nB:2\r\nKeep-Alive: 5\r\nC:\t3\r\n')) as Request;
  assert.equal(head.lines(HOP_BY_HOP | KNOWN.host), 'A: 1\r\nB:2\r\nC:\t3\r\n');
});

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
const value = fc.stringMatching(/^[!-~\x80-\xff]([\t -~\x80-\xff]{0,20}[!-~\x80-\xff])?$|^$/);

test('what is forwarded parses again to the same fields (property)', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(token, value), { maxLength: 15 }), (fields) => {
      const usable = fields.filter(([name]) => !(name.toLowerCase() in KNOWN));
      const text = get(usable.map(([name, v]) => `${name}:${v}\r\n`).join(''));
      const head = parse(text);
      assert.ok(head instanceof Request);
      const again = parse(`GET / HTTP/1.1\r\n${head.lines(HOP_BY_HOP)}\r\n`);
      assert.ok(again instanceof Request);
      const list = (h: Request) => {
        const out: [string, string][] = [];
        h.each((name, v) => out.push([name, v]));
        return out;
      };
      assert.deepEqual(list(again), list(head));
      assert.deepEqual(list(head).slice(1), usable);
    }),
  );
});

test('any bytes give a head or a fault, never an exception (property)', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'GET ',
      '/ ',
      'HTTP/1.1',
      '\r\n',
      '\n',
      '\r',
      'Host: a',
      'Content-Length: 1',
      'Transfer-Encoding: chunked',
      ':',
      ' ',
      '\t',
      '\0',
    ),
    latin1(0, 6),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const result = parse(`${pieces.join('')}\r\n\r\n`);
      assert.ok(result instanceof Request || result instanceof HttpFault);
    }),
    { numRuns: 500 },
  );
});
