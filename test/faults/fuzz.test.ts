/**
 * Bytes that chance has spoilt, from either side: whatever comes, each side gets whole messages or a visible end, the
 * worker lives, and what a server gets is a request that this reader and ours read alike.
 */
import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { withGateway, withServer } from '../inprocess.ts';
import { plainResponse, type RawPeer } from '../raw.ts';

const ROUNDS = 400;

/** Repeatable chance (xorshift32). */
function dice(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

const SPICE = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '0',
  'f',
  '-',
  '\x80',
  '\r\n\r\n',
  'chunked',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Connection: close\r\n',
  '"',
];

/** Takes out, doubles, swaps or puts in a few bytes. */
function spoil(text: string, roll: (below: number) => number): string {
  let out = text;
  for (let i = roll(3); i >= 0; i--) {
    const at = roll(out.length);
    const length = roll(4);
    const spice = SPICE[roll(SPICE.length)] as string;
    const kind = roll(4);
    if (kind === 0) out = out.slice(0, at) + out.slice(at + length);
    else if (kind === 1) out = out.slice(0, at) + spice + out.slice(at);
    else if (kind === 2) out = out.slice(0, at) + spice + out.slice(at + spice.length);
    else out = out.slice(0, at) + out.slice(at, at + 20) + out.slice(at);
  }
  return out;
}

const REQUESTS = [
  'GET /a?b=c HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\nX-Long: some value, and more\r\n\r\n',
  'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\r\nhello',
  'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n3\r\nyou\r\n0\r\nX-T: 1\r\n\r\n',
  'HEAD / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n',
];

test('spoilt requests', () => {
  const roll = dice(20_260);
  const badly: string[] = [];
  return withServer(
    async (peer) => {
      for (;;) {
        const request = await peer.read();
        // What we forward has one length, one Host, and no line that ends in anything but CRLF.
        const { raw } = request;
        const head = raw.slice(0, raw.indexOf('\r\n\r\n'));
        const hosts = head.split('\r\n').filter((line) => /^host:/i.test(line)).length;
        const framings = head.split('\r\n').filter((line) => /^(content-length|transfer-encoding):/i.test(line)).length;
        if (hosts !== 1 || framings > 1 || /[\r\n\0]/.test(head.replaceAll('\r\n', ''))) badly.push(raw);
        if (!/^(GET|POST|HEAD|[!#$%&'*+.^_`|~0-9A-Za-z-]+) \S+ HTTP\/1\.1$/.test(request.startLine)) badly.push(raw);
        await peer.send(plainResponse(request.startLine.startsWith('HEAD') ? '' : 'ok'));
      }
    },
    (server) =>
      withGateway({ upstream: { endpoints: [{ url: server.url }], retries: { attempts: 1 } } }, async (gateway) => {
        for (let round = 0; round < ROUNDS; round++) {
          const client = await gateway.client();
          const request = spoil(REQUESTS[roll(REQUESTS.length)] as string, roll);
          if (roll(4) === 0) await client.sendInPieces([request.slice(0, 20), request.slice(20)]);
          else await client.send(request);
          client.end();
          await client.readToEnd();
          ok(/^(HTTP\/1\.1 [1-5]\d\d |$)/.test(client.received), client.received);
          client.close();
        }
        equal(badly.length, 0, JSON.stringify(badly.slice(0, 3)));
        await gateway.unharmed();
      }),
  );
});

const ANSWERS = [
  plainResponse('hello'),
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n5;a\r\nhello\r\n3\r\nyou\r\n0\r\nX-T: 1\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n',
  'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello',
];

test('spoilt answers', () => {
  const roll = dice(99_991);
  const play = async (peer: RawPeer) => {
    await peer.read();
    await peer.send(spoil(ANSWERS[roll(ANSWERS.length)] as string, roll));
    if (roll(2) === 0) peer.end();
    else peer.reset();
  };
  return withServer(play, (server) =>
    withGateway(
      {
        upstream: {
          endpoints: [{ url: server.url }],
          retries: { attempts: 1 },
          passive: { consecutiveErrors: 1_000_000 },
          pool: { idle: 0 },
        },
      },
      async (gateway) => {
        for (let round = 0; round < ROUNDS; round++) {
          const client = await gateway.client();
          await client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
          await client.readToEnd();
          ok(/^HTTP\/1\.1 [1-5]\d\d /.test(client.received), JSON.stringify(client.received));
          client.close();
        }
        await gateway.until('the last to end', () => gateway.ended.length >= ROUNDS);
        equal(gateway.ended.length, ROUNDS);
        await gateway.unharmed();
      },
    ),
  );
});
