/** Rows 2 and 3: a client that half-closes gets its answer; one that leaves has its work at the server cancelled. */
import { equal, match } from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { ManualClock } from '../../src/kernel/clock.ts';
import { type InProcess, until, withGateway, withServer } from '../inprocess.ts';
import { plainResponse } from '../raw.ts';
import { deafServer } from './deaf.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

test('row 2: a half-close before the answer', async () => {
  await withServer(
    () => {},
    (server) =>
      withGateway({ upstream: server.url }, async (gateway) => {
        const client = await gateway.client();
        await client.send(GET);
        const peer = await server.connection(0);
        await peer.read();
        client.end();
        await gateway.unharmed();
        await peer.send(plainResponse('here'));
        const answer = await client.read();
        equal(answer.body, 'here');
        equal(answer.field('connection'), 'close');
        equal(await client.readToEnd(), 'end');
        equal(gateway.ended.at(-1)?.outcome, 'completed');
      }),
  );
});

test('row 2: a half-close in the middle of the answer', async () => {
  await withServer(
    () => {},
    (server) =>
      withGateway({ upstream: server.url }, async (gateway) => {
        const client = await gateway.client();
        await client.send(GET);
        const peer = await server.connection(0);
        await peer.send(`${CHUNKED}3\r\none\r\n`);
        await client.readUntil('one');
        client.end();
        await gateway.unharmed();
        await peer.send('3\r\ntwo\r\n0\r\n\r\n');
        equal((await client.read()).body, 'onetwo');
        equal(await client.readToEnd(), 'end');
      }),
  );
});

test('row 2: HTTP/1.0, half-closed with the request', async () => {
  await withServer(
    async (peer) => {
      await peer.read();
      await peer.send(plainResponse('here'));
    },
    (server) =>
      withGateway({ upstream: server.url }, async (gateway) => {
        const client = await gateway.client();
        await client.send('GET / HTTP/1.0\r\n\r\n');
        client.end();
        equal((await client.read()).body, 'here');
        equal(await client.readToEnd(), 'end');
        await gateway.unharmed();
      }),
  );
});

/**
 * Lets what a client did come here, and then 100 ms pass, within which row 3 wants the work to be cancelled. One that closes
 * is only known by an answer to what is written to it; of a reset no time has to pass.
 */
async function afterLeaving(gateway: InProcess, leave: 'reset' | 'close'): Promise<void> {
  if (leave === 'reset') return;
  await gateway.unharmed();
  await gateway.advance(100);
}

for (const [how, leave] of [
  ['resets', 'reset'],
  ['closes', 'close'],
] as const) {
  test(`row 3: a client that ${how} before the answer`, async () => {
    await withServer(
      () => {},
      (server) =>
        withGateway({ upstream: server.url, clock: new ManualClock() }, async (gateway) => {
          const client = await gateway.client();
          await client.send(GET);
          const peer = await server.connection(0);
          await peer.read();
          client[leave]();
          await afterLeaving(gateway, leave);
          await peer.readToEnd();
          await until('the end of the exchange', () => gateway.ended.length === 1);
          equal(gateway.ended[0]?.outcome, 'client_aborted');
          equal(gateway.ended[0]?.code, 'client_closed');
          equal(gateway.faults('client_left_early'), 1);
          await gateway.unharmed();
        }),
    );
  });

  test(`row 3: a client that ${how} in the middle of a stream`, async () => {
    await withServer(
      () => {},
      (server) =>
        withGateway({ upstream: server.url, clock: new ManualClock() }, async (gateway) => {
          const client = await gateway.client();
          await client.send(GET);
          const peer = await server.connection(0);
          await peer.send(`${CHUNKED}3\r\none\r\n`);
          await client.readUntil('one');
          client[leave]();
          await afterLeaving(gateway, leave);
          // The model says nothing meanwhile: no next token is needed to notice.
          await peer.readToEnd();
          await until('the end of the exchange', () => gateway.ended.length === 1);
          equal(gateway.ended[0]?.outcome, 'client_aborted');
          equal(gateway.faults('client_left'), 1);
          await gateway.unharmed();
        }),
    );
  });
}

test('row 3: a client that half-closes and leaves later, in the middle of a stream', () =>
  withServer(
    () => {},
    (server) =>
      withGateway({ upstream: server.url }, async (gateway) => {
        const client = await gateway.client();
        await client.send(GET);
        const peer = await server.connection(0);
        await peer.send(`${CHUNKED}3\r\none\r\n`);
        await client.readUntil('one');
        client.end();
        await client.readUntil(/\r\n00$/);
        client.close();
        // Its FIN came long ago: now the next tokens show it.
        while (peer.ending === undefined) {
          await peer.send('3\r\ntwo\r\n');
          await gateway.unharmed();
        }
        await until('the end of the exchange', () => gateway.ended.length === 1);
        equal(gateway.ended[0]?.outcome, 'client_aborted');
        equal(gateway.faults('client_left'), 1);
      }),
  ));

test('row 2 and 7: a half-closed client whose answer is cut sees a reset, not the digit of a probe and an end', () =>
  withServer(
    () => {},
    (server) =>
      withGateway({ upstream: server.url }, async (gateway) => {
        const client = await gateway.client();
        await client.send(GET);
        const peer = await server.connection(0);
        await peer.send(`${CHUNKED}3\r\none\r\n`);
        await client.readUntil('one');
        client.end();
        await client.readUntil(/\r\n00$/);
        peer.reset();
        equal(await client.readToEnd(), 'reset');
        await gateway.unharmed();
      }),
  ));

test('row 2: real clients read an answer that was probed', { timeout: 30_000 }, async () => {
  await withServer(
    async (peer) => {
      await peer.read();
      await peer.send(`${CHUNKED}3\r\none\r\n`);
      await setTimeout(100);
      await peer.send('3\r\ntwo\r\n0\r\n\r\n');
    },
    (server) =>
      withGateway({ upstream: server.url }, async (gateway) => {
        const body = await new Promise<string>((resolve, reject) => {
          const asked = request({ port: gateway.port, agent: false }, (response) => {
            let text = '';
            response.setEncoding('latin1').on('data', (part) => {
              text += part;
            });
            response.on('end', () => resolve(text)).on('error', reject);
            asked.socket?.end();
          });
          asked.on('error', reject).end();
        });
        equal(body, 'onetwo');
      }),
  );
});

test('a client that leaves in the middle of its head', async () => {
  await withGateway({ upstream: 'http://127.0.0.1:9' }, async (gateway) => {
    const client = await gateway.client();
    await client.send('GET / HT');
    client.end();
    equal(await client.readToEnd(), 'end');
    equal(client.received, '');
    equal(gateway.faults('head_cut_short'), 1);
    await gateway.unharmed();
  });
});

test('a client that leaves in the middle of its body: the server never sees a whole request', async () => {
  await withServer(
    () => {},
    (server) =>
      withGateway({ upstream: server.url }, async (gateway) => {
        for (const [framing, piece] of [
          ['Content-Length: 10', 'half'],
          ['Transfer-Encoding: chunked', '4\r\nhalf\r\n'],
        ]) {
          const number = server.connections.length;
          const client = await gateway.client();
          await client.send(`POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${piece}`);
          const peer = await server.connection(number);
          await peer.readUntil('half');
          client.end();
          await peer.readToEnd();
          match(peer.received, /half(\r\n)?$/);
          await client.readToEnd();
          await gateway.unharmed();
        }
        equal(gateway.faults('body_cut_short'), 2);
      }),
  );
});

test('row 3: a client that leaves while its server is still being connected to', async () => {
  const deaf = await deafServer();
  const upstream = { endpoints: [{ url: deaf.url }], timeouts: { connect: '1h' } };
  await withGateway({ upstream }, async (gateway) => {
    const client = await gateway.client();
    await client.send(GET);
    await gateway.unharmed();
    client.reset();
    await until('the end of the exchange', () => gateway.ended.length === 1);
    equal(gateway.ended[0]?.outcome, 'client_aborted');
    await gateway.unharmed();
  });
  deaf.close();
});

for (const [halfClose, after, outcome] of [
  ['1s', 900, 'completed'],
  ['1s', 1100, 'client_aborted'],
  ['10m', 300_000, 'completed'],
  ['0s', 0, 'client_aborted'],
] as const) {
  test(`timeouts.halfClose ${halfClose}: the answer ends ${after} ms after a FIN in its middle: ${outcome}`, () =>
    withServer(
      () => {},
      (server) =>
        withGateway(
          {
            upstream: { endpoints: [{ url: server.url }], timeouts: { idle: '1h', total: '1h' } },
            listener: { timeouts: { halfClose } },
            clock: new ManualClock(),
          },
          async (gateway) => {
            const client = await gateway.client();
            await client.send(GET);
            const peer = await server.connection(0);
            await peer.send(`${CHUNKED}3\r\none\r\n`);
            await client.readUntil('one');
            await gateway.advance(60_000);
            client.end();
            await gateway.unharmed();
            await gateway.advance(after);
            await gateway.unharmed();
            await peer.send('3\r\ntwo\r\n0\r\n\r\n');
            await client.readToEnd();
            equal(client.received.endsWith('0\r\n\r\n'), outcome === 'completed');
            equal(gateway.ended[0]?.outcome, outcome);
            equal(gateway.faults('client_left'), outcome === 'completed' ? 0 : 1);
            await gateway.unharmed();
          },
        ),
    ));
}
