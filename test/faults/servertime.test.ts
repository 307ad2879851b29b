/** Row 5 and every timeout of an upstream: servers that are silent, at each point where one can be. */
import { equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../src/kernel/clock.ts';
import { assertRefusal, type InProcess, withGateway, withServer } from '../inprocess.ts';
import type { RawPeer, RawServer } from '../raw.ts';
import { deafServer } from './deaf.ts';

const timeouts = { connect: '2s', firstByte: '8s', idle: '5s', total: '30s', tunnel: '60s' };
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

const withSilent = (
  use: (gateway: InProcess, server: RawServer) => Promise<void>,
  play: (peer: RawPeer) => Promise<void> | void = () => {},
) =>
  withServer(play, (server) =>
    withGateway(
      {
        upstream: { endpoints: [{ url: server.url }], timeouts, retries: { attempts: 1 } },
        listener: { timeouts: { body: '1h' } },
        clock: new ManualClock(),
      },
      (gateway) => use(gateway, server),
    ),
  );

test('firstByte: a server that never answers: 504', () =>
  withSilent(async (gateway, server) => {
    const client = await gateway.client();
    await client.send(GET);
    const peer = await server.connection(0);
    await peer.read();
    await gateway.advance(7900);
    equal(client.received, '');
    await gateway.advance(200);
    const answer = await client.read();
    assertRefusal(answer, {
      status: 504,
      code: 'first_byte_timeout',
      proxyError: 'http_response_timeout',
      close: false,
    });
    equal(gateway.faults('first_byte_timeout'), 1);
    equal(await peer.readToEnd(), 'end', 'the server is let go');
    client.close();
    await gateway.unharmed();
  }));

test('firstByte counts to the end of the head: one that drips is no answer', () =>
  withSilent(async (gateway, server) => {
    const client = await gateway.client();
    await client.send(GET);
    const peer = await server.connection(0);
    await peer.read();
    for (const piece of ['HTTP/1.1 200', ' OK\r\n', 'A: b\r\n']) {
      await peer.send(piece);
      await gateway.advance(2000);
    }
    await gateway.advance(2100);
    assertRefusal(await client.read(), { status: 504, code: 'first_byte_timeout', close: false });
    client.close();
  }));

test('idle: a stream that stops is cut; one that goes on is not', () =>
  withSilent(async (gateway, server) => {
    const client = await gateway.client();
    await client.send(GET);
    const peer = await server.connection(0);
    await peer.read();
    await peer.send(CHUNKED);
    for (const token of 'abc') {
      await peer.send(`1\r\n${token}\r\n`);
      await gateway.advance(4000);
    }
    equal(client.ending, undefined);
    await gateway.advance(1100);
    equal(await client.readToEnd(), 'end');
    ok(!client.received.includes('\r\n0\r\n'), 'no last chunk');
    equal(gateway.faults('idle_timeout'), 1);
    equal(gateway.ended.at(-1)?.outcome, 'upstream_aborted');
    client.close();
    await gateway.unharmed();
  }));

test('idle: a server that takes no more of a request body: 504', () =>
  withSilent(
    async (gateway, server) => {
      const client = await gateway.client();
      const size = 64 << 20;
      await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
      const sent = client.send(Buffer.alloc(size));
      await server.connection(0);
      for (let before = -1; before !== client.socket.bytesWritten || before === 0; ) {
        before = client.socket.bytesWritten;
        for (let i = 0; i < 20; i++) await gateway.unharmed();
      }
      await gateway.advance(5100);
      assertRefusal(await client.read(), { status: 504, code: 'idle_timeout', close: true });
      equal(gateway.faults('idle_timeout'), 1);
      client.close();
      await sent;
      await gateway.unharmed();
    },
    (peer) => {
      peer.socket.pause();
    },
  ));

test('total: an answer without end is cut, however lively', () =>
  withSilent(async (gateway, server) => {
    const client = await gateway.client();
    await client.send(GET);
    const peer = await server.connection(0);
    await peer.read();
    await peer.send(CHUNKED);
    for (let i = 0; i < 7; i++) {
      await peer.send(`1\r\n${i}\r\n`);
      await gateway.advance(4000);
    }
    equal(client.ending, undefined);
    await peer.send('1\r\nx\r\n');
    await gateway.advance(2100);
    equal(await client.readToEnd(), 'end');
    equal(gateway.faults('total_timeout'), 1);
    client.close();
    await gateway.unharmed();
  }));

test('total: a request that is still being sent is given up: 504', () =>
  withSilent(async (gateway) => {
    const client = await gateway.client();
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n');
    for (let i = 0; i < 8; i++) {
      await client.send('x');
      await gateway.advance(3800);
    }
    const answer = await client.read();
    equal(answer.status, 504);
    match(answer.field('proxy-status') ?? '', /total_timeout/);
    client.close();
  }));

test('tunnel: one in which nothing moves is closed', () =>
  withSilent(
    async (gateway, server) => {
      const client = await gateway.client();
      await client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      equal((await client.read()).status, 101);
      const peer = await server.connection(0);
      await gateway.advance(40_000);
      await client.send('to');
      await peer.readUntil('to');
      await peer.send('fro');
      await client.readUntil('fro');
      await gateway.advance(50_000);
      equal(client.ending, undefined, 'what moves starts the time anew');
      await gateway.advance(11_000);
      await client.readToEnd();
      equal(gateway.faults('idle_timeout'), 1);
      client.close();
      await gateway.unharmed();
    },
    async (peer) => {
      await peer.read();
      await peer.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    },
  ));

test('connect: a server that drops what comes: 504', async () => {
  const deaf = await deafServer();
  await withGateway(
    {
      upstream: { endpoints: [{ url: deaf.url }], timeouts, retries: { attempts: 1 } },
      clock: new ManualClock(),
    },
    async (gateway) => {
      const client = await gateway.client();
      await client.send(GET);
      await gateway.advance(1900);
      await gateway.unharmed();
      equal(client.received, '');
      await gateway.advance(200);
      assertRefusal(await client.read(), {
        status: 504,
        code: 'connect_timeout',
        proxyError: 'connection_timeout',
        close: false,
      });
      equal(gateway.faults('connect_timeout'), 1);
      client.close();
      await gateway.unharmed();
    },
  );
  deaf.close();
});
