import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { normalUri } from './proof.ts';
import { PROOFS } from './proofasker.ts';
import { claimsFrom, ReplaySet } from './replay.ts';
import {
  boundTo,
  CLAIMS,
  exchangeWith,
  gateFor,
  NOW,
  nameOf,
  pairFor,
  proofOf,
  type Shown,
  tokenOf,
} from './token.fixture.ts';

const issuer = pairFor('ES256', 'ec-1');
const device = pairFor('ES256');
const thief = pairFor('ES256');
const rsa = pairFor('RS256');
const ed = pairFor('EdDSA');
const token = tokenOf(issuer, { ...CLAIMS, ...boundTo(device) });
const other = tokenOf(issuer, { ...CLAIMS, jti: 'token-2', ...boundTo(device) });
const unbound = tokenOf(issuer, CLAIMS);
const alice = 'corporate:alice';

/** A gate whose proofs are claimed in a set of its own; `nonce` is one of the day. */
function dpopGate(settings: Record<string, unknown> = {}, dpop: Record<string, unknown> = { nonce: 'off' }) {
  const asked: unknown[] = [];
  const gate = gateFor([issuer], settings, {
    dpop,
    ask: async (service, payload) => {
      assert.equal(service, PROOFS);
      asked.push(payload);
      return claimsFrom(payload).map((claim) => used.claim(claim));
    },
  });
  const used = new ReplaySet(gate.clock, 1000);
  gate.tokens.change({ nonceSecret: Buffer.alloc(32, 7).toString('base64url') });
  const send = (proof: string | string[] | undefined, shown: Shown = {}, of = token) =>
    gate.see(of, { ...shown, fields: [proof ?? []].flat().map((one) => ['dpop', one] as const) }, 'dpop');
  return { ...gate, send, asked, used };
}

const cases: readonly [what: string, proof: () => string | string[] | undefined, answer: string, shown?: Shown][] = [
  ['right', () => proofOf(device, token), alice],
  [
    'with a query in htu',
    () => proofOf(device, token, { htu: 'https://api.example.com/v1/chat/completions?x#y' }),
    alice,
  ],
  [
    'with htu in another form',
    () => proofOf(device, token, { htu: 'HTTPS://API.example.com:443/v1/ch%61t/completions' }),
    alice,
  ],
  [
    'as a trusted hop names the host',
    () => proofOf(device, token),
    alice,
    { authority: 'inner:8080', trusted: true, fields: [] },
  ],
  ['none', () => undefined, 'proofMissing'],
  ['two', () => [proofOf(device, token), proofOf(device, token)], 'proofMissing'],
  ['no JWT', () => 'x.y.z', 'proofMalformed'],
  ['too large', () => proofOf(device, token, { fill: 'x'.repeat(5000) }), 'proofMalformed'],
  ['of another type', () => proofOf(device, token, {}, { typ: 'JWT' }), 'proofMalformed'],
  ['without type', () => proofOf(device, token, {}, { typ: undefined }), 'proofMalformed'],
  ['with alg none', () => proofOf(device, token, {}, { alg: 'none' }), 'proofMalformed'],
  ['with alg HS256', () => proofOf(device, token, {}, { alg: 'HS256' }), 'proofMalformed'],
  ['with another alg than its key', () => proofOf(device, token, {}, { alg: 'RS256' }), 'proofMalformed'],
  ['without jwk', () => proofOf(device, token, {}, { jwk: undefined }), 'proofMalformed'],
  [
    'with a private jwk',
    () => proofOf(device, token, {}, { jwk: device.privateKey.export({ format: 'jwk' }) }),
    'proofMalformed',
  ],
  ['with a symmetric jwk', () => proofOf(device, token, {}, { jwk: { kty: 'oct', k: 'AAAA' } }), 'proofMalformed'],
  [
    'with a jwk of an unknown curve',
    () => proofOf(device, token, {}, { jwk: { ...device.jwk, crv: 'secp256k1' } }),
    'proofMalformed',
  ],
  [
    'with a point off the curve',
    () => proofOf(device, token, {}, { jwk: { ...device.jwk, y: device.jwk.x } }),
    'proofMalformed',
  ],
  ['with crit', () => proofOf(device, token, {}, { crit: ['x'], x: 1 }), 'proofMalformed'],
  ['without jti', () => proofOf(device, token, { jti: undefined }), 'proofMalformed'],
  ['with an endless jti', () => proofOf(device, token, { jti: 'x'.repeat(300) }), 'proofMalformed'],
  ['without htu', () => proofOf(device, token, { htu: undefined }), 'proofMalformed'],
  ['without iat', () => proofOf(device, token, { iat: undefined }), 'proofMalformed'],
  ['by another key', () => proofOf(thief, token), 'proofKey'],
  ['by another key, with the right jwk', () => proofOf(thief, token, {}, { jwk: device.jwk }), 'proofSignature'],
  ['for another method', () => proofOf(device, token, { htm: 'GET' }), 'proofMethod'],
  ['with the method in small letters', () => proofOf(device, token, { htm: 'post' }), 'proofMethod'],
  ['for another path', () => proofOf(device, token, { htu: 'https://api.example.com/v1/models' }), 'proofAddress'],
  [
    'for another host',
    () => proofOf(device, token, { htu: 'https://evil.example/v1/chat/completions' }),
    'proofAddress',
  ],
  [
    'for another host, by user info',
    () => proofOf(device, token, { htu: 'https://api.example.com@evil.example/v1/chat/completions' }),
    'proofAddress',
  ],
  ['for http', () => proofOf(device, token, { htu: 'http://api.example.com/v1/chat/completions' }), 'proofAddress'],
  [
    'for a path with other slashes',
    () => proofOf(device, token, { htu: 'https://api.example.com/v1%2Fchat/completions' }),
    'proofAddress',
  ],
  ['for another token', () => proofOf(device, other), 'proofToken'],
  ['for no token', () => proofOf(device, token, { ath: undefined }), 'proofToken'],
  [
    'for no address, in a request without host',
    () => proofOf(device, token, { htu: 'x' }),
    'proofAddress',
    { authority: '' },
  ],
  ['too old', () => proofOf(device, token, { iat: NOW - 65 }), 'proofTime'],
  ['just young enough', () => proofOf(device, token, { iat: NOW - 64 }), alice],
  ['made in the future', () => proofOf(device, token, { iat: NOW + 6 }), 'proofTime'],
  ['made a little in the future', () => proofOf(device, token, { iat: NOW + 5 }), alice],
  ['of an infinite time', () => proofOf(device, token, { iat: 1e300 }), 'proofTime'],
];

describe('a DPoP proof', () => {
  for (const [what, proof, answer, shown] of cases) {
    test(`${what}: ${answer}`, async () => {
      const { send, see } = dpopGate();
      if (shown?.trusted) {
        const fields = [
          ['dpop', proof() as string],
          ['x-forwarded-host', 'api.example.com, inner'],
        ] as const;
        assert.equal(nameOf(await see(token, { ...shown, fields }, 'dpop')), answer);
      } else assert.equal(nameOf(await send(proof(), shown)), answer);
    });
  }

  for (const pair of [rsa, ed]) {
    test(`may be of ${pair.alg}`, async () => {
      const bound = tokenOf(issuer, { ...CLAIMS, ...boundTo(pair) });
      assert.equal(nameOf(await dpopGate().send(proofOf(pair, bound), {}, bound)), alice);
    });
  }

  test('is good for one request', async () => {
    const { send } = dpopGate();
    const proof = proofOf(device, token);
    const verdicts = await Promise.all([send(proof), send(proof)]);
    assert.deepEqual(verdicts.map(nameOf), [alice, 'proofReplayed']);
    assert.equal(nameOf(await send(proof)), 'proofReplayed');
    assert.equal(nameOf(await send(proofOf(device, token))), alice);
  });

  test('of which many come at once are asked about in one message', async () => {
    const { send, asked } = dpopGate();
    const verdicts = await Promise.all(Array.from({ length: 20 }, () => send(proofOf(device, token))));
    assert.deepEqual(new Set(verdicts.map(nameOf)), new Set([alice]));
    assert.equal(asked.length, 1);
  });

  test('is refused with 503 when nobody can tell whether it was used', async () => {
    for (const ask of [undefined, () => Promise.reject(new Error('gone')), async () => 'nonsense', async () => []]) {
      const { see } = gateFor([issuer], {}, { dpop: { nonce: 'off' }, ...(ask === undefined ? {} : { ask }) });
      const verdict = await see(token, { fields: [['dpop', proofOf(device, token)]] }, 'dpop');
      assert.equal(nameOf(verdict), 'replayUnavailable');
      assert.ok('retryAfterMs' in verdict);
    }
  });

  test('without the nonce of the day is told it, and this counts as no attempt', async () => {
    const { send, clock, jwt } = dpopGate({}, {});
    const first = await send(proofOf(device, token));
    assert.ok('failed' in first && first.harmless);
    assert.equal(first.error, 'use_dpop_nonce');
    const nonce = first.fields?.find(([name]) => name === 'DPoP-Nonce')?.[1] as string;
    assert.equal(nameOf(await send(proofOf(device, token, { nonce }))), alice);
    assert.equal(nameOf(await send(proofOf(device, token, { nonce: `${nonce}x` }))), 'use_dpop_nonce');
    assert.equal(nameOf(await send(proofOf(device, token, { nonce: [nonce] }))), 'use_dpop_nonce');
    clock.advance(300_000);
    const later = { nonce, iat: NOW + 300 };
    assert.equal(nameOf(await send(proofOf(device, token, later))), alice);
    // A nonce that ages is renewed with the answer (RFC 9449 §8.2).
    const aging = exchangeWith({ fields: [['dpop', proofOf(device, token, { ...later, jti: 'aging' })]] });
    assert.equal(nameOf(await jwt.authenticate('dpop', token, aging)), alice);
    assert.match(aging.answerLines, /^DPoP-Nonce: [\w-]+\r\n$/);
    assert.doesNotMatch(aging.answerLines, new RegExp(nonce));
    clock.advance(300_000);
    assert.equal(nameOf(await send(proofOf(device, token, { nonce, iat: NOW + 600 }))), 'use_dpop_nonce');
  });

  test('with a wrong signature learns no nonce', async () => {
    const { send } = dpopGate({}, {});
    assert.equal(nameOf(await send(proofOf(thief, token, {}, { jwk: device.jwk }))), 'proofSignature');
  });
});

describe('a bound token', () => {
  test('as a bearer token is refused', () => assert.equal(nameOf(dpopGate().see(token)), 'scheme'));
  test('where that is off is refused', () => assert.equal(nameOf(dpopGate({ dpop: 'off' }).see(token)), 'binding'));
  test('is the only one where it is required', () => {
    assert.equal(nameOf(dpopGate({ dpop: 'required' }).see(unbound)), 'unbound');
  });
  test('an unbound one is not made better by a proof', async () => {
    assert.equal(nameOf(await dpopGate().send(proofOf(device, unbound), {}, unbound)), 'proofKey');
  });
  test('by key and certificate needs both', async () => {
    const both = tokenOf(issuer, { ...CLAIMS, cnf: { ...boundTo(device).cnf, 'x5t#S256': 'thumb' } });
    const { send } = dpopGate();
    assert.equal(nameOf(await send(proofOf(device, both), {}, both)), 'certificateMissing');
    assert.equal(nameOf(await send(proofOf(device, both), { certificate: 'thumb' }, both)), alice);
  });
});

test('addresses are compared in one form', () => {
  for (const [text, normal] of [
    ['http://A.example:80/', 'http://a.example/'],
    ['http://a.example', 'http://a.example/'],
    ['https://a.example:8443/X?y', 'https://a.example:8443/X'],
    ['https://a.example:80/', 'https://a.example:80/'],
    ['https://[2001:DB8::1]:443/', 'https://[2001:db8::1]/'],
    ['https://a.example/%7euser/%2f', 'https://a.example/~user/%2F'],
    ['ftp://a.example/', ''],
    ['https://user@a.example/', ''],
    ['https:\\\\a.example/', ''],
    ['/path', ''],
    ['', ''],
  ] as const) {
    assert.equal(normalUri(text), normal, text);
  }
});
