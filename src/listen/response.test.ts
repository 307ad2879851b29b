import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Request } from '../http/request.ts';
import { LENGTH_CHUNKED, LENGTH_CLOSE, LENGTH_NONE, LENGTH_TUNNEL } from '../kernel/exchange.ts';
import { recordingWire } from '../socket/wire.fixture.ts';
import { ResponseWriter } from './response.ts';

interface Case {
  name: string;
  minor?: 0 | 1;
  method?: string;
  keepAlive?: boolean;
  length: number;
  trailers?: string;
  sent: string;
  keepsAlive: boolean;
}

describe('framing and connection fields that the client understands', () => {
  const cases: Case[] = [
    { name: 'a length', length: 2, sent: 'Content-Length: 2\r\n\r\nok', keepsAlive: true },
    {
      name: 'a length, last response',
      keepAlive: false,
      length: 2,
      sent: 'Content-Length: 2\r\nConnection: close\r\n\r\nok',
      keepsAlive: false,
    },
    {
      name: 'a length for HTTP/1.0',
      minor: 0,
      length: 2,
      sent: 'Content-Length: 2\r\nConnection: keep-alive\r\n\r\nok',
      keepsAlive: true,
    },
    {
      name: 'chunked',
      length: LENGTH_CHUNKED,
      sent: 'Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
      keepsAlive: true,
    },
    {
      name: 'chunked with trailers',
      length: LENGTH_CHUNKED,
      trailers: 'a: b\r\n',
      sent: 'Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\na: b\r\n\r\n',
      keepsAlive: true,
    },
    {
      name: 'until the server closes',
      length: LENGTH_CLOSE,
      sent: 'Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
      keepsAlive: true,
    },
    {
      name: 'chunked for HTTP/1.0',
      minor: 0,
      length: LENGTH_CHUNKED,
      trailers: 'a: b\r\n',
      sent: 'Connection: close\r\n\r\nok',
      keepsAlive: false,
    },
    {
      name: 'until the server closes, HTTP/1.0',
      minor: 0,
      length: LENGTH_CLOSE,
      sent: 'Connection: close\r\n\r\nok',
      keepsAlive: false,
    },
    {
      name: 'HEAD keeps the length and sends no body',
      method: 'HEAD',
      length: 2,
      sent: 'Content-Length: 2\r\n\r\n',
      keepsAlive: true,
    },
    {
      name: 'HEAD of what would be chunked',
      method: 'HEAD',
      length: LENGTH_CHUNKED,
      sent: 'Transfer-Encoding: chunked\r\n\r\n',
      keepsAlive: true,
    },
    { name: 'no body (204, 304)', length: LENGTH_NONE, sent: '\r\n', keepsAlive: true },
    { name: 'more than was promised is dropped', length: 1, sent: 'Content-Length: 1\r\n\r\no', keepsAlive: true },
    { name: 'a tunnel', length: LENGTH_TUNNEL, sent: '\r\nok', keepsAlive: false },
  ];
  for (const { name, minor = 1, method = 'GET', keepAlive = true, length, trailers = '', sent, keepsAlive } of cases) {
    test(name, () => {
      const { wire, written } = recordingWire();
      const writer = new ResponseWriter(wire, { method, minor } as Request, keepAlive);
      writer.head(200, 'OK', 'X: y\r\n', length);
      writer.write(Buffer.from('..ok..'), 2, 4);
      writer.end(trailers);
      assert.equal(written(), `HTTP/1.1 200 OK\r\nX: y\r\n${sent}`);
      assert.equal(writer.keepAlive, keepsAlive);
      assert.equal(writer.headSent, true);
    });
  }
});

test('1xx responses go to clients that can read them, and only before the final head', () => {
  for (const [minor, expected] of [
    [1, 'HTTP/1.1 103 \r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    [0, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n'],
  ] as const) {
    const { wire, written } = recordingWire();
    const writer = new ResponseWriter(wire, { method: 'GET', minor } as Request, true);
    writer.interim(103, 'Link: a\r\n');
    writer.head(200, 'OK', '', 0);
    writer.interim(103, 'Link: b\r\n');
    assert.equal(written(), expected);
    assert.equal(writer.cutByReset, minor === 0);
  }
});

test('probes: something that means nothing, wherever it may be written', () => {
  const chunk = Buffer.from('one');
  for (const [minor, length, method, early, late, end] of [
    [1, LENGTH_CHUNKED, 'GET', 'HTTP/1.1 100 \r\n\r\n', '0', '03\r\none\r\n0\r\n\r\n'],
    [1, LENGTH_CLOSE, 'GET', 'HTTP/1.1 100 \r\n\r\n', '0', '03\r\none\r\n0\r\n\r\n'],
    [1, 3, 'GET', 'HTTP/1.1 100 \r\n\r\n', '', 'one'],
    [1, LENGTH_CHUNKED, 'HEAD', 'HTTP/1.1 100 \r\n\r\n', '', ''],
    [0, LENGTH_CHUNKED, 'GET', '', '', 'one'],
  ] as const) {
    const { wire, written } = recordingWire();
    const writer = new ResponseWriter(wire, { method, minor } as Request, false);
    assert.equal(writer.probe(), early !== '');
    assert.equal(written(), early);
    writer.head(200, 'OK', '', length);
    const head = written();
    assert.equal(writer.probe(), late !== '');
    // A lenient client takes a lone 0 for the last chunk, so a cut behind it must not look like an end.
    assert.equal(writer.cutByReset, minor === 0 || late !== '');
    writer.write(chunk, 0, 3);
    writer.end('');
    assert.equal(written(), head + end);
  }
});
