/** What is written in DER, held against OpenSSL; folders, renewal, notices, the client's signatures. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey, verify, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeCertificate } from '../../test/certificate.ts';
import { certificateRequest, challengeCertificate, keyText, newKey } from './csr.ts';
import { integer, oid, pem } from './der.ts';
import { checkDomain, domainDocument } from './domain.ts';
import { ExpiryWatch, type InUse, shownExpiries } from './expiry.ts';
import { factsOf } from './facts.ts';
import { CertificateFolder, type FolderChange } from './folder.ts';
import { signedRequest, thumbprint } from './jws.ts';
import { Keep } from './keep.ts';
import { renewAt, waitAfter } from './renewal.ts';

const DAY = 86_400_000;
const openssl = (args: string[], input: string) =>
  execFileSync('openssl', args, { input, encoding: 'utf8', stdio: 'pipe' });

test('a request for a certificate is what OpenSSL reads and verifies', () => {
  const label = fc.stringMatching(/^[a-z0-9]{1,12}$/);
  const name = fc.tuple(label, label, fc.constantFrom('com', 'example')).map((parts) => parts.join('.'));
  const keys = { ecdsa: newKey('ecdsa'), rsa: newKey('rsa') };
  fc.assert(
    fc.property(
      fc.constantFrom('ecdsa' as const, 'rsa' as const),
      fc.uniqueArray(name, { minLength: 1, maxLength: 9 }),
      (type, names) => {
        const text = pem('CERTIFICATE REQUEST', certificateRequest(keys[type], names));
        const said = openssl(['req', '-verify', '-noout', '-text'], text);
        for (const one of names) assert.ok(said.includes(`DNS:${one}`), said);
      },
    ),
    { numRuns: 12 },
  );
});

test('DER integers and identifiers', () => {
  for (const [bytes, hex] of [
    [[0], '020100'],
    [[0, 0, 5], '020105'],
    [[0x80], '02020080'],
    [[0x7f, 0xff], '02027fff'],
    [[], '020100'],
  ] as const) {
    assert.equal(integer(Buffer.from(bytes)).toString('hex'), hex);
  }
  assert.equal(oid('1.2.840.113549.1.9.14').toString('hex'), '06092a864886f70d01090e');
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 200n }), (value) => {
      const digits = value.toString(16);
      const written = integer(Buffer.from(digits.length % 2 ? `0${digits}` : digits, 'hex'));
      assert.equal(BigInt(`0x${written.subarray(2).toString('hex')}`), value);
      assert.ok((written[2] as number) < 0x80);
    }),
  );
});

test('the certificate of a tls-alpn-01 challenge names the domain and carries the digest, critically', () => {
  const { certificate, key } = challengeCertificate('a.example.com', 'token.thumb', Date.now());
  const x509 = new X509Certificate(certificate);
  assert.equal(x509.subjectAltName, 'DNS:a.example.com');
  assert.ok(x509.verify(createPublicKey(key)));
  assert.match(openssl(['x509', '-noout', '-text'], certificate), /1\.3\.6\.1\.5\.5\.7\.1\.31: critical/);
});

test('requests to the authority are signed with the account key', () => {
  const key = newKey('ecdsa');
  const {
    protected: head,
    payload,
    signature,
  } = JSON.parse(signedRequest(key, undefined, 'n', 'https://a/b', { a: 1 }));
  const said = JSON.parse(Buffer.from(head, 'base64url').toString());
  assert.deepEqual([said.alg, said.nonce, said.url, said.jwk.crv], ['ES256', 'n', 'https://a/b', 'P-256']);
  const public_ = { key: createPublicKey(key), dsaEncoding: 'ieee-p1363' as const };
  assert.ok(verify('sha256', Buffer.from(`${head}.${payload}`), public_, Buffer.from(signature, 'base64url')));
  assert.match(thumbprint(key), /^[A-Za-z0-9_-]{43}$/);
});

test('renewal after two thirds of its life, or when the authority says; failures wait longer, within a day', () => {
  const facts = { notBefore: 0, notAfter: 90 * DAY };
  assert.equal(renewAt(facts, undefined, 0) / DAY, 60);
  assert.equal(Math.round(renewAt(facts, undefined, 1) / DAY), 63);
  assert.equal(renewAt(facts, { start: 10, end: 20 }, 0.5), 15);
  assert.equal(waitAfter(1, 0.5), 60_000);
  assert.equal(waitAfter(4, 0.5), 480_000);
  assert.equal(waitAfter(99, 0.5), DAY);
});

test('what runs out is told at 30, 14, 7 and 1 days and at the end, each once', () => {
  const one: InUse = { source: 'config', name: 'a.example', notBefore: 0, notAfter: 365 * DAY, fingerprint: 'f' };
  const short: InUse = {
    source: 'acme',
    name: 'b.example',
    notBefore: 300 * DAY,
    notAfter: 390 * DAY,
    fingerprint: 'g',
  };
  const watch = new ExpiryWatch();
  const told: [number, string][] = [];
  for (let day = 300; day < 370; day++) {
    for (const { message } of watch.due([one, short], day * DAY))
      told.push([day, message.replace(/, on .*|on .*: /, '')]);
  }
  assert.deepEqual(told, [
    [335, 'the certificate for a.example (config) expires in 30 days'],
    [351, 'the certificate for a.example (config) expires in 14 days'],
    [358, 'the certificate for a.example (config) expires in 7 days'],
    [364, 'the certificate for a.example (config) expires in a day'],
    [365, 'the certificate for a.example (config) has expired clients refuse it'],
  ]);
  assert.deepEqual(shownExpiries([short, one, { ...one, notAfter: 400 * DAY }]), [one, short]);
});

test('rows 29 and 30: a folder: what comes, changes and goes; half-written and expired leave the last good one', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-folder-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const now = Date.now();
  const watched = new CertificateFolder(folder, 3);
  const look = async () => {
    const changes: string[] = [];
    const problems: string[] = [];
    const changed = ({ name, found }: FolderChange) => changes.push(`${name} ${found ? found.facts.names[0] : 'gone'}`);
    await watched.look(now, changed, (text) => problems.push(text.replace(`${folder}/`, '')));
    return [changes.sort(), problems];
  };
  const put = (name: string, pair: { certificate: string; key: string }) => {
    writeFileSync(join(folder, `${name}.pem`), pair.certificate);
    writeFileSync(join(folder, `${name}.key`), pair.key);
  };
  const first = makeCertificate({ name: 'a.example' });
  put('a', first);
  mkdirSync(join(folder, 'b'));
  const second = makeCertificate({ name: 'b.example' });
  writeFileSync(join(folder, 'b', 'fullchain.pem'), second.certificate);
  writeFileSync(join(folder, 'b', 'privkey.pem'), second.key);
  assert.deepEqual(await look(), [['a a.example', 'b b.example'], []]);
  assert.deepEqual(await look(), [[], []]);
  const next = makeCertificate({ name: 'a2.example' });
  writeFileSync(join(folder, 'a.pem'), next.certificate.slice(0, 200));
  assert.deepEqual(await look(), [[], []], 'it may be being written');
  const cut = 'a.pem: the certificate cannot be read; is it cut short or damaged?; the one before stays in force';
  assert.deepEqual(await look(), [[], [cut]]);
  assert.deepEqual(await look(), [[], []], 'said once');
  put('a', next);
  assert.deepEqual(await look(), [['a a2.example'], []]);
  put('a', makeCertificate({ name: 'a.example', from: now - 9 * DAY, to: now - DAY }));
  await look();
  const day = new Date(now - DAY).toISOString().slice(0, 10);
  assert.deepEqual(await look(), [[], [`a.pem: the certificate expired on ${day}; the one before stays in force`]]);
  put('a', { certificate: first.certificate, key: next.key });
  await look();
  assert.match(String((await look())[1]), /the key does not belong to the certificate/);
  rmSync(join(folder, 'a.key'));
  assert.deepEqual(await look(), [['a gone'], []]);
  for (const name of ['x', 'y', 'z']) put(name, makeCertificate({ name: `${name}.example` }));
  assert.match(String((await look())[1]), /more than 3 certificates/);
});

test('what is kept may be read by its user alone', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-keep-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const keep = new Keep(join(folder, 'acme'));
  assert.equal(keep.read('a'), undefined);
  keep.write('a', 'one');
  keep.write('a', 'two');
  assert.equal(keep.read('a'), 'two');
  assert.equal(statSync(join(folder, 'acme', 'a')).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, 'acme')).mode & 0o777, 0o700);
});

test('documents of domains', () => {
  const made = makeCertificate({ name: 'shop.example', hosts: ['shop.example', '*.shop.example'] });
  const document = domainDocument.parse({ tenant: 't', certificate: made.certificate, key: made.key });
  assert.deepEqual(checkDomain('shop.example', document, Date.now())?.names, factsOf(made.certificate).names);
  assert.ok(checkDomain('a.shop.example', document, Date.now()));
  assert.throws(
    () => checkDomain('other.example', document, Date.now()),
    /is for shop\.example, \*\.shop\.example, not for/,
  );
  assert.throws(() => checkDomain('Bad_Name', document, Date.now()), /expected a host name/);
  assert.equal(checkDomain('shop.example', domainDocument.parse({ acme: true }), Date.now()), undefined);
  assert.throws(
    () => checkDomain('*.shop.example', domainDocument.parse({ acme: true }), Date.now()),
    /bring one along/,
  );
  for (const wrong of [
    {},
    { acme: true, certificate: 'a', key: 'b' },
    { certificate: 'a' },
    { key: keyText(newKey('ecdsa')) },
  ]) {
    assert.ok(!domainDocument.safeParse(wrong).success);
  }
});
