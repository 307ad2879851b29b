/**
 * Requests that two parsers have been known to read in two ways (RFC 9112 §11, and the published work on request smuggling),
 * beside ordinary ones. Every case ends in a further request, so that a wrong end of the first one shows.
 */
import { chunkedBodies } from './bodies.ts';

/** Name, bytes (one character each). */
export type Case = readonly [name: string, bytes: string];

/** The request behind each case. */
export const NEXT = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n';
/** `hello`, chunked. */
export const CHUNKED = '5\r\nhello\r\n0\r\n\r\n';
const shown = (text: string) => JSON.stringify(text).slice(1, -1);

/** A POST with these field lines and this body, and the request behind it. */
export const withFields = (fields: string, body = '') => `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}${NEXT}`;
/** One case for each value. */
export const each = (what: string, values: readonly string[], bytes: (value: string) => string): Case[] =>
  values.map((value) => [`${what}: ${shown(value)}`, bytes(value)]);

/** CL.0, 0.CL and what passes for a number. */
const lengths = [
  '5',
  '05',
  '005',
  '0',
  '00',
  '+5',
  '-5',
  '5.0',
  '5e0',
  '0x5',
  ' 5',
  '5 ',
  '\t5\t',
  '5\t ',
  '5 5',
  '5,5',
  '5, 5',
  '5,',
  ',5',
  '5;a',
  '',
  ' ',
  '"5"',
  '5\x0b',
  '\x0c5',
  '5\xa0',
  '\xa05',
  '\x005',
  '٥',
  '5_0',
  'five',
  '4294967301',
  '18446744073709551621',
  '9007199254740993',
  '999999999999999',
  '00000000000000005',
  '000000000000005',
  '5\r\n ',
  '5\r\n\t5',
  '5#',
  '5\x85',
];

const lengthCases: Case[] = [
  ...each('Content-Length', lengths, (value) => withFields(`Content-Length:${value}\r\n`, 'hello')),
  ...each('second Content-Length', ['5', '6', '05', '', 'x'], (value) =>
    withFields(`Content-Length: 5\r\nContent-Length: ${value}\r\n`, 'hello'),
  ),
  ...each(
    'Content-Length written',
    [
      'content-length',
      'CONTENT-LENGTH',
      'Content_Length',
      'Content-Length ',
      'Content-Length\t',
      ' Content-Length',
      'Content-Length\x00',
      'Content-Length\x0b',
      'Content\x00-Length',
      'Content Length',
      'Content-Length:',
      'X: y\rContent-Length',
      'X: y\nContent-Length',
      'X: y\r\r\nContent-Length',
      '"Content-Length"',
      'Content-Length\xa0',
      'Сontent-Length',
      'Content--Length',
    ],
    (name) => withFields(`${name}: 5\r\n`, 'hello'),
  ),
  ['GET with a body', `GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello${NEXT}`],
  ['HEAD with a body', `HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello${NEXT}`],
  ['DELETE with a body', `DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello${NEXT}`],
  ['TRACE with a body', `TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello${NEXT}`],
  ['POST without a length', withFields('')],
  ['POST with a body and no length', withFields('', 'hello')],
  ['a body that is short', `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n${NEXT}`],
];

/** TE.TE: spellings of a coding that some take for chunked and some do not. */
const codings = [
  'chunked',
  'Chunked',
  'CHUNKED',
  ' chunked',
  'chunked ',
  '\tchunked',
  'chunked\t',
  'xchunked',
  'chunkedx',
  'chunke',
  'chunked,',
  ',chunked',
  'chunked, chunked',
  'chunked,chunked',
  'chunked, identity',
  'identity, chunked',
  'identity',
  'gzip',
  'gzip, chunked',
  'gzip,chunked',
  'chunked, gzip',
  'x, chunked',
  'chunked;q=1',
  'chunked; a=b',
  '"chunked"',
  "'chunked'",
  '[chunked]',
  'cow',
  '',
  ' ',
  '\x0bchunked',
  'chunked\x0b',
  '\x0cchunked',
  '\xa0chunked',
  'chunked\xa0',
  '\x85chunked',
  '\x00chunked',
  'chunked\x00',
  'chun\x00ked',
  'ch\xfcnked',
  '\r\n chunked',
  '\r\n\tchunked',
  'chunked\r\n ',
  'chunked\r\n x',
  'x\r\n chunked',
  'chunked chunked',
  '\\chunked',
  'chunked\x7f',
  'chunkedchunked',
  'chunked, ',
  'deflate',
  'trailers',
];

const codingCases: Case[] = [
  ...each('Transfer-Encoding', codings, (value) => withFields(`Transfer-Encoding:${value}\r\n`, CHUNKED)),
  ...each('Transfer-Encoding beside Content-Length', codings, (value) =>
    withFields(`Content-Length: 15\r\nTransfer-Encoding: ${value}\r\n`, CHUNKED),
  ),
  ...each('second Transfer-Encoding', ['chunked', 'identity', 'gzip', 'x', ''], (value) =>
    withFields(`Transfer-Encoding: chunked\r\nTransfer-Encoding: ${value}\r\n`, CHUNKED),
  ),
  ...each('first Transfer-Encoding', ['identity', 'gzip', 'x', ''], (value) =>
    withFields(`Transfer-Encoding: ${value}\r\nTransfer-Encoding: chunked\r\n`, CHUNKED),
  ),
  ...each(
    'Transfer-Encoding written',
    [
      'transfer-encoding',
      'TRANSFER-ENCODING',
      'Transfer_Encoding',
      'Transfer-Encoding ',
      'Transfer-Encoding\t',
      ' Transfer-Encoding',
      'Transfer-Encoding\x00',
      'Transfer Encoding',
      'X: y\nTransfer-Encoding',
      'X: y\rTransfer-Encoding',
      'X:\r\nTransfer-Encoding',
      'Transfer-Encoding:',
      'Transfer-\r\nEncoding',
      'Transfer-Encoding\r\n',
      'Transfer-Encoding\xff',
      '\x01Transfer-Encoding',
    ],
    (name) => withFields(`${name}: chunked\r\n`, CHUNKED),
  ),
  ['CL.TE', withFields('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\nG')],
  [
    'TE.CL',
    withFields('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', '5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n'),
  ],
  ['a coding in HTTP/1.0', `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}${NEXT}`],
  [
    'a coding in HTTP/1.0, kept alive',
    `POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}${NEXT}`,
  ],
  ['GET with a chunked body', `GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}${NEXT}`],
  ['a TE field', withFields('TE: trailers, chunked\r\n')],
  ...chunkedBodies.map(
    ([name, body]): Case => [`chunked body: ${name}`, withFields('Transfer-Encoding: chunked\r\n', body)],
  ),
];

/** Cases about where a body ends. */
export const framingCases: readonly Case[] = [...lengthCases, ...codingCases];
