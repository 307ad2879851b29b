import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { makeCertificate } from '../../test/certificate.ts';
import { type Loaded, loadConfig, type NotLoaded } from './config.ts';
import { formatProblem } from './problem.ts';

const NOW = Date.UTC(2030, 0, 15);
const DAY = 86_400_000;
const from = NOW - 30 * DAY;
const ca = makeCertificate({ name: 'Test CA', authority: true, from, to: NOW + 1000 * DAY });
const good = makeCertificate({ name: 'a.example', issuer: ca, from, to: NOW + 300 * DAY });
const other = makeCertificate({ name: 'b.example', from, to: NOW + 300 * DAY });
const expired = makeCertificate({ name: 'old.example', from, to: NOW - DAY });
const early = makeCertificate({ name: 'new.example', from: NOW + DAY, to: NOW + 300 * DAY });
const soon = makeCertificate({ name: 'soon.example', from, to: NOW + 5 * DAY });
const locked = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
}).privateKey;

const DISK: Record<string, string> = {
  '/etc/gh/good.pem': good.certificate + ca.certificate,
  '/etc/gh/good.key': good.key,
  '/etc/gh/other.key': other.key,
  '/etc/gh/expired.pem': expired.certificate,
  '/etc/gh/expired.key': expired.key,
  '/etc/gh/early.pem': early.certificate,
  '/etc/gh/early.key': early.key,
  '/etc/gh/soon.pem': soon.certificate,
  '/etc/gh/soon.key': soon.key,
  '/etc/gh/old-chain.pem': good.certificate + expired.certificate,
  '/etc/gh/locked.key': locked,
  '/etc/gh/cut.pem': good.certificate.replace(/\n.*\n-----END/, '\n-----END'),
  '/etc/gh/half.pem': good.certificate.slice(0, 200),
  '/etc/gh/half-chain.pem': good.certificate + ca.certificate.slice(0, 200),
  '/etc/gh/text': 'hello',
  '/etc/gh/empty': '',
  '/etc/gh/ca.pem': ca.certificate,
};

function load(text: string, env: Record<string, string> = {}): Loaded | NotLoaded {
  const readFile = (path: string) => {
    const held = path === '/etc/gh/g.yaml' ? text : DISK[path];
    if (held === undefined) throw Object.assign(new Error('none'), { code: 'ENOENT' });
    return Buffer.from(held);
  };
  return loadConfig('g.yaml', { cwd: '/etc/gh', env, readFile, now: NOW });
}

const door = (certificate: string, key: string) => `listeners:
  p: { address: ":443", tls: { certificates: [ {
    certificate: "${certificate}",
    key: "${key}" } ] } }
upstreams: { a: { endpoints: [ { url: "http://b" } ] } }
routes: [ { name: r, upstream: a } ]
`;

const CASES: [certificate: string, key: string, told: string[]][] = [
  ['good.pem', 'good.key', []],
  [
    'good.pem',
    'other.key',
    [
      "4:10: key: the key does not belong to the certificate (DNS:a.example); use the key it was made with, and put the server's own certificate first",
    ],
  ],
  [
    'expired.pem',
    'expired.key',
    ['3:18: certificate: the certificate (DNS:old.example) expired on 2030-01-14; renew it'],
  ],
  [
    'early.pem',
    'early.key',
    ['3:18: certificate: the certificate (DNS:new.example) is valid only from 2030-01-16; check it and the clock'],
  ],
  [
    'soon.pem',
    'soon.key',
    ['3:18: certificate: the certificate (DNS:soon.example) expires on 2030-01-20, in 5 days; renew it'],
  ],
  [
    'old-chain.pem',
    'good.key',
    [
      '3:18: certificate: certificate 2 of the chain (DNS:old.example) expired on 2030-01-14; renew it',
      '3:18: certificate: certificate 2 of the chain (DNS:old.example) did not issue the one before it (DNS:a.example); put each certificate before its issuer',
    ],
  ],
  [
    'good.key',
    'good.pem',
    [
      '3:18: certificate: no certificate in it (it holds a PRIVATE KEY); expected PEM: -----BEGIN CERTIFICATE-----',
      '4:10: key: no private key in it (it holds a CERTIFICATE); expected PEM: -----BEGIN PRIVATE KEY-----',
    ],
  ],
  [
    'good.pem',
    'locked.key',
    ['4:10: key: the private key is encrypted; decrypt it with: openssl pkey -in FILE -out NEWFILE'],
  ],
  [
    'cut.pem',
    'good.key',
    ['3:18: certificate: certificate 1 of 1 in it cannot be read; is the file cut short or damaged?'],
  ],
  [
    'half.pem',
    'good.key',
    [
      '3:18: certificate: no certificate in it (its CERTIFICATE has no end; is the file cut short?); expected PEM: -----BEGIN CERTIFICATE-----',
    ],
  ],
  ['half-chain.pem', 'good.key', ['3:18: certificate: certificate 2 in it has no end; is the file cut short?']],
  [
    'text',
    'empty',
    [
      '3:18: certificate: no certificate in it (it is not PEM text); expected PEM: -----BEGIN CERTIFICATE-----',
      '4:10: key: no private key in it (it is empty); expected PEM: -----BEGIN PRIVATE KEY-----',
    ],
  ],
  [
    'none.pem',
    'good.key',
    ['3:18: certificate: cannot use PEM file /etc/gh/none.pem: it does not exist; check the path'],
  ],
];

for (const [certificate, key, told] of CASES) {
  test(`${certificate} with ${key}`, () => {
    const result = load(door(certificate, key));
    const warnings = certificate === 'soon.pem' || certificate === 'old-chain.pem';
    assert.equal(result.ok, told.length === 0 || warnings);
    const list = result.ok ? result.warnings : result.problems;
    assert.deepEqual(
      list
        .map(formatProblem)
        .map((line) => line.replace('g.yaml:', '').replace('listeners.p.tls.certificates[0].', '')),
      told,
    );
  });
}

test('a worker gets the texts by the names that the settings hold', () => {
  const result = load(
    `${door('good.pem', '${KEY}')}`.replace(
      '{ endpoints: [ { url: "http://b" } ] }',
      '{ endpoints: [ { url: "https://b" } ], tls: { ca: /etc/gh/ca.pem, certificate: "file:good.pem", key: good.key } }',
    ),
    { KEY: good.key },
  );
  assert.ok(result.ok, JSON.stringify(result));
  const pair = result.config.listeners.p?.tls?.certificates[0];
  const tls = result.config.upstreams.a?.tls;
  assert.deepEqual(pair, { certificate: '/etc/gh/good.pem', key: 'inline:listeners.p.tls.certificates[0].key' });
  assert.deepEqual(tls, {
    ca: '/etc/gh/ca.pem',
    certificate: 'inline:upstreams.a.tls.certificate',
    key: '/etc/gh/good.key',
    verify: true,
  });
  assert.equal(result.files[pair?.certificate ?? ''], DISK['/etc/gh/good.pem']);
  assert.equal(result.files[pair?.key ?? ''], good.key);
  assert.equal(result.files[tls?.certificate ?? ''], DISK['/etc/gh/good.pem']?.trimEnd());
  assert.deepEqual(result.sources.sort(), ['/etc/gh/ca.pem', '/etc/gh/g.yaml', '/etc/gh/good.key', '/etc/gh/good.pem']);
  assert.ok(!JSON.stringify(result.config).includes('PRIVATE KEY'), 'no secret in what may be shown');
});
