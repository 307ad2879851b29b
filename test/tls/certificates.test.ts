/** Certificates at the running program with real clients: curl's own, a revoked one, a staple from a file. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { mintKey } from '../../src/policy/access/key.ts';
import { type Gateway, startGateway } from '../gateway.ts';
import { needCommand, needs } from '../peers.ts';
import { Authority, type Issued } from './authority.ts';
import { sClient } from './openssl.ts';

describe('certificates with curl and openssl', needs({ commands: ['curl', 'openssl'] }), () => {
  const upstream = createServer((request, response) => response.end(`came to ${request.url}`));
  let authority: Authority;
  let server: Issued;
  let batch: Issued;
  let clerk: Issued;
  let guest: Issued;
  let gateway: Gateway;

  before(async () => {
    authority = new Authority();
    server = authority.issue('gate.example');
    batch = authority.issue('batch', ['batch.internal']);
    clerk = authority.issue('clerk');
    guest = authority.issue('guest', ['guest.internal']);
    await once(upstream.listen(0, '127.0.0.1'), 'listening');
    const tls = {
      certificates: [{ ...server, ocsp: authority.ocsp(server) }],
      clientCertificates: { mode: 'request', ca: authority.certificate, crl: authority.revocationList() },
    };
    const anyOf = ['certificate'];
    const either = ['certificate', 'apiKey'];
    gateway = await startGateway(
      {
        listeners: { public: { address: '127.0.0.1:0', tls } },
        access: {
          certificates: [
            { name: 'batch', san: 'DNS:batch.internal', scopes: ['inference'] },
            { name: 'clerk', subject: 'O=Ex\\, Inc,CN=clerk', issuer: 'CN=Test CA', scopes: ['inference'] },
          ],
          keys: [{ name: 'alice', key: `\${ALICE_KEY}` }],
        },
        upstreams: { main: { endpoints: [{ url: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` }] } },
        routes: [
          { name: 'known', match: { path: '/known' }, upstream: 'main', access: { anyOf, scopes: ['inference'] } },
          { name: 'chief', match: { path: '/chief' }, upstream: 'main', access: { anyOf, scopes: ['chief'] } },
          { name: 'either', match: { path: '/either' }, upstream: 'main', access: { anyOf: either } },
          { name: 'open', match: { path: '/*' }, upstream: 'main' },
        ],
      },
      { env: { ALICE_KEY: mintKey('live') } },
    );
  });
  after(async () => {
    await gateway?.stop();
    upstream.close();
    authority?.remove();
  });

  /** Status that curl gets with this certificate; 0 when it gets none. */
  const statusOf = (path: string, shown?: Issued, version = '1.3'): Promise<number> => {
    const own = shown === undefined ? [] : ['--cert', shown.certificate, '--key', shown.key];
    const versions = ['--tlsv1.2', '--tls-max', version];
    const where = ['--cacert', authority.certificate, '--resolve', `gate.example:${gateway.port}:127.0.0.1`];
    const show = ['-sS', '-m', '60', '-o', '/dev/null', '-w', '%{http_code}'];
    const args = [...show, ...where, ...versions, ...own, `https://gate.example:${gateway.port}${path}`];
    return new Promise((resolve) => {
      execFile(needCommand('curl'), args, (_error, stdout) => resolve(Number(stdout)));
    });
  };

  const visits: [string, () => Issued | undefined, string, number][] = [
    ['one that stands for somebody', () => batch, '/known', 200],
    ['one that stands for somebody by its subject', () => clerk, '/known', 200],
    ['one that stands for somebody without the scope', () => batch, '/chief', 403],
    ['one that stands for nobody', () => guest, '/known', 403],
    ['one that stands for nobody, where a key would do', () => guest, '/either', 401],
    ['one, where a key would do as well', () => batch, '/either', 200],
    ['none, and no key', () => undefined, '/either', 401],
    // A 401 would have to name a challenge (RFC 9110 §15.5.2), and there is none for certificates.
    ['none where only that counts', () => undefined, '/known', 403],
    ['none where nobody asks', () => undefined, '/any', 200],
  ];
  for (const [title, shown, path, status] of visits) {
    test(`curl shows ${title}: ${status}`, async () => {
      for (const version of ['1.2', '1.3']) assert.equal(await statusOf(path, shown(), version), status, version);
    });
  }

  test('an OCSP response is stapled as the file has it', async () => {
    for (const version of ['-tls1_2', '-tls1_3']) {
      const said = await sClient(gateway.port, ['-status', '-servername', 'gate.example', version]);
      assert.match(said, /OCSP Response Status: successful/, version);
      assert.match(said, /Cert Status: good/, version);
    }
    assert.match(await sClient(gateway.port, ['-servername', 'gate.example']), /^(?!.*OCSP Response Status)/s);
  });

  test('a certificate that is revoked is refused once the list says so, another passes', async () => {
    // Who would notice by himself that the list is another one is held until it has been asked.
    gateway.child.kill('SIGSTOP');
    authority.revoke(batch);
    authority.revocationList();
    assert.equal(await statusOf('/known', batch), 200, 'the list has not been read yet');
    gateway.child.kill('SIGHUP');
    gateway.child.kill('SIGCONT');
    await gateway.waitFor(/configuration 2 is in force/);
    const fault = 'gatehouse_faults_total{kind="client_certificate_untrusted"}';
    const counted = await gateway.metric(fault);
    for (const version of ['1.2', '1.3']) {
      assert.equal(await statusOf('/any', batch, version), 0, version);
      assert.equal(await statusOf('/any', guest, version), 200, version);
    }
    await gateway.metricReaches(fault, counted + 2);
  });
});
