/** Clients that are refused for their certificate: told in the log with the reason, and not without end. */
import { deepEqual, equal, match } from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { ManualClock } from '../../src/kernel/clock.ts';
import type { NoticeEvent } from '../../src/kernel/event.ts';
import { type Certificate, makeCertificate } from '../certificate.ts';
import { withGateway } from '../inprocess.ts';

const authority = makeCertificate({ name: 'Test CA', authority: true });
const made = (name: string, more: object = {}) =>
  makeCertificate({ name, hosts: [`${name}.example`], issuer: authority, ...more });
const server = made('one');
const agent = made('agent');
const late = made('late', { to: Date.now() - 1000 });
const stranger = makeCertificate({ name: 'agent', hosts: ['agent.example'] });
const files = { ca: authority.certificate, 'one.pem': server.certificate, 'one.key': server.key };
const certificates = [{ certificate: 'one.pem', key: 'one.key' }];

/** Shakes hands and waits until it is cut. */
async function refused(port: number, pair: Certificate | undefined): Promise<void> {
  const own = pair && { cert: pair.certificate, key: pair.key };
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'one.example', ...own });
  socket.on('error', () => {});
  socket.resume();
  await once(socket, 'close');
}

test('who is refused for a certificate is told, with what was shown and which rules were not met', () => {
  const allow = [{ name: 'URI:spiffe://x/*' }, { subject: 'CN=boss' }, { fingerprint: 'a'.repeat(64) }];
  const tls = { certificates, clientCertificates: { ca: 'ca', allow } };
  const clock = new ManualClock(Date.now());
  return withGateway({ upstream: 'http://127.0.0.1:9', files, listener: { tls }, clock }, async (gateway) => {
    const told: NoticeEvent[] = [];
    gateway.worker.events.on('notice', (notice) => told.push(notice));
    for (const pair of [agent, stranger, late, undefined]) await refused(gateway.port, pair);
    await gateway.until('all are told', () => told.length === 4);
    const [ruled, foreign, expired, none] = told as NoticeEvent[];
    match(ruled?.message ?? '', /^listener public: the client 127\.0\.0\.1 was refused for its certificate: no rule /);
    match(ruled?.message ?? '', /allow\[0\]: no name of it is URI:spiffe:.*allow\[1\]: its subject is not CN=boss;/);
    match(ruled?.message ?? '', /allow\[2\]: its fingerprint is not a{16}…/);
    deepEqual(ruled?.attributes, {
      subject: 'CN=agent',
      issuer: 'CN=Test CA',
      names: 'DNS:agent.example',
      fingerprint: new X509Certificate(agent.certificate).fingerprint256.replaceAll(':', '').toLowerCase(),
    });
    match(foreign?.message ?? '', /certificate: (DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_\w+)$/);
    match(expired?.message ?? '', /certificate: CERT_HAS_EXPIRED$/);
    equal(expired?.attributes?.subject, 'CN=late');
    match(none?.message ?? '', /certificate: it showed no certificate$/);
    deepEqual(none?.attributes, {});

    for (let i = 0; i < 10; i++) await refused(gateway.port, stranger);
    await gateway.until('all are counted', () => gateway.faults('client_certificate_untrusted') === 12);
    equal(told.length, 10, 'ten a minute');
    await gateway.advance(60_000);
    await refused(gateway.port, stranger);
    await gateway.until('one more is told', () => told.length === 11);
    equal(told[10]?.attributes?.untold, 4);
    await gateway.unharmed();
  });
});
