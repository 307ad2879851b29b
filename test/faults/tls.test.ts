/** TLS on both sides: certificates by SNI, row 19, handshakes that fail or never come; servers that are who they say, or not. */
import { equal, match, ok } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { FAULTS, startSimulator } from '../../src/simulate/simulate.ts';
import { makeCertificate } from '../certificate.ts';
import { assertRefusal, type InProcess, type InProcessOptions, until, withGateway, withServer } from '../inprocess.ts';
import { plainResponse, RawPeer, rawClient } from '../raw.ts';

const authority = makeCertificate({ name: 'Test CA', authority: true });
const one = makeCertificate({ name: 'one', hosts: ['one.example', 'also.example'], issuer: authority });
const two = makeCertificate({ name: 'two', hosts: ['*.two.example'], issuer: authority });
const backend = makeCertificate({ name: 'backend', hosts: ['backend.example', '127.0.0.1'], issuer: authority });
const stranger = makeCertificate({ name: 'stranger', hosts: ['backend.example', '127.0.0.1'] });
const visitor = makeCertificate({ name: 'gateway', issuer: authority });

const files: Record<string, string> = {
  'one.crt': one.certificate,
  'one.key': one.key,
  'two.crt': two.certificate,
  'two.key': two.key,
  'ca.crt': authority.certificate,
  'visitor.crt': visitor.certificate,
  'visitor.key': visitor.key,
  'stranger.crt': stranger.certificate,
  'stranger.key': stranger.key,
};
const tls = {
  certificates: [
    { certificate: 'one.crt', key: 'one.key' },
    { certificate: 'two.crt', key: 'two.key' },
  ],
};
const get = (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

/** A gateway that speaks TLS, before a server that says ok. */
const withSecure = (use: (gateway: InProcess) => Promise<void>, listener: InProcessOptions['listener'] = {}) =>
  withServer(
    async (peer) => {
      for (;;) {
        await peer.read();
        await peer.send(plainResponse());
      }
    },
    (server) => withGateway({ upstream: server.url, files, listener: { tls, ...listener } }, use),
  );

test('the certificate is chosen by SNI, the first one where none fits', () =>
  withSecure(async (gateway) => {
    for (const [servername, name] of [
      ['one.example', 'one'],
      ['also.example', 'one'],
      ['a.two.example', 'two'],
      ['A.Two.Example', 'two'],
      ['other.example', 'one'],
      [undefined, 'one'],
    ] as const) {
      const options = { ca: authority.certificate, rejectUnauthorized: servername !== undefined };
      const client = await rawClient(gateway.port, {
        ...options,
        ...(servername === undefined ? {} : { servername }),
        checkServerIdentity: () => undefined,
      });
      const { CN } = (client.socket as TLSSocket).getPeerCertificate().subject;
      equal(CN, name, servername);
      await client.send(get(servername ?? '127.0.0.1'));
      equal((await client.read()).status, 200);
      client.close();
    }
    await gateway.unharmed();
  }));

test('row 19: a host that the certificate of this connection does not cover: 421, and the connection goes on', () =>
  withSecure(async (gateway) => {
    const client = await rawClient(gateway.port, { ca: authority.certificate, servername: 'one.example' });
    for (const [host, status] of [
      ['one.example', 200],
      ['a.two.example', 421],
      ['ALSO.example:443', 200],
      ['127.0.0.1', 421],
      ['one.example', 200],
    ] as const) {
      await client.send(get(host));
      const answer = await client.read();
      if (status === 421) assertRefusal(answer, { status, code: 'misdirected_request', close: false });
      else equal(answer.status, status, host);
    }
    equal(gateway.faults('misdirected_request'), 2);
    client.close();
    await gateway.unharmed();
  }));

test('what is no TLS, and a handshake that never ends', () =>
  withSecure(
    async (gateway) => {
      const plain = await gateway.client();
      await plain.send(get('one.example'));
      await plain.readToEnd();
      ok(!plain.received.includes('HTTP/'), 'nothing is answered in the clear');
      plain.close();
      await until('the count', () => gateway.faults('tls_handshake') === 1);
      const silent = await gateway.client();
      await silent.readToEnd();
      await until('the count', () => gateway.faults('tls_handshake') === 2);
      silent.close();
      await gateway.unharmed();
    },
    { timeouts: { handshake: '50ms' } },
  ));

test('minVersion: older protocols are refused', () =>
  withSecure(
    async (gateway) => {
      const client = rawClient(gateway.port, {
        ca: authority.certificate,
        servername: 'one.example',
        maxVersion: 'TLSv1.2',
      });
      let message = '';
      await client.catch((error: Error) => {
        message = error.message;
      });
      match(message, /alert|version/i);
      await until('the count', () => gateway.faults('tls_handshake') === 1);
    },
    { tls: { ...tls, minVersion: 'TLSv1.3' } },
  ));

test('big bodies over TLS on both sides, half-close, pipelining', async () => {
  const simulator = await startSimulator({ tls: { cert: backend.certificate, key: backend.key } });
  const upstream = { endpoints: [{ url: simulator.url }], tls: { ca: 'ca.crt' } };
  await withGateway({ upstream, files, listener: { tls } }, async (gateway) => {
    const client = await rawClient(gateway.port, { ca: authority.certificate, servername: 'one.example' });
    const body = Buffer.alloc(
      30_000_000,
      Uint8Array.from({ length: 251 }, (_, i) => i),
    );
    const head = 'POST /simulate/echo HTTP/1.1\r\nHost: one.example\r\n';
    await client.send(`${head}Content-Length: ${body.length}\r\n\r\n`);
    await client.send(body);
    const answer = await client.read();
    const echo = JSON.parse(answer.body) as { bodySha256: string };
    equal(echo.bodySha256, createHash('sha256').update(body).digest('hex'));
    await client.send(`${head}Content-Length: 2\r\n\r\nhi`.repeat(50));
    client.end();
    for (const { status } of await client.readMany(50)) equal(status, 200);
    await client.readToEnd();
    await gateway.unharmed();
  });
  await simulator.close();
});

/** A TLS server that answers with the name that it was asked for and the name of the client's certificate. */
async function secureServer(options: TlsOptions): Promise<Server> {
  const server = createServer(options, (socket) => {
    const peer = new RawPeer(socket);
    const { subject } = socket.getPeerCertificate() as { subject?: { CN?: string } };
    const { servername } = socket as TLSSocket & { servername?: string | false };
    void (async () => {
      for (;;) {
        await peer.read();
        await peer.send(plainResponse(`${servername || '-'} ${subject?.CN ?? '-'}`));
      }
    })().catch(() => {});
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const serverCases: {
  name: string;
  host?: string;
  server?: TlsOptions;
  tls: Record<string, string | boolean>;
  /** What the server saw; undefined where the gateway must refuse it. */
  sees?: string;
}[] = [
  { name: 'the right authority', tls: { ca: 'ca.crt' }, sees: 'backend.example -' },
  { name: 'an IP address: no SNI', host: '127.0.0.1', tls: { ca: 'ca.crt' }, sees: '- -' },
  { name: 'no authority that we know', tls: {} },
  { name: 'another name', host: 'other.example', tls: { ca: 'ca.crt' } },
  {
    name: 'another name, set by serverName',
    host: 'other.example',
    tls: { ca: 'ca.crt', serverName: 'backend.example' },
    sees: 'backend.example -',
  },
  { name: 'the wrong serverName', tls: { ca: 'ca.crt', serverName: 'wrong.example' } },
  {
    name: 'a server that signed itself',
    server: { cert: stranger.certificate, key: stranger.key },
    tls: { ca: 'ca.crt' },
  },
  {
    name: 'the same, not verified',
    server: { cert: stranger.certificate, key: stranger.key },
    tls: { verify: false },
    sees: 'backend.example -',
  },
  {
    name: 'the right client certificate',
    server: { requestCert: true, rejectUnauthorized: true, ca: authority.certificate },
    tls: { ca: 'ca.crt', certificate: 'visitor.crt', key: 'visitor.key' },
    sees: 'backend.example gateway',
  },
  {
    name: 'the wrong client certificate',
    server: { requestCert: true, rejectUnauthorized: true, ca: authority.certificate },
    tls: { ca: 'ca.crt', certificate: 'stranger.crt', key: 'stranger.key' },
  },
  {
    name: 'no client certificate where one is asked for',
    server: { requestCert: true, rejectUnauthorized: true, ca: authority.certificate },
    tls: { ca: 'ca.crt' },
  },
];

for (const { name, host = 'backend.example', server: options, tls: towards, sees } of serverCases) {
  test(`https servers: ${name}: ${sees ?? 'refused'}`, async () => {
    const server = await secureServer({ cert: backend.certificate, key: backend.key, ...options });
    const { port } = server.address() as { port: number };
    const upstream = { endpoints: [{ url: `https://${host}:${port}` }], tls: towards, retries: { attempts: 1 } };
    await withGateway({ upstream, files, lookup: async () => ['127.0.0.1'] }, async (gateway) => {
      const client = await gateway.client();
      await client.send(get('a'));
      const answer = await client.read();
      if (sees === undefined) {
        equal(answer.status, 502, answer.raw);
        // In TLS 1.3 a server refuses the client's certificate after the handshake, when the request is on its way.
        match(answer.field('proxy-status') ?? '', /tls_protocol_error|connection_terminated/);
        ok(gateway.faults('upstream_tls') + gateway.faults('upstream_reset') > 0);
      } else {
        equal(answer.body, sees, answer.raw);
        await client.send(get('a'));
        equal((await client.read()).body, sees, 'the connection is used again');
      }
      client.close();
      await gateway.unharmed();
    });
    server.close();
  });
}

test('every wrong answer, over TLS on both sides: the worker lives', async () => {
  const simulator = await startSimulator({ tls: { cert: backend.certificate, key: backend.key } });
  const upstream = { endpoints: [{ url: simulator.url }], tls: { ca: 'ca.crt' }, retries: { attempts: 1 } };
  await withGateway({ upstream, files, listener: { tls } }, async (gateway) => {
    for (const { name, verdict, raw } of FAULTS.values()) {
      if (raw === undefined || verdict === 'silent') continue;
      const client = await rawClient(gateway.port, { ca: authority.certificate, servername: 'one.example' });
      await client.send(`GET /v1/models HTTP/1.1\r\nHost: one.example\r\nx-simulate: ${name}\r\n\r\n`);
      const answer = await client.read().catch(() => undefined);
      if (verdict === 'invalid') equal(answer?.status, 502, name);
      if (verdict === 'valid') equal(answer?.status, 200, name);
      if (verdict === 'cut' && answer !== undefined) equal(answer.status, 502, name);
      client.close();
      await gateway.unharmed();
    }
    // Clients that leave while much is on its way.
    for (const leave of ['reset', 'close'] as const) {
      const client = await rawClient(gateway.port, { ca: authority.certificate, servername: 'one.example' });
      await client.send('GET /simulate/bytes/50000000 HTTP/1.1\r\nHost: one.example\r\n\r\n');
      await client.readUntil('200 OK');
      if (leave === 'reset') client.socket.destroy();
      else client.end();
      await gateway.unharmed();
      client.close();
    }
    const client = await rawClient(gateway.port, { ca: authority.certificate, servername: 'one.example' });
    await client.send('GET /simulate/bytes/3000000 HTTP/1.1\r\nHost: one.example\r\n\r\n');
    client.socket.pause();
    for (let i = 0; i < 20; i++) await gateway.unharmed();
    client.socket.resume();
    equal((await client.read()).body.length, 3_000_000);
    client.close();
  });
  await simulator.close();
});
