/** Over HTTP/2: who is slow, who asks for too much at once, and how a connection is drained. */
import { equal, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FRAME, frame, H2, readUint32, SETTING } from '../../src/http/http2/frame.ts';
import { ManualClock } from '../../src/kernel/clock.ts';
import { withGateway, withServer } from '../inprocess.ts';
import { plainResponse, type RawPeer } from '../raw.ts';
import { data, frameClient, GET, headers, POST } from './frames.ts';
import { withClient } from './withclient.ts';

const silent = async () => {};

describe('who is slow', () => {
  test('row 25: a window that is closed holds the server back, not our memory', async () => {
    let sent = 0;
    const play = async (peer: RawPeer) => {
      await peer.read();
      await peer.send('HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n');
      const piece = Buffer.alloc(100_000, 'x');
      for (; sent < 500; sent++) await peer.send(piece);
    };
    await withClient(play, async (client, gateway) => {
      await client.send(headers(1, GET));
      await client.frame(FRAME.DATA, 1);
      let before = -1;
      await gateway.until('the server to wait', () => {
        const stands = sent === before;
        before = sent;
        return stands && sent > 0;
      });
      await gateway.unharmed();
      ok(sent < 200, `${sent} pieces`);
    });
  });

  test('a head that does not end, a body that does not come, a connection that idles', async () => {
    const clock = new ManualClock();
    await withClient(
      async (peer) => {
        for (;;) {
          await peer.readUntil('\r\n\r\n');
          await peer.send(plainResponse());
          peer.received = '';
        }
      },
      async (client, gateway) => {
        await client.send(headers(1, POST, false), data(1, 'x'));
        await gateway.until('the request', () => gateway.worker.underWay === 2);
        await gateway.advance(31_000);
        await gateway.until('its end', () => gateway.ended.length === 1);
        const cut = await frameClient(gateway);
        await cut.send(headers(1, GET).subarray(0, 12));
        await cut.frame(FRAME.SETTINGS);
        await gateway.unharmed();
        await gateway.advance(10_100);
        equal(await cut.goaway(), H2.PROTOCOL_ERROR);
        equal(gateway.faults('slow_head'), 1);
        cut.close();
        const idle = await frameClient(gateway);
        await idle.send(headers(1, GET));
        equal(await idle.body(1), 'ok');
        await gateway.advance(75_100);
        equal(await idle.goaway(), H2.NO_ERROR);
        await gateway.advance(1100);
        await idle.peer.readToEnd();
      },
      {},
      { clock },
    );
  });

  test('more streams than allowed are refused, and may be sent again', async () => {
    await withClient(
      silent,
      async (client) => {
        await client.send(headers(1, GET), headers(3, GET), headers(5, GET));
        equal(await client.reset(5), H2.REFUSED_STREAM);
        const settings = await client.frame(FRAME.SETTINGS);
        equal(readUint32(settings.payload, 2), 2);
        equal(settings.payload.readUInt16BE(0), SETTING.MAX_CONCURRENT_STREAMS);
      },
      { http2: { streams: 2 } },
    );
  });
});

describe('drain', () => {
  test('GOAWAY for all, then for the next; what is under way ends, and the connection with it', async () => {
    const play = async (peer: RawPeer) => {
      await peer.read();
    };
    await withServer(play, (server) =>
      // Time stands still, so the second GOAWAY comes with the answer to our PING and not by its own time.
      withGateway(
        { upstream: server.url, listener: { protocols: ['http2'] }, clock: new ManualClock() },
        async (gateway) => {
          const client = await frameClient(gateway);
          await client.send(headers(1, GET));
          const peer = await server.connection(0);
          await peer.readUntil('').catch(() => {});
          void gateway.worker.drain(60_000);
          equal(readUint32((await client.frame(FRAME.GOAWAY)).payload, 0), 2 ** 31 - 1);
          await client.send(headers(3, GET));
          await server.connection(1);
          await client.send(frame(FRAME.PING, 1, 0, Buffer.alloc(8)));
          await gateway.until('the second GOAWAY', () => {
            client.look();
            return client.frames.filter(({ type }) => type === FRAME.GOAWAY).length === 2;
          });
          equal(readUint32(client.frames.filter(({ type }) => type === FRAME.GOAWAY)[1]?.payload as Buffer, 0), 3);
          for (const number of [0, 1]) await (await server.connection(number)).send(plainResponse('end'));
          equal(await client.body(1), 'end');
          equal(await client.body(3), 'end');
          await client.peer.readToEnd();
          client.close();
        },
      ),
    );
  });
});
