import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { SignJWT, UnsecuredJWT } from 'jose';
import { ASSERTION_TYPE, readClientKeys } from './assertion.ts';
import { tokensConfig } from './config.ts';
import { CREDENTIALS, house, ISSUER, SECRET } from './token.fixture.ts';

const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const edwards = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }) as string;
const set = JSON.stringify({
  keys: [
    { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'r1', alg: 'PS256' },
    { ...edwards.publicKey.export({ format: 'jwk' }), kid: 'e1' },
  ],
});
const CLIENTS = [
  { id: 'signing', scopes: ['chat'], grants: ['clientCredentials'], keys: [pem(own.publicKey), set] },
  { id: 'other', keys: [pem(stranger.publicKey)] },
  { id: 'secret', secret: SECRET },
];

let jtis = 0;
const claims = (now: number, more: Record<string, unknown> = {}) => {
  const seconds = Math.floor(now / 1000);
  return { iss: 'signing', sub: 'signing', aud: ISSUER, iat: seconds, exp: seconds + 60, jti: `j${jtis++}`, ...more };
};
const form = (assertion: string) => ({
  ...CREDENTIALS,
  client_assertion_type: ASSERTION_TYPE,
  client_assertion: assertion,
});

test('a client proves itself by what it signs, once each time, with any of its keys', async (t) => {
  const { send, clock, make } = await house(t, { clients: CLIENTS });
  const sign = (more: Record<string, unknown> = {}, key = own.privateKey, header: Record<string, string> = {}) =>
    new SignJWT(claims(clock.wall(), more)).setProtectedHeader({ alg: 'ES256', ...header }).sign(key);
  const good = await sign();
  const first = await send('/oauth/token', form(good));
  assert.equal(first.status, 200, first.body);
  const again = await send('/oauth/token', form(good));
  assert.deepEqual([again.status, again.told.error], [401, 'invalid_client']);
  assert.match(again.told.error_description ?? '', /used before/);
  // Another node on the same store knows it, too.
  const node = await make();
  assert.equal((await send('/oauth/token', form(good), {}, node)).status, 401);
  for (const [what, assertion] of [
    ['the address of the endpoint', await sign({ aud: `${ISSUER}/oauth/token` })],
    ['both in a list', await sign({ aud: [ISSUER, `${ISSUER}/oauth/token`] })],
    ['PS256', await sign({}, rsa.privateKey, { alg: 'PS256', kid: 'r1' })],
    ['EdDSA', await sign({}, edwards.privateKey, { alg: 'EdDSA', kid: 'e1' })],
    ['without a kid', await sign({}, edwards.privateKey, { alg: 'EdDSA' })],
  ] as const) {
    const answer = await send('/oauth/token', form(assertion));
    assert.equal(answer.status, 200, `${what}: ${answer.body}`);
  }
  const named = await send('/oauth/token', { ...form(await sign()), client_id: 'signing' });
  assert.equal(named.status, 200);
  const introspected = await send('/oauth/introspect', {
    ...form(await sign({ aud: `${ISSUER}/oauth/introspect` })),
    token: first.told.access_token as string,
  });
  assert.equal(introspected.told.active, true);
});

test('what does not prove it is refused; who has signed it learns why', async (t) => {
  const { send, clock } = await house(t, { clients: CLIENTS });
  const now = clock.wall();
  const seconds = Math.floor(now / 1000);
  const sign = (more: Record<string, unknown> = {}, key: KeyObject = own.privateKey, header = {}) =>
    new SignJWT(claims(now, more)).setProtectedHeader({ alg: 'ES256', ...header }).sign(key);
  const unknown = /^There is no such client/;
  const publicPem = Buffer.from(pem(own.publicKey));
  const rows: [string, string, RegExp][] = [
    ['another key', await sign({}, stranger.privateKey), unknown],
    ['another kid', await sign({}, edwards.privateKey, { alg: 'EdDSA', kid: 'r1' }), unknown],
    ['another algorithm of the key', await sign({}, rsa.privateKey, { alg: 'RS256', kid: 'r1' }), unknown],
    ['none', new UnsecuredJWT(claims(now)).encode(), unknown],
    [
      'a public key as secret',
      await new SignJWT(claims(now)).setProtectedHeader({ alg: 'HS256' }).sign(publicPem),
      unknown,
    ],
    ['nobody', await sign({ sub: 'nobody', iss: 'nobody' }), unknown],
    ['a client with a secret', await sign({ sub: 'secret', iss: 'secret' }), unknown],
    ['for somebody else', await sign({ sub: 'other', iss: 'other' }), unknown],
    ['another iss', await sign({ iss: 'other' }), /Both iss and sub/],
    ['another aud', await sign({ aud: 'https://elsewhere.example' }), /The aud of the assertion/],
    ['also for others', await sign({ aud: [ISSUER, 'https://elsewhere.example'] }), /The aud of the assertion/],
    ['no aud', await sign({ aud: undefined }), /The aud of the assertion/],
    ['an empty aud', await sign({ aud: [] }), /The aud of the assertion/],
    ['expired', await sign({ exp: seconds - 31 }), /has expired/],
    ['no exp', await sign({ exp: undefined }), /needs an exp/],
    ['holds for a day', await sign({ exp: seconds + 86_400 }), /for too long/],
    ['not yet', await sign({ nbf: seconds + 60 }), /look at your clock/],
    ['no jti', await sign({ jti: undefined }), /needs a jti/],
    ['a jti that is no text', await sign({ jti: 5 }), /needs a jti/],
    ['a long one', await sign({ more: 'x'.repeat(9000) }), /no JWT/],
    ['junk', 'x.y.z', /no JWT/],
    ['an unknown crit', await sign({}, own.privateKey, { crit: ['b65'], b65: true }).catch(() => 'x'), /./],
  ];
  for (const [what, assertion, reason] of rows) {
    const answer = await send('/oauth/token', form(assertion));
    assert.deepEqual([answer.status, answer.told.error], [401, 'invalid_client'], `${what}: ${answer.body}`);
    assert.match(answer.told.error_description ?? '', reason, what);
    assert.ok(answer.fields.has('WWW-Authenticate'));
  }
  const requests: [string, Record<string, string>][] = [
    ['another type', { ...form(await sign()), client_assertion_type: 'saml' }],
    ['no type', { ...CREDENTIALS, client_assertion: await sign() }],
    ['a secret beside it', { ...form(await sign()), client_secret: SECRET }],
    ['another id', { ...form(await sign()), client_id: 'other' }],
  ];
  for (const [what, asked] of requests) {
    const answer = await send('/oauth/token', asked);
    assert.deepEqual([answer.status, answer.told.error], [400, 'invalid_request'], what);
  }
  // Without anything it is not taken for a public client.
  assert.equal((await send('/oauth/token', { ...CREDENTIALS, client_id: 'signing' })).status, 401);
  const { told } = await send('/.well-known/oauth-authorization-server', undefined);
  assert.ok((told.token_endpoint_auth_methods_supported as unknown as string[]).includes('private_key_jwt'));
});

test('keys that are none, weak or secret are refused when they are configured', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const rows: [string, RegExp][] = [
    [own.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, /private key/],
    [JSON.stringify(own.privateKey.export({ format: 'jwk' })), /private or secret key/],
    [JSON.stringify({ kty: 'oct', k: 'AAAA' }), /private or secret key/],
    [pem(weak.publicKey), /1024 bits/],
    [pem(generateKeyPairSync('x25519').publicKey), /none of the algorithms/],
    [JSON.stringify({ ...own.publicKey.export({ format: 'jwk' }), alg: 'RS256' }), /none of the algorithms/],
    ['nonsense', /neither PEM/],
    ['{', /neither PEM/],
  ];
  for (const [text, reason] of rows) assert.throws(() => readClientKeys(text), reason);
  const client = { id: 'a', keys: ['nonsense'] };
  assert.match(String(tokensConfig.safeParse({ issuer: ISSUER, clients: [client] }).error), /no key of a client/);
  const both = { id: 'a', secret: SECRET, keys: [pem(own.publicKey)] };
  assert.match(String(tokensConfig.safeParse({ issuer: ISSUER, clients: [both] }).error), /in one way/);
  assert.ok(createPublicKey(pem(own.publicKey)));
});
