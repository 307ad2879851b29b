import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LENGTH_CHUNKED, LENGTH_CLOSE, LENGTH_NONE, LENGTH_TUNNEL } from '../kernel/exchange.ts';
import { BodyReader } from './body.ts';
import { HttpFault } from './fault.ts';
import { connectionOptions, parseContentLength, requestCodings, upgradeProtocols } from './framing.ts';

const lengths: [string, number][] = [
  ['0', 0],
  ['5', 5],
  ['007', 7],
  ['999999999999999', 999_999_999_999_999],
  ['', -1],
  ['-1', -1],
  ['+1', -1],
  ['1.0', -1],
  ['1e3', -1],
  ['0x1', -1],
  ['1,1', -1],
  ['1 1', -1],
  ['\xa01', -1],
  ['9999999999999999', -1],
];

for (const [value, expected] of lengths) {
  test(`Content-Length ${JSON.stringify(value)} is ${expected}`, () =>
    assert.equal(parseContentLength(value), expected));
}

const codings: [string, string | undefined][] = [
  ['chunked', undefined],
  ['CHUNKED', undefined],
  ['chunked, chunked', 'chunked_repeated'],
  [', chunked', 'chunked_repeated'],
  ['identity, chunked', 'chunked_repeated'],
  ['gzip, chunked', 'unknown_coding'],
  ['x', 'unknown_coding'],
  ['chunked\xa0', 'unknown_coding'],
  ['chunked;a=b', 'unknown_coding'],
  ['chunked, gzip', 'chunked_not_last'],
  ['chunked,', 'chunked_not_last'],
  ['', 'chunked_not_last'],
];

for (const [value, expected] of codings) {
  test(`Transfer-Encoding ${JSON.stringify(value)}: ${expected ?? 'taken'}`, () => {
    assert.equal(requestCodings(value)?.kind, expected);
  });
}

const connections: [string, string][] = [
  ['close', 'close'],
  ['Keep-Alive', 'keepAlive'],
  [' ,\tCLOSE ,', 'close'],
  ['upgrade, close', 'close upgrade'],
  ['keep-alive, x', 'keepAlive others'],
  ['\xa0close', 'others'],
  ['"close"', 'others'],
  ['', ''],
];

for (const [value, expected] of connections) {
  test(`Connection ${JSON.stringify(value)}: ${expected}`, () => {
    const options = Object.entries(connectionOptions(value)).filter(([, set]) => set);
    assert.equal(options.map(([name]) => name).join(' '), expected);
  });
}

for (const [value, expected] of [
  ['WebSocket', 'websocket'],
  ['websocket, foo/2', 'websocket, foo/2'],
  ['h2c', ''],
  ['websocket,h2c', ''],
  ['H2', ''],
  ['HTTP/2.0', ''],
  ['TLS/1.2', ''],
  ['h2cx', 'h2cx'],
] as const) {
  test(`Upgrade ${value}: ${expected === '' ? 'ignored' : 'asked for'}`, () => {
    assert.equal(upgradeProtocols(value), expected);
  });
}

const limits = { body: 100, chunkExtensions: 10, trailers: 100, fields: 5 };
const bodies: [string, number, string, string, number, boolean][] = [
  ['none', LENGTH_NONE, 'abc', '', 0, true],
  ['an empty one', 0, 'abc', '', 0, true],
  ['a counted one', 3, 'abcdef', 'abc', 3, true],
  ['part of a counted one', 9, 'abc', 'abc', 3, false],
  ['a chunked one', LENGTH_CHUNKED, '3\r\nabc\r\n0\r\n\r\nX', 'abc', 13, true],
  ['one until the end', LENGTH_CLOSE, 'abc', 'abc', 3, false],
  ['a tunnel', LENGTH_TUNNEL, 'abc', 'abc', 3, false],
];

for (const [what, length, text, payload, used, done] of bodies) {
  test(`reads ${what}`, () => {
    const body = new BodyReader();
    let got = '';
    body.begin(length, limits);
    const bytes = Buffer.from(text);
    const sink = {
      onPayload: (b: Buffer, s: number, e: number) => {
        got += b.toString('latin1', s, e);
      },
    };
    const at = body.done ? 0 : body.read(bytes, 0, bytes.length, sink);
    assert.ok(!(at instanceof HttpFault));
    assert.deepEqual([got, at, body.done], [payload, used, done]);
    assert.equal(body.closeDelimited, length === LENGTH_CLOSE || length === LENGTH_TUNNEL);
  });
}
