import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isSafeUrl, issuersConfig } from './config.ts';
import { pairFor } from './token.fixture.ts';

const base = { issuer: 'https://login.example.com', audiences: ['a'] };
const pair = pairFor('ES256', 'one');
const pem = (kind: 'publicKey' | 'privateKey') =>
  pair[kind].export({ type: kind === 'publicKey' ? 'spki' : 'pkcs8', format: 'pem' }) as string;

describe('settings of an issuer', () => {
  for (const [what, changes] of [
    ['alone', {}],
    ['with the address of its keys', { jwksUrl: 'https://login.example.com/jwks' }],
    ['on this machine', { issuer: 'http://127.0.0.1:9000' }],
    ['with a name that is no address, and keys', { issuer: 'corporate', keys: [pem('publicKey')] }],
    ['with a JWK', { keys: [JSON.stringify(pair.jwk)] }],
    ['with a JWK Set', { keys: [JSON.stringify({ keys: [pair.jwk] })] }],
  ] as const) {
    test(`${what} are right`, () => void issuersConfig.parse({ corporate: { ...base, ...changes } }));
  }

  for (const [what, changes, why] of [
    ['without audience', { audiences: [] }, /at least one audience/],
    ['with HS256', { algorithms: ['HS256'] }, /Invalid option/],
    ['with none', { algorithms: ['none'] }, /Invalid option/],
    ['with plain http', { jwksUrl: 'http://login.example.com/jwks' }, /expected an https URL/],
    ['whose keys cannot be found', { issuer: 'corporate' }, /its keys cannot be found by it/],
    ['with two sources of keys', { jwksUrl: 'https://x.example/', keys: [pem('publicKey')] }, /several sources/],
    ['with a private key', { keys: [pem('privateKey')] }, /private key, which does not belong here/],
    ['with a private JWK', { keys: [JSON.stringify({ ...pair.jwk, d: 'x' })] }, /private or secret/],
    ['with a secret', { keys: ['{"kty":"oct","k":"AAAA"}'] }, /no public key/],
    ['with something else', { keys: ['hello'] }, /neither PEM .* nor a JWK/],
    ['with huge tokens', { maxSize: '1MiB' }, /at most 64KiB/],
  ] as const) {
    test(`${what} are a mistake`, () => {
      assert.throws(() => issuersConfig.parse({ corporate: { ...base, ...changes } }), why);
    });
  }

  test('two of one issuer are a mistake', () => {
    assert.throws(() => issuersConfig.parse({ a: base, b: base }), /is the same issuer/);
  });
});

test('addresses that are safe', () => {
  for (const url of ['https://a.example/x', 'http://localhost:1/', 'http://[::1]/', 'http://127.1.2.3/'])
    assert.ok(isSafeUrl(url), url);
  for (const url of [
    'http://a.example',
    'http://localhost.evil.example/',
    'http://127.0.0.1.evil.example/',
    'https://u:p@a.example/',
    '/x',
  ])
    assert.ok(!isSafeUrl(url), url);
});
