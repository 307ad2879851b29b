/** What is said of a certificate without a handshake, beside what OpenSSL says of it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { describe, test } from 'node:test';
import { makeCertificate } from '../../test/certificate.ts';
import { needs } from '../../test/peers.ts';
import { Authority } from '../../test/tls/authority.ts';
import { listedAs, readRevocationLists } from './crl.ts';
import { Authorities } from './path.ts';

const NOW = Date.now();
const DAY = 86_400_000;

const root = makeCertificate({ name: 'Root', authority: true });
const middle = makeCertificate({ name: 'Middle', authority: true, issuer: root });
const old = makeCertificate({ name: 'Old', authority: true, from: NOW - 2 * DAY, to: NOW - DAY });
const namesake = makeCertificate({ name: 'Root', authority: true });
const alone = makeCertificate({ name: 'alone' });
const LOCALLY = 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY';

const cases: [what: string, shown: string, ca: string, trouble: string][] = [
  ['of an authority', makeCertificate({ name: 'a', issuer: root }).certificate, root.certificate, ''],
  [
    'of one among others',
    makeCertificate({ name: 'a', issuer: root }).certificate,
    `${old.certificate}${root.certificate}`,
    '',
  ],
  [
    'of one below another, both trusted',
    makeCertificate({ name: 'a', issuer: middle }).certificate,
    `${middle.certificate}${root.certificate}`,
    '',
  ],
  [
    'of one below another that did not come along',
    makeCertificate({ name: 'a', issuer: middle }).certificate,
    root.certificate,
    LOCALLY,
  ],
  [
    'of one whose own authority is not trusted',
    makeCertificate({ name: 'a', issuer: middle }).certificate,
    middle.certificate,
    LOCALLY,
  ],
  [
    'of another that bears the name',
    makeCertificate({ name: 'a', issuer: namesake }).certificate,
    root.certificate,
    LOCALLY,
  ],
  ['of one that has expired', makeCertificate({ name: 'a', issuer: old }).certificate, old.certificate, LOCALLY],
  ['that is trusted itself', alone.certificate, alone.certificate, ''],
  ['of nobody', alone.certificate, root.certificate, LOCALLY],
];
for (const [what, shown, ca, trouble] of cases) {
  test(`a certificate ${what}: ${trouble || 'is vouched for'}`, () => {
    assert.equal(new Authorities(ca, undefined).trouble(new X509Certificate(shown), NOW), trouble);
  });
}

describe('revocation lists', needs({ commands: ['openssl'] }), () => {
  test('name what was revoked, and run out', (t) => {
    const authority = new Authority();
    t.after(() => rmSync(authority.folder, { recursive: true, force: true }));
    const [good, bad] = [authority.issue('good'), authority.issue('bad')];
    const ca = readFileSync(authority.certificate, 'utf8');
    const empty = readFileSync(authority.revocationList(), 'utf8');
    authority.revoke(bad);
    const path = authority.revocationList();
    const list = readFileSync(path, 'utf8');
    const shown = (one: { certificate: string }) => new X509Certificate(readFileSync(one.certificate));
    const due = execFileSync('openssl', ['crl', '-in', path, '-noout', '-nextupdate'], { encoding: 'utf8' });
    const { issuer, serials, nextUpdate } = readRevocationLists(list)[0] ?? assert.fail('none');
    assert.equal(nextUpdate, Date.parse(due.replace('nextUpdate=', '')));
    assert.deepEqual(listedAs(shown(good).raw).issuer, issuer);
    assert.deepEqual([...serials], [shown(bad).serialNumber.toLowerCase()]);
    const trouble = (one: typeof good, crl: string | undefined, at = Date.now()) =>
      new Authorities(ca, crl).trouble(shown(one), at);
    assert.equal(trouble(bad, undefined), '');
    assert.equal(trouble(bad, empty), '');
    assert.equal(trouble(bad, list), 'CERT_REVOKED');
    assert.equal(trouble(bad, `${empty}${list}`), 'CERT_REVOKED');
    assert.equal(trouble(good, list), '');
    assert.equal(trouble(good, list, nextUpdate), 'CRL_HAS_EXPIRED');
    assert.equal(trouble(good, ''), 'UNABLE_TO_GET_CRL');
  });

  test('that are none are refused', () => {
    const wrap = (content: string) => `-----BEGIN X509 CRL-----\n${content}\n-----END X509 CRL-----\n`;
    for (const content of ['', 'AAAA', 'MIIB', Buffer.of(0x30, 0x02, 0x30, 0x00).toString('base64')])
      assert.throws(() => readRevocationLists(wrap(content || '=')), /DER/);
  });
});
