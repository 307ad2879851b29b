/** HEAD, 204 and 304 (RFC 9112 §6.3), HTTP/1.0 on either side, trailers and chunk extensions. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { type InProcess, withGateway, withServer } from '../inprocess.ts';
import { plainResponse, type RawServer } from '../raw.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const HEAD = 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n';

/** A server that gives these answers in turn, on any connection, and what it was asked. */
async function answering(
  answers: string[],
  use: (gateway: InProcess, server: RawServer, asked: string[]) => Promise<void>,
  after: 'open' | 'end' | 'reset' = 'open',
): Promise<void> {
  const asked: string[] = [];
  let next = 0;
  await withServer(
    async (peer) => {
      for (;;) {
        asked.push((await peer.read()).raw);
        await peer.send(answers[next++ % answers.length] as string);
        if (after === 'end') peer.end();
        else if (after === 'reset') peer.reset();
      }
    },
    (server) => withGateway({ upstream: server.url }, (gateway) => use(gateway, server, asked)),
  );
}

const BODILESS: [name: string, request: string, answer: string, length: string | undefined][] = [
  ['HEAD with a length', HEAD, 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n', '1234'],
  ['HEAD without', HEAD, 'HTTP/1.1 200 OK\r\n\r\n', undefined],
  ['HEAD of a chunked body', HEAD, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', undefined],
  ['204 without a length', GET, 'HTTP/1.1 204 No Content\r\n\r\n', undefined],
  ['204 with a length of 0', GET, 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', undefined],
  ['304 with a length', GET, 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\n\r\n', '1234'],
  ['304 without', GET, 'HTTP/1.1 304 Not Modified\r\n\r\n', undefined],
];

for (const [name, request, answer, length] of BODILESS) {
  test(`${name}: no body, and the connections on both sides go on`, () =>
    answering([answer], async (gateway, server) => {
      const client = await gateway.client();
      for (let i = 0; i < 3; i++) {
        await client.send(request);
        const got = await client.read({ head: true });
        equal(got.field('content-length'), length);
        equal(got.field('transfer-encoding'), undefined);
        equal(got.field('connection'), undefined);
      }
      equal(client.received, '');
      equal(server.connections.length, 1);
      client.close();
      await gateway.unharmed();
    }));
}

test('a refusal of HEAD has no body', () =>
  withGateway({ upstream: 'http://127.0.0.1:9', routes: [] }, async (gateway) => {
    const client = await gateway.client();
    await client.send(HEAD + HEAD);
    equal((await client.read({ head: true })).status, 404);
    equal((await client.read({ head: true })).status, 404);
    equal(client.received, '');
    client.close();
  }));

test('HTTP/1.0 clients: closed after the answer, unless they ask to keep it alive', () =>
  answering([plainResponse('four')], async (gateway) => {
    const client = await gateway.client();
    await client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    const kept = await client.read();
    match(kept.field('connection') ?? '', /keep-alive/);
    await client.send('GET / HTTP/1.0\r\n\r\n');
    equal((await client.read()).body, 'four');
    equal(await client.readToEnd(), 'end');
    client.close();
  }));

test('HTTP/1.0 clients: a chunked answer comes to them without chunks, its end is the end of the connection', () =>
  answering(
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\nA: b\r\n\r\n'],
    async (gateway) => {
      const client = await gateway.client();
      await client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
      const answer = await client.read();
      equal(answer.field('transfer-encoding'), undefined);
      equal(answer.field('connection'), 'close');
      equal(answer.body, 'onetwo');
      client.close();
    },
  ));

test('HTTP/1.0 clients see a cut, too: by RST', () =>
  answering(
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n'],
    async (gateway) => {
      const client = await gateway.client();
      await client.send('GET / HTTP/1.0\r\n\r\n');
      equal(await client.readToEnd(), 'reset');
      client.close();
      equal(gateway.faults('upstream_cut_short'), 1);
      await gateway.unharmed();
    },
    'end',
  ));

test('HTTP/1.0 servers: the end of the connection ends the body; keep-alive is honoured with a length', async () => {
  await answering(
    ['HTTP/1.0 200 OK\r\n\r\nwhole'],
    async (gateway, server) => {
      const client = await gateway.client();
      for (let i = 0; i < 2; i++) {
        await client.send(GET);
        const answer = await client.read();
        equal(answer.startLine, 'HTTP/1.1 200 OK');
        equal(answer.body, 'whole');
        equal(answer.field('connection'), undefined);
      }
      equal(server.connections.length, 2);
      client.close();
    },
    'end',
  );
  await answering(
    ['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nwhole'],
    async (gateway, server) => {
      for (let i = 0; i < 2; i++) equal((await gateway.ask(GET)).body, 'whole');
      equal(server.connections.length, 1);
    },
  );
});

test('trailers pass both ways, without what must not stand there; chunk extensions are dropped', () =>
  answering(
    [
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n' +
        '3;a=b;c="d;e"\r\none\r\n0;z\r\nX-Sum: 1\r\nSet-Cookie: c\r\n\r\n',
    ],
    async (gateway, _server, asked) => {
      const client = await gateway.client();
      await client.send(
        'POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n' +
          '2;x="\\"y"\r\nhi\r\n0\r\nX-In: 2\r\nHost: b\r\nAuthorization: c\r\n\r\n',
      );
      const answer = await client.read();
      equal(answer.status, 200, answer.raw);
      deepEqual(answer.trailers, ['X-Sum: 1'], answer.raw);
      equal(answer.body, 'one');
      ok(!answer.raw.includes(';'), answer.raw);
      match(asked[0] ?? '', /\r\n0\r\nX-In: 2\r\n\r\n$/);
      ok(!asked[0]?.includes('x="'));
      await client.send(GET);
      equal((await client.read()).body, 'one', 'the connection goes on');
      client.close();
      await gateway.unharmed();
    },
  ));
