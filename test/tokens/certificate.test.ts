/** Tokens bound to a client certificate (RFC 8705 §3), over TLS from the token request to the model. */
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { type Certificate, makeCertificate } from '../certificate.ts';
import { askAll } from '../workers.ts';
import { exchangeOf, startTokenHouse, type Told } from './service.ts';

interface Answer {
  status: number;
  id: string;
  text: string;
}

const authority = makeCertificate({ name: 'clients', authority: true });
const server = makeCertificate({ name: 'localhost', hosts: ['localhost', '127.0.0.1'] });
const agent = makeCertificate({ name: 'agent', issuer: authority });
const other = makeCertificate({ name: 'other', issuer: authority });

/** Sends a request on a connection of its own, with a certificate or none. */
function send(url: string, certificate: Certificate | undefined, headers: object, form?: object): Promise<Answer> {
  const shown = certificate === undefined ? {} : { cert: certificate.certificate, key: certificate.key };
  const body = form === undefined ? '' : new URLSearchParams({ ...form }).toString();
  const type = form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
  return new Promise((resolve, reject) => {
    const options = {
      ...shown,
      ca: server.certificate,
      agent: false as const,
      method: form === undefined ? 'GET' : 'POST',
      headers: { ...type, ...headers, 'content-length': Buffer.byteLength(body) },
    };
    const sent = request(url, options, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      const id = String(answer.headers['x-request-id'] ?? '');
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, id, text }));
      answer.on('error', reject);
    });
    sent.on('error', reject).end(body);
  });
}

test('a token is good with the certificate that it was asked for with, and with no other', {
  timeout: 180_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bound-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const files = { certificate: join(folder, 'server.pem'), key: join(folder, 'server.key') };
  const ca = join(folder, 'clients.pem');
  writeFileSync(files.certificate, server.certificate);
  writeFileSync(files.key, server.key);
  writeFileSync(ca, authority.certificate);
  const tls = { certificates: [files], clientCertificates: { ca, mode: 'request' } };
  const house = await startTokenHouse(t, {}, { listeners: { secure: { address: '127.0.0.1:0', tls } } });
  const base = house.gateway.urls.secure as string;
  const { key } = await house.key({ principal: 'alice' });
  const tokenBy = async (certificate: Certificate | undefined) => {
    const { status, text } = await send(`${base}/oauth/token`, certificate, {}, exchangeOf(key));
    assert.equal(status, 200, text);
    return JSON.parse(text) as Told;
  };
  const bound = await tokenBy(agent);
  assert.equal(bound.token_type, 'Bearer');
  const { raw } = new X509Certificate(agent.certificate);
  const thumbprint = createHash('sha256').update(raw).digest('base64url');
  assert.deepEqual(decodeJwt(bound.access_token).cnf, { 'x5t#S256': thumbprint });
  const free = await tokenBy(undefined);
  assert.equal(decodeJwt(free.access_token).cnf, undefined);

  /** Statuses that both workers give. */
  const ask = (token: string, certificate: Certificate | undefined) =>
    askAll(() => send(`${base}/v1/models`, certificate, { authorization: `Bearer ${token}` }));
  for (const [what, token, certificate, status] of [
    ['with its certificate', bound.access_token, agent, 200],
    ['with another of the same authority', bound.access_token, other, 401],
    ['without one', bound.access_token, undefined, 401],
    // Known by now, and still bound.
    ['with its certificate once more', bound.access_token, agent, 200],
    ['a token that is bound to nothing, with one', free.access_token, other, 200],
    ['a token that is bound to nothing, without', free.access_token, undefined, 200],
  ] as const) {
    assert.deepEqual(await ask(token, certificate), [status], what);
  }
  assert.deepEqual(await house.ask(bound.access_token), [401], 'without TLS');
});
