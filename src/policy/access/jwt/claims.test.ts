import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CLAIMS, gateFor, NOW, nameOf, pairFor, tokenOf } from './token.fixture.ts';

const es = pairFor('ES256', 'ec-1');
const all = [es];
const good = tokenOf(es, CLAIMS);
const alice = 'corporate:alice';
const { exp: _exp, ...noExpiry } = CLAIMS;
const { sub: _sub, ...noSubject } = CLAIMS;

type Case = [what: string, token: string, answer: string, settings?: Record<string, unknown>];

const cases: readonly Case[] = [
  // another kind of token (RFC 8725 §3.11)
  ['a logout token', tokenOf(es, CLAIMS, { typ: 'logout+jwt' }), 'type'],
  ['a DPoP proof', tokenOf(es, CLAIMS, { typ: 'dpop+jwt' }), 'type'],
  ['a security event', tokenOf(es, CLAIMS, { typ: 'secevent+jwt' }), 'type'],
  ['typ a number', tokenOf(es, CLAIMS, { typ: 1 }), 'type'],
  ['typ JWT where at+jwt is asked', good, 'type', { type: 'at+jwt' }],
  ['no typ where at+jwt is asked', tokenOf(es, CLAIMS, { typ: undefined }), 'type', { type: 'at+jwt' }],
  ['at+jwt where it is asked', tokenOf(es, CLAIMS, { typ: 'at+jwt' }), alice, { type: 'at+jwt' }],

  // for whom, from whom, when
  ['another issuer', tokenOf(es, { ...CLAIMS, iss: 'https://evil.example' }), 'issuer'],
  ['the issuer with a slash', tokenOf(es, { ...CLAIMS, iss: `${CLAIMS.iss}/` }), 'issuer'],
  ['the issuer in capitals', tokenOf(es, { ...CLAIMS, iss: 'https://LOGIN.example.com' }), 'issuer'],
  ['issuers in a list', tokenOf(es, { ...CLAIMS, iss: [CLAIMS.iss] }), 'issuer'],
  ['no issuer', tokenOf(es, { ...CLAIMS, iss: undefined }), 'issuer'],
  ['another audience', tokenOf(es, { ...CLAIMS, aud: 'https://other.example.com' }), 'audience'],
  ['an audience that begins alike', tokenOf(es, { ...CLAIMS, aud: `${CLAIMS.aud}.evil.example` }), 'audience'],
  ['no audience', tokenOf(es, { ...CLAIMS, aud: undefined }), 'audience'],
  ['an empty list of audiences', tokenOf(es, { ...CLAIMS, aud: [] }), 'audience'],
  ['an audience inside a list', tokenOf(es, { ...CLAIMS, aud: [[CLAIMS.aud]] }), 'audience'],
  ['expired', tokenOf(es, { ...CLAIMS, exp: NOW - 30 }), 'expired'],
  ['expired within the skew', tokenOf(es, { ...CLAIMS, exp: NOW - 29 }), alice],
  ['no expiry', tokenOf(es, noExpiry), 'claim'],
  ['expiry as text', tokenOf(es, { ...CLAIMS, exp: String(NOW + 600) }), 'claim'],
  ['expiry in milliseconds', tokenOf(es, { ...CLAIMS, exp: (NOW + 600) * 1000 }), 'claim'],
  ['expiry infinite', tokenOf(es, JSON.stringify(CLAIMS).replace(String(CLAIMS.exp), '1e400')), 'claim'],
  ['expiry below zero', tokenOf(es, { ...CLAIMS, exp: -1 }), 'claim'],
  ['not yet', tokenOf(es, { ...CLAIMS, nbf: NOW + 31 }), 'notYetValid'],
  ['not yet, within the skew', tokenOf(es, { ...CLAIMS, nbf: NOW + 30 }), alice],
  ['nbf as text', tokenOf(es, { ...CLAIMS, nbf: '0' }), 'claim'],
  ['issued in the future', tokenOf(es, { ...CLAIMS, iat: NOW + 31 }), 'issuedInFuture'],
  ['too old', tokenOf(es, { ...CLAIMS, iat: NOW - 331 }), 'tooOld', { maxAge: '5m' }],
  ['of unknown age where there is a most', tokenOf(es, { ...CLAIMS, iat: undefined }), 'claim', { maxAge: '5m' }],
  ['no subject', tokenOf(es, noSubject), 'claim'],
  ['an empty subject', tokenOf(es, { ...CLAIMS, sub: '' }), 'claim'],
  ['a subject that would break a log line', tokenOf(es, { ...CLAIMS, sub: 'a\nb' }), 'claim'],
  ['a subject that is an object', tokenOf(es, { ...CLAIMS, sub: { name: 'alice' } }), 'claim'],
  ...[false, 0, '', 'false', 'no', []].map(
    (email_verified): Case => [
      `a required claim that says no: ${JSON.stringify(email_verified)}`,
      tokenOf(es, { ...CLAIMS, email_verified }),
      'claim',
      { required: { email_verified: true } },
    ],
  ),
  ...[true, 1, 'true', 'yes', ['x'], {}].map(
    (email_verified): Case => [
      `a required claim that says yes: ${JSON.stringify(email_verified)}`,
      tokenOf(es, { ...CLAIMS, email_verified }),
      alice,
      { required: { email_verified: true } },
    ],
  ),
  ['a required claim missing', good, 'claim', { required: { email_verified: 'true' } }],
  ...[['trial'], { n: 'trial' }, true, 'trial\u0000', 'x'.repeat(513), ''].map(
    (plan): Case => [
      `a plan that cannot be read: ${JSON.stringify(plan).slice(0, 20)}`,
      tokenOf(es, { ...CLAIMS, plan }),
      'claim',
      { claims: { plan: 'plan' }, assign: { plan: 'trial' } },
    ],
  ),
  ['no plan', good, alice, { claims: { plan: 'plan' } }],
  [
    'a required claim with another value',
    tokenOf(es, { ...CLAIMS, org: 'b' }),
    'claim',
    { required: { org: ['a', 'c'] } },
  ],
  ['a required claim as asked', tokenOf(es, { ...CLAIMS, org: 'a' }), alice, { required: { org: ['a', 'c'] } }],
  ['a required claim that is inherited', good, 'claim', { required: { constructor: true } }],
  [
    'a tenant of somebody else',
    tokenOf(es, { ...CLAIMS, org: 'b' }),
    'claim',
    { claims: { tenant: 'org' }, tenants: ['a'] },
  ],
];

describe('what a token says', () => {
  for (const [what, token, answer, settings] of cases) {
    test(`${what}: ${answer}`, () => {
      const { see } = gateFor(all, settings);
      assert.equal(nameOf(see(token)), answer);
      // And the second time, from memory.
      assert.equal(nameOf(see(token)), answer);
    });
  }
});

describe('an identity', () => {
  test('says what the claims say', () => {
    const { see } = gateFor(all, {
      claims: {
        principal: ['oid', 'sub'],
        tenant: 'https://example.com/org',
        plan: 'plan',
        roles: 'realm_access.roles',
        models: 'models',
      },
      assign: { scopes: ['staff'], roles: ['user'] },
    });
    const token = tokenOf(es, {
      ...CLAIMS,
      'https://example.com/org': 'acme',
      plan: 'team',
      realm_access: { roles: ['admin'] },
      models: ['gpt-*', 'deepseek-chat'],
    });
    const identity = see(token);
    assert.ok(!(identity instanceof Promise) && !('failed' in identity));
    assert.equal(identity.method, 'jwt');
    assert.equal(identity.principal, alice);
    assert.equal(identity.credential, 'token-1');
    assert.equal(identity.account, alice);
    assert.equal(identity.tenant, 'acme');
    assert.equal(identity.plan, 'team');
    assert.deepEqual([...identity.scopes], ['staff', 'inference', 'read']);
    assert.deepEqual([...identity.roles], ['user', 'admin']);
    assert.deepEqual(identity.models, ['gpt-*', 'deepseek-chat']);
    assert.equal(identity.expiresAt, (CLAIMS.exp + 30) * 1000);
    assert.equal(see(token), identity);
  });

  test('is charged by the claim that is named, which every one of its tokens has', () => {
    const { see } = gateFor(all, { claims: { account: 'client_id' } });
    const accounts = ['one', 'two'].map((jti) => {
      const identity = see(tokenOf(es, { ...CLAIMS, jti, client_id: 'batch' }));
      assert.ok(!(identity instanceof Promise) && !('failed' in identity));
      return identity.account;
    });
    assert.deepEqual(accounts, [`${alice.slice(0, alice.indexOf(':') + 1)}batch`, accounts[0]]);
    const without = see(tokenOf(es, CLAIMS));
    assert.ok(!(without instanceof Promise) && !('failed' in without));
    assert.equal(without.account, alice);
    const strange = see(tokenOf(es, { ...CLAIMS, client_id: 'a\nb' }));
    assert.ok(!(strange instanceof Promise) && 'failed' in strange);
  });

  test('of a token without jti is named by its hash', () => {
    const { see } = gateFor(all);
    const identity = see(tokenOf(es, { ...CLAIMS, jti: undefined }));
    assert.ok(!(identity instanceof Promise) && !('failed' in identity));
    assert.match(identity.credential, /^sha256:[\w-]{16}$/);
  });
});
