/** Certificates from a real authority (pebble): both challenges, through two workers, kept, bound to an account, refused. */
import { equal, match, ok } from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { startGateway } from '../gateway.ts';
import { freePort } from '../port.ts';
import { startPebble } from './pebble.ts';

/** Name and issuer of the certificate that a server name is shown; undefined when the handshake fails. */
function shown(
  port: number,
  servername: string,
): Promise<{ names: string; issuer: string; serial: string } | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false }, () => {
      const { subjectaltname = '', issuer, serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      resolve({ names: subjectaltname, issuer: String(issuer.CN), serial: serialNumber });
    });
    socket.on('error', () => resolve(undefined));
  });
}

/** Longer than an attempt and, where a busy machine has spoiled the first one, the minute until the next. */
const PATIENCE_MS = 130_000;

async function until<T>(what: string, look: () => Promise<T | undefined>, logs: () => string): Promise<T> {
  for (const since = performance.now(); ; ) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() - since > PATIENCE_MS) throw new Error(`${what} has not come:\n${logs()}`);
    await new Promise((done) => setTimeout(done, 200));
  }
}

const upstreams = { main: { endpoints: [{ url: 'http://127.0.0.1:9' }] } };
const routes = [{ name: 'all', match: { path: '/never' }, upstream: 'main' }];

test('tls-alpn-01: issued at the first start, taken from the disk at the second', { timeout: 180_000 }, async (t) => {
  const [tlsPort, httpPort] = await Promise.all([freePort(), freePort()]);
  const pebble = await startPebble({ tlsPort, httpPort, badNonces: 20 });
  t.after(() => pebble.stop());
  const folder = join(pebble.folder, 'acme');
  const acme = {
    domains: ['a.example.com', 'b.example.com'],
    directory: pebble.directory,
    ca: pebble.ca,
    agreeToTerms: true,
    folder,
  };
  const settings = {
    workers: 2,
    listeners: { public: { address: `127.0.0.1:${tlsPort}`, tls: { acme } } },
    upstreams,
    routes,
  };
  const first = await startGateway(settings);
  const serials: string[] = [];
  try {
    for (const name of acme.domains) {
      const certificate = await until(
        name,
        () => shown(tlsPort, name),
        () => first.logs + pebble.logs,
      );
      equal(certificate.names, `DNS:${name}`);
      match(certificate.issuer, /Pebble/);
      serials.push(certificate.serial);
    }
    equal(await shown(tlsPort, 'other.example.com'), undefined);
    await first.metricReaches('gatehouse_certificate_issuances_total{result="issued"}', 2);
    ok(
      (await first.metric(
        'gatehouse_certificate_expiry_timestamp_seconds{source="acme",certificate="a.example.com"}',
      )) > 1e9,
    );
  } finally {
    await first.stop();
  }
  const [authority = ''] = readdirSync(folder);
  for (const file of readdirSync(join(folder, authority))) {
    equal(statSync(join(folder, authority, file)).mode & 0o777, 0o600, file);
  }
  const second = await startGateway(settings);
  try {
    for (const [i, name] of acme.domains.entries())
      equal((await shown(tlsPort, name))?.serial, serials[i], 'the kept one');
  } finally {
    await second.stop();
  }
});

test('http-01 by a plain listener, with an account bound to one outside', { timeout: 180_000 }, async (t) => {
  const [tlsPort, httpPort] = await Promise.all([freePort(), freePort()]);
  const key = Buffer.from('a key of an account that exists!').toString('base64url');
  const pebble = await startPebble({ tlsPort, httpPort, external: { 'kid-1': key } });
  t.after(() => pebble.stop());
  const acme = {
    domains: ['c.example.com'],
    directory: pebble.directory,
    ca: pebble.ca,
    agreeToTerms: true,
    challenge: 'http-01',
    keyType: 'rsa',
    email: 'me@example.com',
    externalAccount: { keyId: 'kid-1', key },
    folder: join(pebble.folder, 'acme'),
  };
  const gateway = await startGateway({
    workers: 2,
    listeners: {
      public: { address: `127.0.0.1:${tlsPort}`, tls: { acme } },
      plain: { address: `127.0.0.1:${httpPort}` },
    },
    upstreams,
    routes,
  });
  try {
    const certificate = await until(
      'c',
      () => shown(tlsPort, 'c.example.com'),
      () => gateway.logs + pebble.logs,
    );
    equal(certificate.names, 'DNS:c.example.com');
    const stranger = await fetch(`http://127.0.0.1:${httpPort}/.well-known/acme-challenge/none`);
    equal(stranger.status, 404);
    await stranger.arrayBuffer();
  } finally {
    await gateway.stop();
  }
});

test('what the authority refuses is told, with when it is tried again', { timeout: 180_000 }, async (t) => {
  const [tlsPort, httpPort] = await Promise.all([freePort(), freePort()]);
  // Nobody listens where the authority looks.
  const pebble = await startPebble({ tlsPort: await freePort(), httpPort });
  t.after(() => pebble.stop());
  const acme = {
    domains: ['d.example.com'],
    directory: pebble.directory,
    ca: pebble.ca,
    agreeToTerms: true,
    folder: join(pebble.folder, 'acme'),
  };
  const gateway = await startGateway({
    listeners: { public: { address: `127.0.0.1:${tlsPort}`, tls: { acme } } },
    upstreams,
    routes,
  });
  try {
    const [said] = await gateway.waitFor(/no certificate for d\.example\.com: .*/);
    match(said, /d\.example\.com: .*(connect|refused|dial).*; next attempt in [12] min/i);
    await gateway.metricReaches('gatehouse_certificate_issuances_total{result="failed"}', 1);
  } finally {
    await gateway.stop();
  }
});
