/** Upgrade tunnels (RFC 9110 §7.8), and answers that come while the request body is still being sent. */
import { equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../src/kernel/clock.ts';
import { makeCertificate } from '../certificate.ts';
import { assertRefusal, until, withGateway, withServer } from '../inprocess.ts';
import { plainResponse, rawClient } from '../raw.ts';

const UPGRADE = 'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: Echo/1\r\n\r\n';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: Echo/1\r\nX-Key: k\r\n\r\n';

const certificate = makeCertificate({ name: 'a' });
const files: Record<string, string> = { 'a.crt': certificate.certificate, 'a.key': certificate.key };
const tls = { certificates: [{ certificate: 'a.crt', key: 'a.key' }] };

for (const secure of [false, true]) {
  test(`bytes go both ways, early ones too, whatever they look like${secure ? ', over TLS' : ''}`, () =>
    withServer(
      async (peer) => {
        const request = await peer.read();
        match(request.raw, /\r\nConnection: Upgrade\r\nUpgrade: echo\/1\r\n/i);
        await peer.send(`${SWITCH}welcome`);
        peer.socket.on('data', (bytes: Buffer) => peer.socket.write(bytes));
        await peer.send(peer.received);
        await peer.readToEnd();
        peer.end();
      },
      (server) =>
        withGateway({ upstream: server.url, files, listener: secure ? { tls } : {} }, async (gateway) => {
          const client = await rawClient(gateway.port, secure ? { servername: 'a', ca: files['a.crt'] } : undefined);
          // Sent before the server has agreed, and looking like requests.
          await client.send(`${UPGRADE}GET / HTTP/1.1\n\n`);
          const answer = await client.read();
          equal(answer.status, 101);
          equal(answer.field('x-key'), 'k');
          equal(answer.field('upgrade'), 'Echo/1');
          equal(answer.field('connection'), 'Upgrade');
          equal(answer.field('content-length'), undefined);
          await client.readUntil('welcomeGET / HTTP/1.1\n\n');
          const bytes = Buffer.alloc(
            1_000_000,
            Uint8Array.from({ length: 256 }, (_, i) => i),
          ).toString('latin1');
          client.received = '';
          await client.send(bytes);
          await until('the echo', () => client.received.length >= bytes.length);
          ok(client.received === bytes, 'byte-identical');
          client.close();
          await until('the end', () => gateway.ended.length === 1);
          equal(gateway.ended[0]?.status, 101);
          await gateway.unharmed();
        }),
    ));
}

test('half-close: what the server says after the client has ended still arrives', () =>
  withServer(
    async (peer) => {
      await peer.read();
      await peer.send(SWITCH);
      await peer.readToEnd();
      await peer.send(`you said: ${peer.received}`);
      peer.end();
    },
    (server) =>
      withGateway({ upstream: server.url }, async (gateway) => {
        const client = await gateway.client();
        await client.send(UPGRADE);
        await client.read();
        await client.send('bye');
        client.end();
        equal(await client.readToEnd(), 'end');
        equal(client.received, 'you said: bye');
        await gateway.unharmed();
      }),
  ));

for (const secure of [false, true]) {
  test(`half-close: what the client says after the server has ended still arrives${secure ? ', over TLS' : ''}`, () =>
    withServer(
      async (peer) => {
        await peer.read();
        await peer.send(`${SWITCH}go on`);
        peer.end();
      },
      (server) =>
        withGateway({ upstream: server.url, files, listener: secure ? { tls } : {} }, async (gateway) => {
          const client = await rawClient(gateway.port, secure ? { servername: 'a', ca: files['a.crt'] } : undefined);
          await client.send(UPGRADE);
          await client.readUntil('go on');
          await client.readToEnd();
          const peer = await server.connection(0);
          const text = 'x'.repeat(1_000_000);
          await client.send(`${text}bye`);
          await peer.readUntil('bye');
          equal(peer.ending, undefined);
          await gateway.unharmed();
          equal(gateway.ended.length, 0, 'it is not over yet');
          client.end();
          equal(await peer.readToEnd(), 'end');
          equal(peer.received, `${text}bye`);
          await until('the end', () => gateway.ended.length === 1);
          equal(gateway.ended[0]?.outcome, 'completed');
          await gateway.unharmed();
        }),
    ));
}

test('a tunnel may be silent after what a client said: the times of a request body are not its own', () =>
  withServer(
    async (peer) => {
      await peer.read();
      await peer.send(SWITCH);
    },
    (server) =>
      withGateway(
        { upstream: server.url, listener: { timeouts: { body: '5s' } }, clock: new ManualClock() },
        async (gateway) => {
          const client = await gateway.client();
          await client.send(UPGRADE);
          await client.read();
          await client.send('hello');
          const peer = await server.connection(0);
          await peer.readUntil('hello');
          await gateway.advance(600_000);
          await peer.send('still here');
          await client.readUntil('still here');
          client.close();
        },
      ),
  ));

test('half-close: a server that ends and then vanishes, and a client that does', async () => {
  for (const who of ['server', 'client'] as const) {
    await withServer(
      async (peer) => {
        await peer.read();
        await peer.send(`${SWITCH}go on`);
        peer.end();
      },
      (server) =>
        withGateway({ upstream: server.url }, async (gateway) => {
          const client = await gateway.client();
          await client.send(UPGRADE);
          await client.readUntil('go on');
          await client.readToEnd();
          const peer = await server.connection(0);
          if (who === 'client') client.reset();
          else {
            peer.close();
            // Its FIN came before; what is written to it tells.
            while (gateway.ended.length === 0) {
              await client.send('hello?');
              await gateway.unharmed();
            }
          }
          await until('the end', () => gateway.ended.length === 1);
          equal(gateway.ended[0]?.outcome, who === 'client' ? 'client_aborted' : 'upstream_aborted');
          await gateway.unharmed();
        }),
    );
  }
});

test('a server that ends the tunnel: everything it said arrives first', () =>
  withServer(
    async (peer) => {
      await peer.read();
      await peer.send(SWITCH + 'x'.repeat(3_000_000));
      peer.end();
    },
    (server) =>
      withGateway({ upstream: server.url }, async (gateway) => {
        const client = await gateway.client();
        await client.send(UPGRADE);
        await client.read();
        equal(await client.readToEnd(), 'end');
        equal(client.received.length, 3_000_000);
        client.close();
        await gateway.unharmed();
      }),
  ));

test('a server that does not want to: its answer is an ordinary one, and both connections go on', () =>
  withServer(
    async (peer) => {
      for (;;) {
        await peer.read();
        await peer.send(plainResponse('no'));
      }
    },
    (server) =>
      withGateway({ upstream: server.url }, async (gateway) => {
        const client = await gateway.client();
        for (const request of [UPGRADE, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', UPGRADE]) {
          await client.send(request);
          const answer = await client.read();
          equal(answer.body, 'no');
          equal(answer.field('connection'), undefined);
        }
        equal(server.connections.length, 1);
        client.close();
      }),
  ));

test('101 that nobody asked for: 502', () =>
  withServer(
    async (peer) => {
      await peer.read();
      await peer.send(SWITCH);
    },
    (server) =>
      withGateway({ upstream: server.url }, async (gateway) => {
        for (const request of [
          'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
          'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: Echo/1\r\n\r\n',
          'GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: Echo/1\r\n\r\n',
          'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: foo, h2c\r\nHTTP2-Settings: x\r\n\r\n',
        ]) {
          const answer = await gateway.ask(request);
          equal(answer.status, 502, answer.raw);
        }
        equal(gateway.faults('unasked_upgrade') >= 4, true);
        await gateway.unharmed();
      }),
  ));

const SIZE = 50 << 20;

for (const how of ['keeps the connection open', 'closes at once'] as const) {
  test(`a server that answers 413 in the middle of a 50 MB upload and ${how}: the client reads it`, () =>
    withServer(
      async (peer) => {
        await peer.readUntil('x'.repeat(1000));
        peer.socket.pause();
        await peer.send(`HTTP/1.1 413 Too Much\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much`);
        if (how === 'closes at once') peer.close();
      },
      (server) =>
        withGateway({ upstream: server.url }, async (gateway) => {
          const client = await gateway.client();
          await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`);
          const sent = client.send(Buffer.alloc(SIZE, 'x'));
          const answer = await client.read();
          if (how === 'closes at once' && answer.status === 502) {
            // The RST may overtake the answer on the way to us; then it is a reset like any other.
            assertRefusal(answer, { status: 502, code: 'upstream_reset', close: true });
          } else {
            equal(answer.status, 413);
            equal(answer.body, 'too much');
          }
          equal(answer.field('connection'), 'close');
          await client.readToEnd();
          client.close();
          await sent;
          await gateway.unharmed();
        }),
    ));
}

test('an early answer to a small body: the rest is dropped and the connection goes on', () =>
  withServer(
    async (peer) => {
      await peer.readUntil('\r\n\r\n');
      await peer.send(plainResponse('early'));
    },
    (server) =>
      withGateway({ upstream: server.url }, async (gateway) => {
        const client = await gateway.client();
        await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345');
        equal((await client.read()).body, 'early');
        await client.send('67890GET / HTTP/1.1\r\nHost: a\r\n\r\n');
        equal((await client.read()).body, 'early');
        client.close();
        await gateway.unharmed();
      }),
  ));
