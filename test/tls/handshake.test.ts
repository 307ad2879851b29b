/** Real handshakes: names nobody has a certificate for, pairs of keys, resumption, certificates of clients, rotation. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { type Certificate, makeCertificate } from '../certificate.ts';
import { type InProcess, type InProcessOptions, withGateway, withServer } from '../inprocess.ts';
import { plainResponse, rawClient } from '../raw.ts';
import { sClient } from './openssl.ts';

const authority = makeCertificate({ name: 'Test CA', authority: true });
const made = (name: string, hosts: string[], more: object = {}) =>
  makeCertificate({ name, hosts, issuer: authority, ...more });
const one = made('one', ['one.example', '*.one.example']);
const rsa = made('one-rsa', ['one.example'], { kind: 'rsa' });
const two = made('two', ['two.example']);
const client = made('agent', ['agent.example']);
const other = made('other', ['other.example']);
const stranger = makeCertificate({ name: 'agent', hosts: ['agent.example'] });
const old = made('late', ['agent.example'], { to: Date.now() - 1000 });

const files: Record<string, string> = { ca: authority.certificate };
for (const [name, pair] of Object.entries({ one, rsa, two })) {
  files[`${name}.pem`] = pair.certificate;
  files[`${name}.key`] = pair.key;
}
const pairOf = (name: string) => ({ certificate: `${name}.pem`, key: `${name}.key` });

type Tls = NonNullable<NonNullable<InProcessOptions['listener']>['tls']>;

const withTls = (tls: Tls, use: (gateway: InProcess) => Promise<void>) =>
  withServer(
    async (peer) => {
      for (;;) {
        await peer.read();
        await peer.send(plainResponse());
      }
    },
    (server) => withGateway({ upstream: server.url, files, listener: { tls } }, use),
  );

/** How long a ticket may be on its way. */
const PATIENCE_MS = 30_000;

/** Shakes hands, makes one request and waits for a ticket; what the client saw. */
async function visit(port: number, options: ConnectionOptions) {
  const socket = connect({
    port,
    host: '127.0.0.1',
    ca: authority.certificate,
    checkServerIdentity: () => undefined,
    ...options,
  });
  let session: Buffer | undefined;
  socket.on('session', (ticket) => {
    session = ticket;
  });
  await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')]);
  const reused = socket.isSessionReused();
  const name = String(socket.getPeerCertificate().subject?.CN ?? '');
  socket.write(`GET / HTTP/1.1\r\nHost: ${options.servername ?? '127.0.0.1'}\r\n\r\n`);
  const [answer] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as [Buffer | boolean];
  const version = socket.getProtocol();
  // A ticket that is renewed in a resumed TLS 1.2 handshake makes no event.
  if (version === 'TLSv1.2') session = socket.getSession();
  else if (session === undefined && typeof answer !== 'boolean') {
    const patience = setTimeout(() => socket.destroy(), PATIENCE_MS);
    await Promise.race([once(socket, 'session'), once(socket, 'close')]);
    clearTimeout(patience);
  }
  const status = typeof answer === 'boolean' ? 0 : Number(answer.toString().split(' ')[1]);
  socket.destroy();
  return { reused, name, session, status, version };
}

test('a name that no certificate is for: the alert unrecognized_name, where that is asked for', () =>
  withTls({ certificates: [pairOf('one')], unknownName: 'refuse' }, async (gateway) => {
    for (const version of ['-tls1_2', '-tls1_3']) {
      match(
        await sClient(gateway.port, ['-servername', 'none.example', version]),
        /alert unrecognized name|alert number 112/,
      );
      match(await sClient(gateway.port, ['-noservername', version]), /alert handshake failure|alert number 40/);
      match(await sClient(gateway.port, ['-servername', 'a.one.example', version]), /subject=CN = one/);
    }
    equal(gateway.faults('tls_unknown_name'), 4);
    await gateway.unharmed();
  }));

test('two kinds of key for one name: each client gets what it understands', () =>
  withTls({ certificates: [pairOf('one'), pairOf('rsa')] }, async (gateway) => {
    const show = (...args: string[]) => sClient(gateway.port, ['-servername', 'one.example', '-tls1_2', ...args]);
    match(await show('-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256'), /subject=CN = one\n/);
    match(await show('-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'), /subject=CN = one-rsa\n/);
    match(
      await sClient(gateway.port, ['-noservername', '-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256']),
      /subject=CN = one-rsa\n/,
    );
    const only = ['-servername', 'a.one.example', '-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'];
    match(
      await sClient(gateway.port, only),
      /alert handshake failure|alert number 40/,
      'the RSA one is not for this name',
    );
  }));

test('policies: what is old is refused', () =>
  withTls({ certificates: [pairOf('one')], policy: 'modern' }, async (gateway) => {
    match(await sClient(gateway.port, ['-tls1_2']), /alert protocol version|alert number 70/);
    match(await sClient(gateway.port, ['-tls1_3']), /TLSv1\.3/);
  }));

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`sessions are resumed with any key that is still in force, at another name's context too (${maxVersion})`, () =>
    withTls({ certificates: [pairOf('one'), pairOf('two')] }, async (gateway) => {
      const keys = [0, 1, 2].map(() => randomBytes(48));
      const { tls } = gateway.worker;
      tls.take({ tickets: keys.slice(0, 1) });
      const options = { servername: 'two.example', maxVersion };
      const first = await visit(gateway.port, options);
      deepEqual([first.reused, first.name, first.status, first.version], [false, 'two', 200, maxVersion]);
      tls.take({ tickets: [keys[1], keys[0]] as Buffer[] });
      const second = await visit(gateway.port, { ...options, session: first.session });
      deepEqual([second.reused, second.status], [true, 200]);
      tls.take({ tickets: [keys[2], keys[1]] as Buffer[] });
      const third = await visit(gateway.port, { ...options, session: second.session });
      equal(third.reused, true, 'the ticket was renewed when it was used');
      tls.take({ tickets: [randomBytes(48)] });
      const fourth = await visit(gateway.port, { ...options, session: third.session });
      equal(fourth.reused, false);
    }));
}

test('no tickets where their lifetime is 0', () =>
  withTls({ certificates: [pairOf('one')], sessionTickets: { lifetime: '0' } }, async (gateway) => {
    match(await sClient(gateway.port, ['-tls1_2', '-reconnect']), /Reused?|New/);
    const again = await sClient(gateway.port, ['-tls1_2', '-reconnect']);
    ok(!again.includes('Reused, '), again);
  }));

const shows = (pair: Certificate) => ({ cert: pair.certificate, key: pair.key, servername: 'one.example' });

async function statusOf(port: number, pair: Certificate | undefined, more: ConnectionOptions = {}): Promise<number> {
  try {
    return (await visit(port, { servername: 'one.example', ...(pair && shows(pair)), ...more })).status;
  } catch {
    return 0;
  }
}

const fingerprint = async (pair: Certificate) => {
  const { X509Certificate } = await import('node:crypto');
  return new X509Certificate(pair.certificate).fingerprint256;
};

test('certificates of clients: required, of the right authority, by name, by fingerprint', async (t: TestContext) => {
  const certificates = [pairOf('one')];
  const cases: [string, NonNullable<Tls['clientCertificates']>, [Certificate | undefined, number][]][] = [
    [
      'required',
      { ca: 'ca' },
      [
        [undefined, 0],
        [client, 200],
        [other, 200],
        [stranger, 0],
        [old, 0],
      ],
    ],
    [
      'requested',
      { ca: 'ca', mode: 'request' },
      [
        [undefined, 200],
        [client, 200],
        [stranger, 0],
      ],
    ],
    [
      'by name',
      { ca: 'ca', allow: [{ name: 'DNS:agent.*' }] },
      [
        [client, 200],
        [other, 0],
        [stranger, 0],
      ],
    ],
    [
      'by subject',
      { ca: 'ca', allow: [{ subject: 'CN=other' }] },
      [
        [client, 0],
        [other, 200],
      ],
    ],
    [
      'by fingerprint alone',
      { allow: [{ fingerprint: await fingerprint(stranger) }] },
      [
        [stranger, 200],
        [client, 0],
        [undefined, 0],
      ],
    ],
  ];
  for (const [title, clientCertificates, visits] of cases) {
    await t.test(title, () =>
      withTls({ certificates, clientCertificates }, async (gateway) => {
        for (const [pair, status] of visits) {
          for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
            equal(await statusOf(gateway.port, pair, { maxVersion }), status, `${pair?.name} ${maxVersion}`);
          }
        }
        await gateway.unharmed();
      }),
    );
  }
});

test('the certificate of a client stands in the exchange, in a resumed session too', () =>
  withTls({ certificates: [pairOf('one')], clientCertificates: { ca: 'ca' } }, async (gateway) => {
    const seen: unknown[] = [];
    gateway.worker.events.on('requestEnded', ({ inbound }) => seen.push(inbound.tls));
    const first = await visit(gateway.port, shows(client));
    const second = await visit(gateway.port, { ...shows(client), session: first.session });
    deepEqual([first.reused, second.reused], [false, true]);
    await gateway.until('both have ended', () => seen.length === 2);
    for (const facts of seen as {
      serverName: string;
      version: string;
      certificate: { subject: string; names: string[] };
    }[]) {
      equal(facts.serverName, 'one.example');
      equal(facts.version, 'TLSv1.3');
      equal(facts.certificate.subject, 'CN=agent');
      deepEqual(facts.certificate.names, ['DNS:agent.example']);
    }
  }));

test('rows 19 and 30: certificates come, change and go under open connections; 421 for what one does not cover', () =>
  withTls({ certificates: [pairOf('one')] }, async (gateway) => {
    const { tls } = gateway.worker;
    const shop = made('shop-1', ['shop.example']);
    tls.take({
      domains: [
        { id: 'a', listener: '', pair: shop },
        { id: 'b', listener: 'elsewhere', pair: two },
      ],
    });
    const get = (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    const open = await rawClient(gateway.port, { ca: authority.certificate, servername: 'shop.example' });
    const ask = async (host: string) => {
      await open.send(get(host));
      return (await open.read()).status;
    };
    equal(await ask('shop.example'), 200);
    equal(await ask('SHOP.example:443'), 200);
    equal(await ask('one.example'), 421);
    tls.take({ domains: [{ id: 'a', listener: '', pair: made('shop-2', ['shop.example', 'also.example']) }] });
    equal((await visit(gateway.port, { servername: 'shop.example' })).name, 'shop-2');
    equal((await visit(gateway.port, { servername: 'two.example' })).name, 'one', 'a certificate of another listener');
    equal(await ask('shop.example'), 200, 'the old connection lives');
    tls.take({ domains: [{ id: 'a', listener: '', pair: undefined }] });
    equal((await visit(gateway.port, { servername: 'shop.example' })).name, 'one');
    equal(await ask('shop.example'), 200);
    open.close();
    const wide = (await rawClient(gateway.port, { ca: authority.certificate, servername: 'a.one.example' })) as Awaited<
      ReturnType<typeof rawClient>
    > & { socket: TLSSocket };
    for (const [host, status] of [
      ['a.one.example', 200],
      ['b.one.example', 200],
      ['one.example', 200],
      ['a.b.one.example', 421],
      ['127.0.0.1', 421],
    ] as const) {
      await wide.send(get(host));
      equal((await wide.read()).status, status, host);
    }
    wide.close();
    await gateway.unharmed();
  }));
