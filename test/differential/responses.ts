/** Responses that parsers differ on. Name, method of the request, bytes. */
import { chunkedBodies } from './bodies.ts';

/** A response case. */
export type ResponseCase = readonly [name: string, method: string, bytes: string];

const shown = (text: string) => JSON.stringify(text).slice(1, -1);
const each = (what: string, values: readonly string[], bytes: (value: string) => string): ResponseCase[] =>
  values.map((value) => [`${what}: ${shown(value)}`, 'GET', bytes(value)]);

const withFields = (fields: string, body = 'hello') => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`;
const CHUNKED = '5\r\nhello\r\n0\r\n\r\n';

const statusLines = [
  'HTTP/1.1 200 OK',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 200',
  'HTTP/1.1 200 ',
  'HTTP/1.1 200  OK',
  'HTTP/1.1 200 O K',
  'HTTP/1.1 200 \xe4',
  'HTTP/1.1 200 O\tK',
  'HTTP/1.1 200 O\x00K',
  'HTTP/1.1 200 O\rK',
  'HTTP/1.1 200 O\x7fK',
  'HTTP/1.1  200 OK',
  'HTTP/1.1\t200 OK',
  'HTTP/1.1 200\tOK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 2000 OK',
  'HTTP/1.1 2x0 OK',
  'HTTP/1.1 099 OK',
  'HTTP/1.1 000 OK',
  'HTTP/1.1 600 OK',
  'HTTP/1.1 999 OK',
  'HTTP/1.1 -200 OK',
  'HTTP/1.1 200OK',
  'HTTP/1.2 200 OK',
  'HTTP/0.9 200 OK',
  'HTTP/2.0 200 OK',
  'HTTP/2 200 OK',
  'HTTP/1.10 200 OK',
  'http/1.1 200 OK',
  'ICY 200 OK',
  'HTTP/1.1',
  'HTTP/1.1 ',
  '200 OK',
  ' HTTP/1.1 200 OK',
  '\r\nHTTP/1.1 200 OK',
  '\nHTTP/1.1 200 OK',
  'HTTP/1.1 200 OK\r',
  'HTTP/1.1 304 Not Modified',
  'HTTP/1.1 204 No Content',
  'HTTP/1.1 205 Reset Content',
  'HTTP/1.1 500 ',
  'HTTP/1.1 200 OK\n',
];

const lengths = [
  '5',
  '05',
  '+5',
  '-5',
  '5.0',
  '0x5',
  ' 5 ',
  '5\t',
  '5 5',
  '5,5',
  '5, 5',
  '',
  '5;a',
  '"5"',
  '5\xa0',
  '18446744073709551621',
  '00000000000000000005',
  '5\r\n ',
  '3',
  '9',
  '0',
];
const codings = [
  'chunked',
  'Chunked',
  'chunked ',
  'chunked\t',
  'xchunked',
  'chunked,',
  ',chunked',
  'chunked, chunked',
  'identity',
  'identity, chunked',
  'gzip',
  'gzip, chunked',
  'chunked, gzip',
  'chunked;q=1',
  '"chunked"',
  '',
  '\x0bchunked',
  '\xa0chunked',
  'chunked\xa0',
  '\r\n chunked',
  'x',
];
const fieldLines = [
  'A: b',
  'A:',
  'A : b',
  ': b',
  ' A: b',
  '\tA: b',
  'A: b\r\n c',
  'A: b\r\n\tc',
  'A',
  'A(b): c',
  'A_b: c',
  '\xc4: b',
  'A: b\x00c',
  'A: b\x01c',
  'A: b\x7fc',
  'A: \xe4',
  'A: b\rc',
  'A: b\nc',
  'A: b\nc: d',
  'A: b\r',
  '\r',
  '\n',
  'A: b\x0b',
  'Connection: close',
  'Connection: x, A\r\nA: b',
  'Connection: content-length',
  'Content_Length: 3',
  'Keep-Alive: timeout=5',
  'Upgrade: h2c',
  'Connection: upgrade\r\nUpgrade: x',
  'Set-Cookie: a\r\nSet-Cookie: b',
];

/** Statuses and methods whose responses have no body, and fields that say otherwise. */
const bodyless: ResponseCase[] = ['100', '103', '199', '204', '304', '200'].flatMap((status) =>
  ['', 'Content-Length: 0\r\n', 'Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n'].flatMap((fields) =>
    ['GET', 'HEAD'].flatMap((method): ResponseCase[] => {
      const final = status.startsWith('1') ? 'HTTP/1.1 204 No Content\r\n\r\n' : '';
      return [
        [`${status} to ${method} with ${shown(fields)}`, method, `HTTP/1.1 ${status} X\r\n${fields}\r\n${final}`],
      ];
    }),
  ),
);

/** All response cases. */
export const responseCases: readonly ResponseCase[] = [
  ...each('status line', statusLines, (line) => `${line}\r\nContent-Length: 5\r\n\r\nhello`),
  ...each('Content-Length', lengths, (value) => withFields(`Content-Length:${value}\r\n`)),
  ...each('second Content-Length', ['5', '6', ''], (value) =>
    withFields(`Content-Length: 5\r\nContent-Length: ${value}\r\n`),
  ),
  ...each('Transfer-Encoding', codings, (value) => withFields(`Transfer-Encoding:${value}\r\n`, CHUNKED)),
  ...each('Transfer-Encoding and Content-Length', codings, (value) =>
    withFields(`Content-Length: 15\r\nTransfer-Encoding: ${value}\r\n`, CHUNKED),
  ),
  ...each('second Transfer-Encoding', ['chunked', 'gzip', ''], (value) =>
    withFields(`Transfer-Encoding: chunked\r\nTransfer-Encoding: ${value}\r\n`, CHUNKED),
  ),
  ...each('field line', fieldLines, (line) => withFields(`${line}\r\nContent-Length: 5\r\n`)),
  ...each('field line behind the length', fieldLines, (line) => withFields(`Content-Length: 5\r\n${line}\r\n`)),
  ...chunkedBodies.map(
    ([name, body]): ResponseCase => [`chunked: ${name}`, 'GET', withFields('Transfer-Encoding: chunked\r\n', body)],
  ),
  ...bodyless,
  ['until the end', 'GET', withFields('')],
  ['until the end, kept alive', 'GET', withFields('Connection: keep-alive\r\n')],
  ['HTTP/1.0 until the end', 'GET', 'HTTP/1.0 200 OK\r\n\r\nhello'],
  ['HTTP/1.0, chunked', 'GET', `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}`],
  ['two responses', 'GET', withFields('Content-Length: 5\r\n').repeat(2)],
  ['bytes behind the response', 'GET', `${withFields('Content-Length: 5\r\n')}x`],
  ['a length behind 204', 'GET', 'HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\nhello'],
  ['a body behind 304', 'GET', 'HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\nhello'],
  ['a body behind HEAD', 'HEAD', withFields('Content-Length: 5\r\n')],
  ['103 with close', 'GET', `HTTP/1.1 103 X\r\nConnection: close\r\n\r\n${withFields('Content-Length: 5\r\n')}`],
  ['101', 'GET', 'HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello'],
  ['101 from HTTP/1.0', 'GET', 'HTTP/1.0 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello'],
  ['101 without Upgrade', 'GET', 'HTTP/1.1 101 X\r\n\r\nhello'],
  ['101 without Connection', 'GET', 'HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\nhello'],
  ['100 from HTTP/1.0', 'GET', `HTTP/1.0 100 Continue\r\n\r\n${withFields('Content-Length: 5\r\n')}`],
  ['100 twice', 'GET', `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(2)}${withFields('Content-Length: 5\r\n')}`],
  ['cut in the head', 'GET', 'HTTP/1.1 200 OK\r\nContent-Le'],
  ['cut in the body', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello'],
  ['LF for the empty line', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello'],
  ['LF only', 'GET', 'HTTP/1.1 200 OK\nContent-Length: 5\n\nhello'],
  ['CR CR CR LF behind the status line', 'GET', 'HTTP/1.1 204 No Content\r\r\r\n'],
  ['nothing', 'GET', ''],
];
