import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { makeCertificate } from '../../test/certificate.ts';
import { certificateChooser, secureDoor } from './tls.ts';

const certify = (...hosts: string[]) => new X509Certificate(makeCertificate({ name: 'x', hosts }).certificate);

test('the certificate is chosen by server name: exact, wildcard, first', () => {
  const choose = certificateChooser([
    certify('fallback.test'),
    certify('*.example.com', 'example.net'),
    certify('api.example.com', 'second.example.com'),
    certify('second.example.com'),
  ]);
  const cases: [string, number][] = [
    ['fallback.test', 0],
    ['example.net', 1],
    ['www.example.com', 1],
    ['api.example.com', 2], // exact, though the wildcard comes first
    ['API.Example.COM', 2],
    ['api.example.com.', 2],
    ['second.example.com', 2], // the first of two
    ['a.b.example.com', 0], // a wildcard stands for one label
    ['example.com', 0],
    ['other.test', 0],
    ['', 0],
  ];
  for (const round of ['first', 'remembered']) {
    for (const [name, expected] of cases) assert.equal(choose(name), expected, `${name} (${round})`);
  }
});

test('a certificate that cannot be used is refused when the door is made', () => {
  const one = makeCertificate({ name: 'one' });
  const other = makeCertificate({ name: 'other' });
  const files: Record<string, string> = { cert: one.certificate, key: one.key, other: other.key, junk: 'junk' };
  const read = (path: string) => files[path] ?? assert.fail(path);
  const door = (certificate: string, key: string) =>
    secureDoor(
      { certificates: [{ certificate, key }], minVersion: 'TLSv1.3' },
      1000,
      read,
      [],
      new Set(),
      () => {},
      () => {},
    );
  assert.ok(door('cert', 'key'));
  assert.throws(() => door('cert', 'other'), /key values mismatch/);
  assert.throws(() => door('junk', 'key'));
});
