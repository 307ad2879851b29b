/** Pipelined requests are answered in order, whatever becomes of each (RFC 9112 §9.3.2). */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertRefusal, type InProcess, startInProcess, withGateway, withServer } from '../inprocess.ts';
import { plainResponse, type RawServer, rawServer } from '../raw.ts';

let server: RawServer;
let gateway: InProcess;

before(async () => {
  server = await rawServer(async (peer) => {
    for (;;) {
      const { startLine, body } = await peer.read();
      await peer.send(plainResponse(`${startLine.split(' ')[1]} ${body}`));
    }
  });
  gateway = await startInProcess({
    upstream: server.url,
    routes: [{ name: 'all', match: { path: '/there/*' }, upstream: 'main' }],
  });
});
after(async () => {
  await gateway.close();
  await server.close();
});

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const post = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

test('1,000 requests in one packet', async () => {
  const client = await gateway.client();
  const paths = Array.from({ length: 1000 }, (_, i) => `/there/${i}`);
  await client.send(paths.map(get).join(''));
  const answers = await client.readMany(1000);
  deepEqual(
    answers.map((answer) => answer.body.trim()),
    paths,
  );
  client.close();
  await gateway.unharmed();
});

test('in any pieces', async () => {
  const client = await gateway.client();
  const bytes = `${get('/there/a')}\r\n${post('/there/b', 'body')}\r\n\r\n${get('/there/c')}`;
  await client.sendInPieces(bytes);
  const answers = await client.readMany(3);
  deepEqual(
    answers.map((answer) => answer.body),
    ['/there/a ', '/there/b body', '/there/c '],
  );
  client.close();
});

test('refusals in the middle keep the order and the connection', async () => {
  const client = await gateway.client();
  await client.send(
    get('/there/1') + get('/nowhere') + post('/there/2', 'b') + post('/nowhere', 'dropped') + get('/there/3'),
  );
  const answers = await client.readMany(5);
  deepEqual(
    answers.map(({ status }) => status),
    [200, 404, 200, 404, 200],
  );
  assertRefusal(answers[1] as (typeof answers)[0], { status: 404, code: 'not_found', close: false });
  equal(answers[4]?.body, '/there/3 ');
  client.close();
  await gateway.unharmed();
});

test('a broken request ends the row after those before it', async () => {
  const counted = gateway.faults('bare_lf');
  const client = await gateway.client();
  await client.send(`${get('/there/1')}${get('/there/2')}GET / HTTP/1.1\nHost: a\r\n\r\n${get('/there/4')}`);
  const answers = await client.readMany(3);
  deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 400],
  );
  equal(await client.readToEnd(), 'end');
  equal(client.received, '');
  client.close();
  equal(gateway.faults('bare_lf'), counted + 1);
});

test('a client that half-closes behind its requests gets all its answers', async () => {
  const client = await gateway.client();
  await client.send(get('/there/1') + post('/there/2', 'b') + get('/there/3'));
  client.end();
  const answers = await client.readMany(3);
  deepEqual(
    answers.map(({ body }) => body),
    ['/there/1 ', '/there/2 b', '/there/3 '],
  );
  match(answers[2]?.field('connection') ?? '', /close/);
  equal(await client.readToEnd(), 'end');
  await gateway.unharmed();
});

test('limits.pipelined: further requests wait with the client, and are answered in their turn', () =>
  withServer(
    () => {},
    (slow) =>
      withGateway({ upstream: slow.url, listener: { limits: { pipelined: '1KiB' } } }, async (own) => {
        const client = await own.client();
        const filler = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1_000_000)}`;
        const COUNT = 12;
        const sent = client.send(filler.repeat(COUNT));
        const peer = await slow.connection(0);
        for (let i = 0; i < COUNT; i++) {
          equal((await peer.read()).body.length, 1_000_000);
          if (i === 0) {
            for (let turn = 0; turn < 20; turn++) await own.unharmed();
            ok(client.socket.writableLength > 0, 'the client is held back');
          }
          await peer.send(plainResponse(`${i}`));
        }
        const answers = await client.readMany(COUNT);
        equal(answers.at(-1)?.body, `${COUNT - 1}`);
        await sent;
        client.close();
        await own.unharmed();
      }),
  ));
