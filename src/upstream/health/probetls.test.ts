import assert from 'node:assert/strict';
import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { makeCertificate } from '../../../test/certificate.ts';
import { systemClock } from '../../kernel/clock.ts';
import { type ProbeResult, type ProbeTarget, probe } from './probe.ts';

const authority = makeCertificate({ name: 'CA', authority: true });

test('probe: the certificate has to be for the address or name of the server', { timeout: 180_000 }, async (t) => {
  const { certificate: cert, key } = makeCertificate({
    name: 'x',
    hosts: ['127.0.0.1', 'model.example'],
    issuer: authority,
  });
  const server = https.createServer({ cert, key }, (_request, response) => response.end());
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const cases: [string, ProbeTarget['tls'], boolean, RegExp][] = [
    ['an address that it is for', { verify: true, ca: authority.certificate }, true, /^status 200$/],
    ['another name', { verify: true, ca: authority.certificate, serverName: 'other.example' }, false, /altnames/],
    [
      'a name that it is for',
      { verify: true, ca: authority.certificate, serverName: 'model.example' },
      true,
      /^status/,
    ],
    ['an authority nobody knows', { verify: true }, false, /./],
  ];
  for (const [title, tls, good, reason] of cases) {
    const target = {
      url: `https://127.0.0.1:${port}`,
      path: '/',
      host: undefined,
      timeout: 60_000,
      expectStatus: [],
      tls,
    };
    const result = await new Promise<ProbeResult>((done) => probe(target, systemClock, done));
    assert.match(result.reason, reason, title);
    assert.equal(result.good, good, title);
  }
});
