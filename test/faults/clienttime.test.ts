/** Row 1 and every timeout of a listener: clients that are slow, idle, or never read. Time is held in the hand. */
import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../src/kernel/clock.ts';
import { assertRefusal, withGateway, withServer } from '../inprocess.ts';
import { plainResponse, type RawPeer } from '../raw.ts';

const serve = async (peer: RawPeer) => {
  for (;;) {
    await peer.read();
    await peer.send(plainResponse());
  }
};
const timeouts = { head: '3s', body: '7s', keepAlive: '20s', write: '9s', linger: '2s' };
/** An upstream that has to go on soon. */
const impatient = (url: string) => ({ endpoints: [{ url }], timeouts: { idle: '5s' } });
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

test('row 1: a head that drips is answered 408 at its own deadline', async () => {
  await withGateway(
    { upstream: 'http://127.0.0.1:9', listener: { timeouts }, clock: new ManualClock() },
    async (gateway) => {
      const client = await gateway.client();
      await client.send('GET / HTTP/1.1\r\n');
      await gateway.advance(1000);
      await client.send('Host: a\r\n');
      await gateway.advance(1500);
      await client.send('A: b\r\n');
      await gateway.unharmed();
      equal(client.received, '', 'not before its time');
      await gateway.advance(600);
      assertRefusal(await client.read(), {
        status: 408,
        code: 'request_timeout',
        proxyError: 'http_request_error',
        close: true,
      });
      equal(await client.readToEnd(), 'end');
      equal(gateway.faults('slow_head'), 1);
      client.close();
      await gateway.unharmed();
    },
  );
});

test('row 1: a body that stops is answered 408; one that goes on is not', async () => {
  await withServer(
    () => {},
    (server) =>
      withGateway({ upstream: server.url, listener: { timeouts }, clock: new ManualClock() }, async (gateway) => {
        const client = await gateway.client();
        await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n1');
        for (const byte of '234') {
          await gateway.advance(5000);
          await client.send(byte);
        }
        await gateway.advance(6000);
        equal(client.received, '', 'each read has its own time');
        await gateway.advance(1100);
        assertRefusal(await client.read(), { status: 408, code: 'request_timeout', close: true });
        equal(gateway.faults('slow_body'), 1);
        equal(await (await server.connection(0)).readToEnd(), 'end', 'the server is let go');
        client.close();
        await gateway.unharmed();
      }),
  );
});

test('a connection on which nothing comes is closed without a word: new, and kept alive', async () => {
  await withServer(serve, (server) =>
    withGateway({ upstream: server.url, listener: { timeouts }, clock: new ManualClock() }, async (gateway) => {
      const fresh = await gateway.client();
      await gateway.unharmed();
      await gateway.advance(3100);
      equal(await fresh.readToEnd(), 'end');
      equal(fresh.received, '');
      const kept = await gateway.client();
      await kept.send(GET);
      await kept.read();
      await gateway.advance(19_000);
      equal(kept.ending, undefined);
      await gateway.advance(1100);
      equal(await kept.readToEnd(), 'end');
      equal(kept.received, '');
      await gateway.unharmed();
    }),
  );
});

test('row 25: a client that takes nothing of its answer is let go after timeouts.write', async () => {
  const piece = Buffer.alloc(1 << 20);
  await withServer(
    async (peer) => {
      await peer.read();
      await peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * piece.length}\r\n\r\n`);
      for (let i = 0; i < 64 && peer.ending === undefined; i++) await peer.send(piece);
    },
    (server) =>
      withGateway(
        { upstream: impatient(server.url), listener: { timeouts }, clock: new ManualClock() },
        async (gateway) => {
          const client = await gateway.client();
          client.socket.pause();
          await client.send(GET);
          const peer = await server.connection(0);
          // Both directions are full when nothing moves any more.
          for (let before = -1; before !== peer.socket.bytesWritten || before === 0; ) {
            before = peer.socket.bytesWritten;
            for (let i = 0; i < 20; i++) await gateway.unharmed();
          }
          await gateway.advance(5100);
          equal(gateway.faults('idle_timeout'), 0, 'that the server says nothing is not its fault');
          await gateway.advance(4000);
          if (gateway.faults('slow_reader') === 0) await gateway.advance(9100);
          equal(gateway.faults('slow_reader'), 1);
          await peer.readToEnd();
          equal(gateway.ended.at(-1)?.outcome, 'client_aborted');
          client.close();
          await gateway.unharmed();
        },
      ),
  );
});

test('after an early refusal further bytes are read for timeouts.linger, then the connection is closed', async () => {
  await withGateway(
    { upstream: 'http://127.0.0.1:9', listener: { timeouts, limits: { body: '1KiB' } }, clock: new ManualClock() },
    async (gateway) => {
      const client = await gateway.client();
      await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx');
      assertRefusal(await client.read(), { status: 413, code: 'body_too_large', close: true });
      await client.send('y'.repeat(100_000));
      await gateway.unharmed();
      equal(client.ending, 'end');
      let gone = false;
      client.socket.once('close', () => {
        gone = true;
      });
      await gateway.advance(2100);
      await client.send('z');
      await gateway.unharmed();
      await client.send('z');
      await gateway.unharmed();
      ok(gone, 'after the linger time writing fails');
    },
  );
});
