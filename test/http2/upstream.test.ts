/** Servers that speak HTTP/2 and go wrong, and clients of other versions before them. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { FLAG, FRAME, frame, H2, PREFACE } from '../../src/http/http2/frame.ts';
import { ManualClock } from '../../src/kernel/clock.ts';
import { type InProcess, type InProcessOptions, withGateway, withServer } from '../inprocess.ts';
import type { RawPeer } from '../raw.ts';
import { block, data, uint32 } from './frames.ts';

const REQUEST = 'GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n';
const ANSWER = frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, block([[':status', '200']]));

/** A server played frame by frame: it has sent its settings, and the request has come. */
function withRaw(
  play: (peer: RawPeer, number: number) => Promise<void>,
  use: (gateway: InProcess) => Promise<void>,
  more: Partial<InProcessOptions> = {},
  upstream: object = {},
): Promise<void> {
  return withServer(
    async (peer, number) => {
      await peer.readUntil('a.test');
      ok(peer.received.startsWith(PREFACE.toString()));
      await peer.send(frame(FRAME.SETTINGS, 0, 0));
      await play(peer, number);
    },
    (server) =>
      withGateway(
        { upstream: { endpoints: [{ url: server.url }], host: 'preserve', http2: {}, ...upstream }, ...more },
        use,
      ),
  );
}

async function withNode(
  serve: (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void,
  use: (gateway: InProcess, server: Http2Server) => Promise<void>,
): Promise<void> {
  const server = createServer();
  server.on('stream', serve);
  server.on('sessionError', () => {});
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await withGateway({ upstream: { endpoints: [{ url }], http2: {} } }, (gateway) => use(gateway, server));
  server.close();
}

describe('servers that speak HTTP/2', () => {
  test('a client of HTTP/1.1: fields, body, trailers, HEAD', async () => {
    await withNode(
      (stream, headers) => {
        const pieces: Buffer[] = [];
        stream.on('data', (piece: Buffer) => pieces.push(piece));
        stream.on('end', () => {
          stream.respond({ 'x-saw': JSON.stringify(headers), 'set-cookie': ['a=1', 'b=2'] }, { waitForTrailers: true });
          stream.on('wantTrailers', () => stream.sendTrailers({ 'x-last': 'yes' }));
          stream.end(Buffer.concat(pieces));
        });
      },
      async (gateway) => {
        const post = 'POST /p?q=1 HTTP/1.1\r\nHost: a.test\r\nConnection: x-gone\r\nX-Gone: 1\r\nX-Kept: 2\r\n';
        const answer = await gateway.ask(`${post}Content-Length: 4\r\n\r\nbody`);
        equal(answer.body, 'body');
        const saw = JSON.parse(answer.field('x-saw') ?? '') as Record<string, string>;
        equal(saw[':path'], '/p?q=1');
        equal(saw[':method'], 'POST');
        equal(saw['content-length'], '4');
        equal(saw['x-kept'], '2');
        equal(saw['x-gone'], undefined);
        match(answer.raw, /x-last: yes/i);
        equal(answer.raw.match(/set-cookie/gi)?.length, 2);
        const chunked = await gateway.ask(`${post}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`);
        equal(chunked.body, 'abc');
        const large = 'x'.repeat(1_000_000);
        equal((await gateway.ask(`${post}Content-Length: ${large.length}\r\n\r\n${large}`)).body.length, large.length);
        deepEqual(gateway.counted(), {});
      },
    );
  });

  test('GOAWAY and REFUSED_STREAM: what was not looked at is sent again, whatever the method', async () => {
    const goaway = (last: number) => frame(FRAME.GOAWAY, 0, 0, Buffer.concat([uint32(last), uint32(H2.NO_ERROR)]));
    for (const no of [goaway(0), frame(FRAME.RST_STREAM, 0, 1, uint32(H2.REFUSED_STREAM))]) {
      let tries = 0;
      const play = async (peer: RawPeer) => {
        if (tries++ === 0) {
          await peer.send(no);
          if (no[3] === FRAME.GOAWAY) return;
          const id = 3;
          await peer.readUntil(/a\.test[\s\S]*a\.test/);
          await peer.send(Buffer.concat([frame(FRAME.HEADERS, 5, id, block([[':status', '200']]))]));
        } else await peer.send(Buffer.concat([ANSWER, data(1, 'ok', true)]));
      };
      await withRaw(play, async (gateway) => {
        equal((await gateway.ask(`POST${REQUEST.slice(3)}`)).status, 200);
        equal(gateway.ended[0]?.tries, 2);
      });
    }
  });

  test('rows 7, 8, 24: an answer that is reset, cut or too long or too short is cut for the client', async () => {
    const counted = frame(
      FRAME.HEADERS,
      FLAG.END_HEADERS,
      1,
      block([
        [':status', '200'],
        ['content-length', '4'],
      ]),
    );
    const cases: [string, Buffer][] = [
      ['reset', Buffer.concat([ANSWER, data(1, 'part'), frame(FRAME.RST_STREAM, 0, 1, uint32(H2.INTERNAL_ERROR))])],
      ['too short', Buffer.concat([counted, data(1, 'abc', true)])],
      ['too long', Buffer.concat([counted, data(1, 'abcde', true)])],
      ['protocol', Buffer.concat([ANSWER, data(1, 'part'), frame(FRAME.PING, 0, 0, Buffer.alloc(3))])],
    ];
    for (const [what, bytes] of cases) {
      await withRaw(
        async (peer) => peer.send(bytes),
        async (gateway) => {
          const client = await gateway.client();
          await client.send(REQUEST);
          await client.readToEnd();
          match(client.received, /^HTTP\/1.1 200/, what);
          ok(!client.received.endsWith('0\r\n\r\n'), what);
          equal(gateway.ended[0]?.outcome, 'upstream_aborted', what);
        },
      );
    }
  });

  test('an answer that is no answer is 502; one that never comes is 504', async () => {
    const cases: [string, Buffer][] = [
      ['no status', frame(FRAME.HEADERS, 5, 1, block([['a', 'b']]))],
      ['101', frame(FRAME.HEADERS, 5, 1, block([[':status', '101']]))],
      [
        'connection field',
        frame(
          FRAME.HEADERS,
          5,
          1,
          block([
            [':status', '200'],
            ['connection', 'close'],
          ]),
        ),
      ],
      ['not HTTP/2', Buffer.from('HTTP/1.1 200 OK\r\n\r\n')],
    ];
    for (const [what, bytes] of cases) {
      await withRaw(
        async (peer) => peer.send(bytes),
        async (gateway) => {
          equal((await gateway.ask(`POST${REQUEST.slice(3)}`)).status, 502, what);
          await gateway.unharmed();
        },
      );
    }
    const clock = new ManualClock();
    let asked = false;
    const play = async () => {
      asked = true;
    };
    await withRaw(
      play,
      async (gateway) => {
        const client = await gateway.client();
        await client.send(`POST${REQUEST.slice(3)}`);
        await gateway.until('the request', () => asked);
        await gateway.advance(61_000);
        equal((await client.read()).status, 504);
        client.close();
      },
      { clock },
      { http2: { ping: '0' } },
    );
  });

  test('a server that does not answer a PING is given up', async () => {
    const clock = new ManualClock();
    await withRaw(
      async (peer) => peer.send(Buffer.concat([ANSWER, data(1, 'first')])),
      async (gateway) => {
        const client = await gateway.client();
        await client.send(REQUEST);
        await client.readUntil('first');
        await gateway.advance(5100);
        await gateway.advance(5100);
        await client.readToEnd();
        equal(gateway.faults('h2_ping_timeout'), 1);
        equal(gateway.ended[0]?.outcome, 'upstream_aborted');
      },
      { clock },
      { http2: { ping: '5s' } },
    );
  });

  test('row 25: a client that does not read holds the server back', async () => {
    let sent = 0;
    await withNode(
      (stream) => {
        stream.respond({});
        const piece = Buffer.alloc(16_384);
        const more = () => {
          while (sent++ < 3000 && stream.write(piece));
          if (sent < 3000) stream.once('drain', more);
        };
        stream.on('error', () => {});
        more();
      },
      async (gateway) => {
        const client = await gateway.client();
        client.socket.pause();
        await client.send(REQUEST);
        let before = -1;
        let still = 0;
        await gateway.until('the server to wait', () => {
          still = sent === before && sent > 0 ? still + 1 : 0;
          before = sent;
          return still > 50;
        });
        ok(sent < 1500, `${sent} pieces`);
        client.close();
        await gateway.until('the end', () => gateway.ended.length === 1);
      },
    );
  });
});
