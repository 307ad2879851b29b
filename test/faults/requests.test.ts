/** Rows 9 to 18 and 20 of the fault table: requests that no two parsers may read in two ways, on real sockets. */
import { equal } from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertRefusal, type InProcess, startInProcess } from '../inprocess.ts';
import { plainResponse, type RawServer, rawServer } from '../raw.ts';

interface Case {
  name: string;
  bytes: string;
  /** Counter that moves. */
  kind: string;
  status?: number;
  code?: string;
  /** Nothing is sent behind it. */
  alone?: boolean;
}

const get = (fields: string) => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const post = (fields: string, body = '') => `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`;
const chunked = (body: string) => post('Transfer-Encoding: chunked\r\n', body);
const long = (bytes: number) => 'x'.repeat(bytes);

const CASES: Case[] = [
  // 9: both framings
  {
    name: 'CL and TE',
    bytes: post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    kind: 'cl_and_te',
  },
  {
    name: 'TE and CL',
    bytes: post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'),
    kind: 'cl_and_te',
  },
  // 10: lengths
  {
    name: 'differing lengths',
    bytes: post('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello!'),
    kind: 'content_length_repeated',
  },
  {
    name: 'equal lengths',
    bytes: post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'),
    kind: 'content_length_repeated',
  },
  ...['-5', '+5', '5 5', '5, 5', '0x5', '', '5.0', '99999999999999999999', '５'].map((value) => ({
    name: `length '${value}'`,
    bytes: post(`Content-Length: ${Buffer.from(value).toString('latin1')}\r\n`, 'hello'),
    kind: 'content_length_invalid',
  })),
  // 11: codings
  {
    name: 'chunked not last',
    bytes: post('Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n'),
    kind: 'chunked_not_last',
  },
  {
    name: 'unknown coding',
    bytes: post('Transfer-Encoding: secret\r\n', '0\r\n\r\n'),
    kind: 'unknown_coding',
    status: 501,
    code: 'unsupported_coding',
  },
  {
    name: 'known coding under chunked',
    bytes: post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'),
    kind: 'unknown_coding',
    status: 501,
    code: 'unsupported_coding',
  },
  {
    name: 'chunked twice',
    bytes: post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    kind: 'chunked_repeated',
  },
  {
    name: 'xchunked',
    bytes: post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'),
    kind: 'unknown_coding',
    status: 501,
    code: 'unsupported_coding',
  },
  // 12
  {
    name: 'TE in HTTP/1.0',
    bytes: 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    kind: 'te_in_http10',
  },
  // 13
  { name: 'bare CR in a value', bytes: get('A: b\rc\r\n'), kind: 'bare_cr' },
  { name: 'bare CR in the request line', bytes: 'GET / HTTP/1.1\rHost: a\r\n\r\n', kind: 'bare_cr' },
  // 14
  { name: 'bare LF after the request line', bytes: 'GET / HTTP/1.1\nHost: a\r\n\r\n', kind: 'bare_lf' },
  { name: 'bare LF after a field', bytes: 'GET / HTTP/1.1\r\nHost: a\n\r\n', kind: 'bare_lf' },
  { name: 'bare LFs only', bytes: 'GET / HTTP/1.1\nHost: a\n\n', kind: 'bare_lf' },
  // 15
  { name: 'obs-fold', bytes: get('A: b\r\n c\r\n'), kind: 'obs_fold' },
  { name: 'obs-fold first', bytes: 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', kind: 'obs_fold' },
  // 16
  { name: 'space before the colon', bytes: get('A : b\r\n'), kind: 'space_before_colon' },
  { name: 'empty name', bytes: get(': b\r\n'), kind: 'empty_field_name' },
  { name: 'invalid name', bytes: get('A(b): c\r\n'), kind: 'invalid_field_name' },
  { name: 'no colon', bytes: get('Abc\r\n'), kind: 'missing_colon' },
  // 17
  { name: 'NUL in a value', bytes: get('A: b\0c\r\n'), kind: 'invalid_field_value' },
  { name: 'control character in a value', bytes: get('A: b\x01c\r\n'), kind: 'invalid_field_value' },
  { name: 'DEL in a value', bytes: get('A: b\x7fc\r\n'), kind: 'invalid_field_value' },
  // 18
  { name: 'no Host', bytes: 'GET / HTTP/1.1\r\n\r\n', kind: 'host_missing' },
  { name: 'two Hosts', bytes: get('Host: a\r\n'), kind: 'host_repeated' },
  ...['a/b', 'user@a', 'a,b', 'a b', 'a:port', '[::1', '::1'].map((host) => ({
    name: `Host '${host}'`,
    bytes: `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    kind: 'host_invalid',
  })),
  {
    name: 'Host and absolute target differ',
    bytes: 'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n',
    kind: 'host_mismatch',
  },
  // 20 and its kin
  {
    name: 'head too large',
    bytes: get(`A: ${long(2000)}\r\n`),
    kind: 'head_too_large',
    status: 431,
    code: 'head_too_large',
  },
  {
    name: 'too many fields',
    bytes: get('A: b\r\n'.repeat(20)),
    kind: 'too_many_fields',
    status: 431,
    code: 'head_too_large',
  },
  {
    name: 'URI too long',
    bytes: `GET /${long(200)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    kind: 'uri_too_long',
    status: 414,
    code: 'uri_too_long',
  },
  {
    name: 'endless URI',
    bytes: `GET /${long(500)}`,
    alone: true,
    kind: 'uri_too_long',
    status: 414,
    code: 'uri_too_long',
  },
  {
    name: 'body too large',
    bytes: post('Content-Length: 5000\r\n'),
    kind: 'body_too_large',
    status: 413,
    code: 'body_too_large',
  },
  {
    name: 'chunked body too large',
    bytes: chunked(`fff\r\n${long(4095)}\r\n2\r\nxx\r\n0\r\n\r\n`),
    kind: 'body_too_large',
    status: 413,
    code: 'body_too_large',
  },
  {
    name: 'too many bytes of chunk extensions',
    bytes: chunked(`1;${long(100)}\r\nx\r\n0\r\n\r\n`),
    kind: 'chunk_extensions',
  },
  {
    name: 'trailers too large',
    bytes: chunked(`0\r\nA: ${long(100)}\r\n\r\n`),
    kind: 'trailers_too_large',
    status: 431,
    code: 'head_too_large',
  },
  {
    name: 'framing in a trailer',
    bytes: chunked('0\r\nContent-Length: 5\r\n\r\n'),
    kind: 'trailers',
  },
  { name: 'chunk size that is none', bytes: chunked('xyz\r\n'), kind: 'chunk_size' },
  { name: 'chunk longer than its size', bytes: chunked('1\r\nxyz\r\n0\r\n\r\n'), kind: 'chunk_end' },
  { name: 'chunk line that ends in LF', bytes: chunked('1\nx\r\n0\r\n\r\n'), kind: 'bare_lf' },
  { name: 'request line that is none', bytes: 'HELLO\r\n\r\n', kind: 'request_line' },
  {
    name: 'unknown version',
    bytes: 'GET / HTTP/2.0\r\nHost: a\r\n\r\n',
    kind: 'http_version',
    status: 505,
    code: 'version_not_supported',
  },
  {
    name: 'unknown expectation',
    bytes: get('Expect: tea\r\n'),
    kind: 'expectation',
    status: 417,
    code: 'expectation_failed',
  },
];

let server: RawServer;
let gateway: InProcess;

before(async () => {
  server = await rawServer(async (peer) => {
    for (;;) {
      await peer.read();
      await peer.send(plainResponse());
    }
  });
  gateway = await startInProcess({
    upstream: server.url,
    listener: { limits: { head: '1KiB', uri: '128', fields: 10, body: '4KiB', chunkExtensions: '64', trailers: '64' } },
  });
});
after(async () => {
  await gateway.close();
  await server.close();
});

for (const { name, bytes, kind, alone, status = 400, code = 'bad_request' } of CASES) {
  test(`${name}: ${status}, counted as ${kind}, and closed`, async () => {
    const counted = gateway.faults(kind);
    const client = await gateway.client();
    // What stands behind a broken request must never be taken for a request.
    await client.send(alone ? bytes : `${bytes}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    assertRefusal(await client.read(), { status, code, proxyError: 'http_request_error', close: true });
    equal(await client.readToEnd(), 'end');
    equal(client.received, '', 'nothing follows the refusal');
    client.close();
    equal(gateway.faults(kind), counted + 1, JSON.stringify(gateway.counted()));
    for (const peer of server.connections) equal(peer.received.includes('smuggled'), false);
    await gateway.unharmed();
  });
}

test('a refusal takes the shape of the API that was spoken', async () => {
  const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const answer = await gateway.ask(`${head}zz\r\n`);
  equal(answer.field('content-type'), 'application/json');
  const { error } = JSON.parse(answer.body) as { error: Record<string, unknown> };
  equal(error.type, 'invalid_request_error');
  equal(error.code, 'bad_request');
});
