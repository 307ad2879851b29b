/** Limits that no other file here holds, and what a changed configuration does to connections that stand. */
import { equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../src/kernel/clock.ts';
import { makeCertificate } from '../certificate.ts';
import { assertRefusal, type InProcess, until, withGateway, withServer } from '../inprocess.ts';
import { plainResponse, type RawPeer, rawClient } from '../raw.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const serve = async (peer: RawPeer) => {
  for (;;) {
    await peer.read();
    await peer.send(plainResponse());
  }
};

for (const [name, limits, fields, kind] of [
  ['limits.head', { head: '1KiB' }, `A: ${'x'.repeat(2000)}\r\n`, 'response_head_too_large'],
  ['limits.fields', { fields: 5 }, 'A: b\r\n'.repeat(10), 'response_too_many_fields'],
] as const) {
  test(`${name} of an upstream: 502 beyond`, () =>
    withServer(
      async (peer) => {
        await peer.read();
        await peer.send(plainResponse('ok', fields));
      },
      (server) =>
        withGateway(
          { upstream: { endpoints: [{ url: server.url }], limits, retries: { attempts: 1 } } },
          async (gateway) => {
            const answer = await gateway.ask(GET);
            assertRefusal(answer, {
              status: 502,
              code: 'upstream_protocol',
              proxyError: 'http_protocol_error',
              close: false,
            });
            equal(gateway.faults(kind), 1, JSON.stringify(gateway.counted()));
            await gateway.unharmed();
          },
        ),
    ));
}

test('maxBody of a route: 413, by its length or as it comes', () =>
  withServer(serve, (server) =>
    withGateway(
      {
        upstream: server.url,
        routes: [{ name: 'small', match: {}, upstream: 'main', maxBody: '100' }],
      },
      async (gateway) => {
        const announced = await gateway.ask('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n');
        assertRefusal(announced, { status: 413, code: 'body_too_large', close: true });
        const piece = `40\r\n${'x'.repeat(64)}\r\n`;
        const comes = await gateway.ask(
          `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${piece}${piece}`,
        );
        assertRefusal(comes, { status: 413, code: 'body_too_large', close: true });
        const fits = await gateway.ask(
          `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${piece}0\r\n\r\n`,
        );
        equal(fits.status, 200);
        await gateway.unharmed();
      },
    ),
  ));

/** Changes a setting of the listener `public`. */
async function changeListener(gateway: InProcess, change: Record<string, unknown>): Promise<void> {
  const { config, files } = gateway.worker.snapshot.input;
  const { public: before } = config.listeners;
  const listeners = { ...config.listeners, public: { ...before, ...change } } as typeof config.listeners;
  await gateway.worker.update({ config: { ...config, listeners }, files });
}

test('a drain after a reload ends connections from before it, whatever state they are in', () =>
  withServer(serve, (server) =>
    withGateway({ upstream: server.url, listener: { timeouts: { head: '1h' } } }, async (gateway) => {
      const idle = await gateway.client();
      const half = await gateway.client();
      await idle.send(GET);
      await idle.read();
      await half.send('GET / HTTP/1.1\r\n');
      await gateway.unharmed();
      await changeListener(gateway, {});
      gateway.worker.doors.unlisten('public');
      equal(await idle.readToEnd(), 'end');
      await half.send('Host: a\r\n\r\n');
      const answer = await half.read();
      equal(answer.status, 200);
      equal(answer.field('connection'), 'close');
      equal(await half.readToEnd(), 'end');
      idle.close();
      half.close();
    }),
  ));

test('a reload in the middle of a TLS handshake does not lose it; handshakes count as connections', async () => {
  const certificate = makeCertificate({ name: 'one.example' });
  const files = { 'one.crt': certificate.certificate, 'one.key': certificate.key };
  const listener = {
    tls: { certificates: [{ certificate: 'one.crt', key: 'one.key' }] },
    limits: { connections: 2 },
    timeouts: { handshake: '5s' },
  };
  await withServer(serve, (server) =>
    withGateway({ upstream: server.url, files, listener, clock: new ManualClock() }, async (gateway) => {
      const first = await rawClient(gateway.port);
      await gateway.unharmed();
      await changeListener(gateway, {});
      const { connect } = await import('node:tls');
      // The handshake begins on the connection that was accepted before the reload.
      first.socket.removeAllListeners('data');
      const secured = connect({ socket: first.socket, servername: 'one.example', ca: certificate.certificate });
      let text = '';
      secured.on('data', (part: Buffer) => {
        text += part.toString('latin1');
      });
      secured.write('GET / HTTP/1.1\r\nHost: one.example\r\n\r\n');
      await until('the answer', () => text.includes('ok'));
      match(text, /^HTTP\/1\.1 200 /);
      const waiting = await rawClient(gateway.port);
      await gateway.unharmed();
      const third = await rawClient(gateway.port);
      await third.readToEnd();
      equal(gateway.faults('too_many_connections'), 1);
      waiting.close();
      third.close();
      await until('the handshake to end', () => gateway.faults('tls_handshake') === 1);
      const next = await rawClient(gateway.port, { servername: 'one.example', ca: certificate.certificate });
      await next.send('GET / HTTP/1.1\r\nHost: one.example\r\n\r\n');
      ok((await next.read()).status === 200);
      next.close();
      secured.destroy();
      await gateway.unharmed();
    }),
  );
});
