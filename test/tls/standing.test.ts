/** A connection that stays open while the rules for certificates of clients change: its next request is judged by the new ones. */
import { deepEqual, equal, match } from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { listenerConfig } from '../../src/listen/config.ts';
import { type Certificate, makeCertificate } from '../certificate.ts';
import { type InProcess, startInProcess } from '../inprocess.ts';
import { needs } from '../peers.ts';
import { Authority } from './authority.ts';

const authority = makeCertificate({ name: 'Test CA', authority: true });
const elsewhere = makeCertificate({ name: 'Another CA', authority: true });
const middle = makeCertificate({ name: 'Middle CA', authority: true, issuer: authority });
const server = makeCertificate({ name: 'one.example', issuer: authority });
const a = makeCertificate({ name: 'a.example', issuer: authority });
const b = makeCertificate({ name: 'b.example', issuer: authority });
const deep = makeCertificate({ name: 'deep.example', issuer: middle });
const chained = { ...deep, certificate: `${deep.certificate}${middle.certificate}` };

type Pair = Pick<Certificate, 'certificate' | 'key'>;
type Rules = Record<string, unknown> | undefined;

const fingerprint = ({ certificate }: Pair) => new X509Certificate(certificate).fingerprint256;
const files: Record<string, string> = {
  ca: authority.certificate,
  both: `${elsewhere.certificate}${authority.certificate}`,
  other: elsewhere.certificate,
  all: `${middle.certificate}${authority.certificate}`,
  'one.pem': server.certificate,
  'one.key': server.key,
};

/** A gateway whose listener asks for certificates by these rules. */
async function start(t: TestContext, rules: Rules, more: Record<string, string> = {}) {
  const upstream = createServer((_request, response) => response.end('served'));
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  const listenerOf = (clientCertificates: Rules) => ({
    tls: {
      certificates: [{ certificate: 'one.pem', key: 'one.key' }],
      ...(clientCertificates && { clientCertificates }),
    },
  });
  const gateway = await startInProcess({
    upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
    listener: listenerOf(rules) as never,
    files: { ...files, ...more },
  });
  t.after(async () => {
    await gateway.close();
    upstream.close();
  });
  /** Other rules are in force. */
  const change = (next: Rules, changed: Record<string, string> = {}) => {
    const { config, files: texts } = gateway.worker.snapshot.input;
    const before = config.listeners.public;
    const listener = listenerConfig.parse({ address: before?.address, ...listenerOf(next) });
    return gateway.worker.update({
      config: { ...config, listeners: { ...config.listeners, public: listener } },
      files: { ...texts, ...changed },
    });
  };
  return { gateway, change };
}

/** A client with one connection over HTTP/1.1. */
function client(t: TestContext, { port }: InProcess, pair: Pair | undefined) {
  const own = pair && { cert: pair.certificate, key: pair.key };
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false, ...own });
  t.after(() => agent.destroy());
  let last: unknown;
  return async () => {
    const sent = request({ port, host: '127.0.0.1', agent });
    sent.end();
    const [answer] = await once(sent, 'response');
    let text = '';
    for await (const part of answer) text += part;
    const again = last === sent.socket;
    last = sent.socket;
    return { status: answer.statusCode as number, text, again, connection: answer.headers.connection };
  };
}

const cases: [what: string, who: Pair | undefined, before: Rules, after: Rules, fault: string][] = [
  ['is taken out of `allow`', a, { ca: 'ca', allow: both(a, b) }, { ca: 'ca', allow: both(b) }, 'not_allowed'],
  ['stays in `allow`', b, { ca: 'ca', allow: both(a, b) }, { ca: 'ca', allow: both(b) }, ''],
  ['alone vouches for itself no more', a, { allow: both(a, b) }, { allow: both(b) }, 'untrusted'],
  ['alone goes on vouching for itself', b, { allow: both(a, b) }, { allow: both(b) }, ''],
  ['is the only one from now on', a, { ca: 'ca' }, { ca: 'ca', allow: both(a) }, ''],
  ['is not the one that is allowed from now on', a, { ca: 'ca' }, { ca: 'ca', allow: both(b) }, 'not_allowed'],
  ['is of an authority that is not trusted any more', a, { ca: 'ca' }, { ca: 'other' }, 'untrusted'],
  ['is of one of two authorities by now', a, { ca: 'ca' }, { ca: 'both' }, ''],
  ['is of one below an authority', chained, { ca: 'ca' }, { ca: 'all' }, ''],
  ['is asked for from now on', undefined, { ca: 'ca', mode: 'request' }, { ca: 'ca' }, 'missing'],
  ['was not asked for before', undefined, undefined, { ca: 'ca' }, 'missing'],
  ['is asked for, and not needed', undefined, undefined, { ca: 'ca', mode: 'request' }, ''],
  ['is not asked for any more', a, { ca: 'ca' }, undefined, 'untrusted'],
  ['is judged by the same rules', a, { ca: 'ca' }, { ca: 'ca' }, ''],
];

function both(...all: Pair[]) {
  return all.map((one) => ({ fingerprint: fingerprint(one) }));
}

for (const [what, who, before, after, fault] of cases) {
  test(`a connection whose certificate ${what} ${fault === '' ? 'goes on' : 'is refused'}`, async (t) => {
    const { gateway, change } = await start(t, before);
    const ask = client(t, gateway, who);
    deepEqual([(await ask()).status, (await ask()).again], [200, true]);
    await change(after);
    const { status, text, again, connection } = await ask();
    equal(again, true);
    if (fault === '') {
      equal(status, 200);
      equal((await ask()).again, true);
      equal(gateway.notices.length, 0);
      return;
    }
    equal(status, 421);
    equal(connection, 'close');
    match(text, who === undefined ? /a client certificate is asked for here by now/ : /is not accepted here any more/);
    equal(text.includes(fingerprint(b).slice(0, 8)), false, 'rules are told to operators only');
    equal(gateway.faults(`client_certificate_${fault}`), 1);
    match(gateway.notices.join('\n'), /the client 127\.0\.0\.1 was refused for its certificate/);
    await change(before);
    equal((await ask()).status, 200, 'on another connection, when it is accepted again');
  });
}

test('what came along in the handshake vouches for a certificate later as well', async (t) => {
  if (process.version.startsWith('v24.')) return t.skip('this version of Node does not tell what came along');
  const { gateway, change } = await start(t, { ca: 'ca' });
  const ask = client(t, gateway, chained);
  equal((await ask()).status, 200);
  await change({ ca: 'both' });
  const { status, again } = await ask();
  deepEqual([status, again], [200, true]);
});

test('over HTTP/2 what is refused says that the connection is to be left', async (t) => {
  const { gateway, change } = await start(t, { ca: 'ca', allow: both(a, b) });
  const open = async (pair: Pair) => {
    const session = connect(`https://127.0.0.1:${gateway.port}`, {
      rejectUnauthorized: false,
      cert: pair.certificate,
      key: pair.key,
    });
    session.on('error', () => {});
    t.after(() => session.destroy());
    await once(session, 'connect');
    return session;
  };
  const ask = async (session: ClientHttp2Session) => {
    const stream = session.request({ ':path': '/' });
    const [head] = await once(stream, 'response');
    stream.resume();
    await once(stream, 'close');
    return head[':status'] as number;
  };
  const [lost, kept] = [await open(a), await open(b)];
  deepEqual([await ask(lost), await ask(kept)], [200, 200]);
  await change({ ca: 'ca', allow: both(b) });
  const left = once(lost, 'goaway');
  deepEqual([await ask(lost), await ask(kept)], [421, 200]);
  await left;
  equal(gateway.faults('client_certificate_not_allowed'), 1);
});

test('a certificate that is revoked while its connection is open', needs({ commands: ['openssl'] }), async (t) => {
  const real = new Authority();
  t.after(() => real.remove());
  const read = ({ certificate, key }: { certificate: string; key: string }) => ({
    certificate: readFileSync(certificate, 'utf8'),
    key: readFileSync(key, 'utf8'),
  });
  const [bad, good] = [real.issue('bad'), real.issue('good')];
  const rules = { ca: 'real', crl: 'list' };
  const list = () => readFileSync(real.revocationList(), 'utf8');
  const texts = { real: readFileSync(real.certificate, 'utf8'), list: list() };
  const { gateway, change } = await start(t, rules, texts);
  const [lost, kept] = [client(t, gateway, read(bad)), client(t, gateway, read(good))];
  deepEqual([(await lost()).status, (await kept()).status], [200, 200]);
  real.revoke(bad);
  await change(rules, { list: list() });
  const { status, again } = await kept();
  deepEqual([status, again], [200, true], 'a list that is renewed disturbs nobody else');
  equal((await lost()).status, 421);
  match(gateway.notices.join('\n'), /CERT_REVOKED/);
});
