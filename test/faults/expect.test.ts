/** Expect: 100-continue (RFC 9110 §10.1.1) and interim responses (§15.2), in both directions. */
import { deepEqual, equal } from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertRefusal, type InProcess, startInProcess, withGateway, withServer } from '../inprocess.ts';
import { plainResponse, type RawServer, rawServer } from '../raw.ts';

let server: RawServer;
let gateway: InProcess;
/** What servers were sent. */
const seen: string[] = [];

before(async () => {
  server = await rawServer(async (peer) => {
    for (;;) {
      const request = await peer.read();
      seen.push(request.raw);
      await peer.send(plainResponse(request.body));
    }
  });
  gateway = await startInProcess({
    upstream: server.url,
    routes: [{ name: 'all', match: { path: '/here' }, upstream: 'main' }],
    listener: { limits: { body: '1KiB' } },
  });
});
after(async () => {
  await gateway.close();
  await server.close();
});

const head = (path: string, length: number) =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;

test('a client that waits is told to go on; the server is not asked to wait', async () => {
  const client = await gateway.client();
  await client.send(head('/here', 4));
  await client.readUntil('HTTP/1.1 100 \r\n\r\n');
  await client.send('body');
  const answer = await client.read();
  deepEqual(
    answer.interim.map(({ status }) => status),
    [100],
  );
  equal(answer.body, 'body');
  equal(/^expect:/im.test(seen.at(-1) ?? ''), false);
  await client.send(head('/here', 4));
  await client.readUntil('HTTP/1.1 100 \r\n\r\n');
  await client.send('more');
  equal((await client.read()).body, 'more', 'the connection goes on');
  client.close();
});

test('a client that does not wait needs no 100', async () => {
  const client = await gateway.client();
  await client.send(`${head('/here', 4)}body`);
  const answer = await client.read();
  equal(answer.body, 'body');
  equal(answer.interim.length, 0);
  client.close();
});

test('refused without 100: no such route, and a body over its limit', async () => {
  for (const [path, length, status, code] of [
    ['/nowhere', 4, 404, 'not_found'],
    ['/here', 5000, 413, 'body_too_large'],
  ] as const) {
    const client = await gateway.client();
    await client.send(head(path, length));
    const answer = await client.read();
    // Whether the body comes nevertheless is not known: the connection cannot go on.
    assertRefusal(answer, { status, code, close: true });
    equal(answer.interim.length, 0);
    client.close();
  }
  await gateway.unharmed();
});

test('an HTTP/1.0 client never gets 100', async () => {
  const client = await gateway.client();
  await client.send(head('/here', 4).replace('HTTP/1.1', 'HTTP/1.0'));
  await gateway.unharmed();
  equal(client.received, '');
  await client.send('body');
  const answer = await client.read();
  equal(answer.interim.length, 0);
  equal(answer.body, 'body');
  client.close();
});

const INTERIM = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: y\r\n\r\n';

test('interim responses of the server: 103 passes, 100 does not, HTTP/1.0 gets none', async () => {
  await withServer(
    async (peer) => {
      for (;;) {
        await peer.read();
        await peer.send(INTERIM + plainResponse());
      }
    },
    (hinting) =>
      withGateway({ upstream: hinting.url }, async (own) => {
        const answer = await own.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
        deepEqual(answer.interim, [{ status: 103, fields: [['Link', '</a>']] }]);
        equal(answer.body, 'ok');
        const old = await own.ask('GET / HTTP/1.0\r\n\r\n');
        equal(old.interim.length, 0);
        equal(old.body, 'ok');
      }),
  );
});

test('limits.interim: more 1xx than that are 502', async () => {
  await withServer(
    async (peer) => {
      await peer.read();
      await peer.send('HTTP/1.1 102 Processing\r\n\r\n'.repeat(4) + plainResponse());
    },
    (hinting) =>
      withGateway(
        { upstream: { endpoints: [{ url: hinting.url }], limits: { interim: 3 }, retries: { attempts: 1 } } },
        async (own) => {
          const answer = await own.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
          assertRefusal(answer, { status: 502, code: 'upstream_protocol', close: false });
          equal(own.faults('interim_flood'), 1);
        },
      ),
  );
});
