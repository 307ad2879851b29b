/** Rows of FAULTS over HTTP/2: what is refused, what is cut and seen to be cut, who is slow, and who leaves. */
import { equal, match, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FRAME, frame, H2, readUint32 } from '../../src/http/http2/frame.ts';
import { withGateway, withServer } from '../inprocess.ts';
import { plainResponse, type RawPeer } from '../raw.ts';
import { data, type FieldPairs, frameClient, GET, headers, POST, uint32 } from './frames.ts';
import { withClient } from './withclient.ts';

/** Answers every request with its own text. */
const echo = async (peer: RawPeer) => {
  for (;;) {
    const request = await peer.read();
    await peer.send(plainResponse(request.raw));
  }
};
const silent = async () => {};

const without = (name: string) => GET.filter(([key]) => key !== name);
const withField = (name: string, value: string): FieldPairs => [...GET, [name, value]];
const replaced = (name: string, value: string): FieldPairs =>
  GET.map((pair) => (pair[0] === name ? [name, value] : pair));

describe('requests', () => {
  test('row 24: malformed requests end their stream with PROTOCOL_ERROR, and only that', async () => {
    const cases: [FieldPairs, string][] = [
      [withField('connection', 'close'), 'h2_connection_field'],
      [withField('transfer-encoding', 'chunked'), 'h2_connection_field'],
      [withField('upgrade', 'h2c'), 'h2_connection_field'],
      [withField('te', 'gzip'), 'h2_connection_field'],
      [withField('X-Capital', '1'), 'h2_field_name'],
      [withField('a', 'b\r\nc: d'), 'h2_field_value'],
      [withField(':method', 'GET'), 'h2_pseudo_field'],
      [withField(':unknown', '1'), 'h2_pseudo_field'],
      [[['a', 'b'], ...GET], 'h2_pseudo_field'],
      [without(':method'), 'h2_pseudo_field'],
      [without(':path'), 'h2_pseudo_field'],
      [without(':scheme'), 'h2_pseudo_field'],
      [replaced(':path', ''), 'h2_pseudo_field'],
      [replaced(':path', 'http://a.test/'), 'h2_pseudo_field'],
      [replaced(':scheme', 'ftp'), 'h2_pseudo_field'],
      [withField('host', 'b.test'), 'host_mismatch'],
      [withField('content-length', '1'), 'h2_length_mismatch'],
    ];
    await withClient(echo, async (client, gateway) => {
      let id = 1;
      for (const [fields, kind] of cases) {
        const before = gateway.faults(kind);
        await client.send(headers(id, fields));
        equal(await client.reset(id), H2.PROTOCOL_ERROR, kind);
        equal(gateway.faults(kind), before + 1, JSON.stringify(gateway.counted()));
        id += 2;
      }
      await client.send(headers(id, [...POST, ['content-length', '3']], false), data(id, 'four'));
      equal(await client.reset(id), H2.PROTOCOL_ERROR);
      await client.send(headers(id + 2, [...POST, ['content-length', '3']], false), data(id + 2, 'a', true));
      equal(await client.reset(id + 2), H2.PROTOCOL_ERROR);
      equal(gateway.faults('h2_length_mismatch'), 3);
      await client.send(headers(id + 4, GET));
      match(await client.body(id + 4), /^GET \/ HTTP\/1.1\r\n/);
    });
  });

  test('rows 18, 20, 22: what HTTP/1.1 refuses is refused with the same status', async () => {
    const long = 'x'.repeat(9000);
    const cases: [FieldPairs, string, string][] = [
      [without(':authority'), '400', 'host_missing'],
      [replaced(':authority', 'a@b'), '400', 'host_invalid'],
      [replaced(':authority', 'a,b'), '400', 'host_invalid'],
      [replaced(':path', '/a b'), '400', 'request_line'],
      [replaced(':path', `/${long}`), '414', 'uri_too_long'],
      [withField('a', 'y'.repeat(33_000)), '431', 'head_too_large'],
      [[...GET, ...Array.from({ length: 101 }, () => ['a', 'b'] as const)], '431', 'too_many_fields'],
      [withField('via', '1.1 gatehouse-test'), '508', 'loop'],
      [replaced(':method', 'TRACE'), '405', ''],
    ];
    await withClient(echo, async (client, gateway) => {
      let id = 1;
      for (const [fields, status, kind] of cases) {
        const [whole, ...rest] = split(headers(id, fields));
        await client.send(whole as Buffer, ...rest);
        const head = await client.head(id);
        equal(head.get(':status'), status, `${status} ${kind}`);
        ok(head.get('x-request-id'));
        match(head.get('proxy-status') ?? '', /gatehouse/);
        if (kind !== '') equal(gateway.faults(kind), kind === 'host_invalid' && id === 5 ? 2 : 1, kind);
        id += 2;
      }
    });
  });

  test('a body over its limit is 413, whether announced or not', async () => {
    await withClient(
      echo,
      async (client) => {
        await client.send(headers(1, [...POST, ['content-length', '2000']], false));
        equal((await client.head(1)).get(':status'), '413');
        await client.send(headers(3, POST, false), data(3, 'x'.repeat(2000)));
        equal((await client.head(3)).get(':status'), '413');
        equal(await client.reset(3), H2.NO_ERROR);
      },
      { limits: { body: '1KiB' } },
    );
  });

  test('rows 4, 21: cookies are one field again, forwarding fields are ours, Via tells the version', async () => {
    await withClient(echo, async (client) => {
      const fields: FieldPairs = [
        ...GET,
        ['cookie', 'a=1'],
        ['cookie', 'b=2'],
        ['x-forwarded-for', '1.2.3.4'],
        ['te', 'trailers'],
      ];
      await client.send(headers(1, fields));
      const text = await client.body(1);
      match(text, /\r\ncookie: a=1; b=2\r\n/);
      match(text, /\r\nX-Forwarded-For: 127.0.0.1\r\n/);
      match(text, /\r\nVia: 2 gatehouse-test\r\n/);
      ok(!/\r\nte:/i.test(text));
    });
  });

  test('trailers go through in both directions', async () => {
    const play = async (peer: RawPeer) => {
      const request = await peer.read();
      match(request.raw, /\r\nx-sum: 1\r\n/i);
      await peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Last: yes\r\n\r\n');
    };
    await withClient(play, async (client) => {
      await client.send(headers(1, POST, false), data(1, 'body'), headers(1, [['x-sum', '1']]));
      equal(await client.body(1), 'hi');
      const last = client.frames.filter(({ type }) => type === FRAME.HEADERS).at(-1);
      ok(last?.payload.includes('x-last'));
    });
  });

  test('100 Continue and other interim answers', async () => {
    const play = async (peer: RawPeer) => {
      await peer.read();
      await peer.send(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${plainResponse()}`);
    };
    await withClient(play, async (client) => {
      await client.send(headers(1, [...POST, ['expect', '100-continue']], false));
      equal((await client.head(1)).get(':status'), '100');
      await client.send(data(1, 'x', true));
      equal(await client.body(1), 'ok');
      equal(client.frames.filter(({ type }) => type === FRAME.HEADERS).length, 3);
    });
  });

  test('an answer to HEAD has a length and no body', async () => {
    const play = async (peer: RawPeer) => {
      await peer.readUntil('\r\n\r\n');
      await peer.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
    };
    await withClient(play, async (client) => {
      await client.send(headers(1, replaced(':method', 'HEAD')));
      equal((await client.head(1)).get('content-length'), '5');
      equal(await client.body(1), '');
    });
  });
});

/** Frames of 16 KiB at most: a head that is larger comes in several. */
function split(head: Buffer): Buffer[] {
  const payload = head.subarray(9);
  if (payload.length <= 16_384) return [head];
  const id = readUint32(head, 5);
  const out: Buffer[] = [];
  for (let at = 0; at < payload.length; at += 16_384) {
    const piece = payload.subarray(at, at + 16_384);
    const flags = (at === 0 ? 1 : 0) | (at + 16_384 >= payload.length ? 4 : 0);
    out.push(frame(at === 0 ? FRAME.HEADERS : FRAME.CONTINUATION, flags, id, piece));
  }
  return out;
}

describe('what is cut', () => {
  for (const [row, answer] of [
    ['row 7: a reset in the middle', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n'],
    ['row 8: a body that is cut short', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi'],
  ] as const) {
    test(`${row} is RST_STREAM, never an end`, async () => {
      let server: RawPeer | undefined;
      const play = async (peer: RawPeer) => {
        await peer.read();
        await peer.send(answer);
        server = peer;
      };
      await withClient(play, async (client) => {
        await client.send(headers(1, GET));
        await client.frame(FRAME.DATA, 1);
        server?.reset();
        equal(await client.reset(1), H2.INTERNAL_ERROR);
        ok(!client.frames.some(({ type, flags }) => type === FRAME.DATA && (flags & 1) !== 0));
      });
    });
  }

  test('row 3: a stream that the client resets, or leaves with its connection, is cancelled upstream', async () => {
    await withServer(silent, (server) =>
      withGateway({ upstream: server.url, listener: { protocols: ['http2'] } }, async (gateway) => {
        const client = await frameClient(gateway);
        await client.send(headers(1, GET));
        const first = await server.connection(0);
        await first.readUntil('\r\n\r\n');
        await client.send(frame(FRAME.RST_STREAM, 0, 1, uint32(H2.CANCEL)));
        await first.readToEnd();
        equal(gateway.ended.at(-1)?.outcome, 'client_aborted');
        await client.send(headers(3, GET));
        const second = await server.connection(1);
        await second.readUntil('\r\n\r\n');
        client.close();
        await second.readToEnd();
        await gateway.until('both have ended', () => gateway.ended.length === 2);
        equal(gateway.faults('client_left_early'), 2, JSON.stringify(gateway.counted()));
      }),
    );
  });

  test('row 2: a client that sends FIN behind its request still gets its answer', async () => {
    const play = async (peer: RawPeer) => {
      await peer.read();
      await new Promise((resolve) => setTimeout(resolve, 60));
      await peer.send(plainResponse('late'));
    };
    await withClient(play, async (client) => {
      await client.send(headers(1, GET));
      client.peer.end();
      equal(await client.body(1), 'late');
    });
  });
});
