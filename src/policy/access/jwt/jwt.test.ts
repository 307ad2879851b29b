import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { packRevocation, revocationConsumer, revocationPut } from '../revocations.ts';
import type { IssuerConfig } from './config.ts';
import { CLAIMS, exchangeWith, gateFor, NOW, nameOf, newsOf, pairFor, tokenOf } from './token.fixture.ts';

const rs = pairFor('RS256', 'rsa-1');
const es = pairFor('ES256', 'ec-1');
const all = [rs, es];
const alice = 'corporate:alice';
const good = tokenOf(es, CLAIMS);

describe('a token that is known already', () => {
  test('expires', () => {
    const { see, clock } = gateFor(all);
    assert.equal(nameOf(see(good)), alice);
    clock.advance(629_999);
    assert.equal(nameOf(see(good)), alice);
    clock.advance(1);
    assert.equal(nameOf(see(good)), 'expired');
  });

  test('is refused when the clock is set back before its time', () => {
    const { see, clock } = gateFor(all);
    const token = tokenOf(es, { ...CLAIMS, nbf: NOW });
    assert.equal(nameOf(see(token)), alice);
    clock.jumpWall(-60_000);
    assert.equal(nameOf(see(token)), 'notYetValid');
  });

  for (const [kind, value, claims] of [
    ['id', 'token-1', {}],
    ['principal', alice, {}],
    ['session', 's1', { sid: 's1' }],
    ['client', 'app', { client_id: 'app' }],
    ['client', 'app', { azp: 'app' }],
    ['family', 'f1', { fam: 'f1' }],
  ] as const) {
    test(`is revoked by its ${kind}`, () => {
      const { see, revocations } = gateFor(all);
      const token = tokenOf(es, { ...CLAIMS, ...claims });
      const other = tokenOf(es, { ...CLAIMS, sub: 'bob', jti: 'token-2' });
      assert.equal(nameOf(see(token)), alice);
      assert.equal(nameOf(see(other)), 'corporate:bob');
      revocations.revoke({ kind, value, issuer: 'corporate' });
      assert.equal(nameOf(see(token)), 'revoked');
      assert.equal(nameOf(see(token)), 'revoked');
      assert.equal(nameOf(see(other)), 'corporate:bob');
      revocations.restore({ kind, value, issuer: 'corporate' });
      assert.equal(nameOf(see(token)), alice);
    });
  }

  test('a revocation up to a time leaves later tokens alone', () => {
    const { see, revocations } = gateFor(all);
    revocations.revoke({ kind: 'principal', value: alice, issuedUpTo: (NOW - 10) * 1000 });
    assert.equal(nameOf(see(good)), 'revoked');
    assert.equal(nameOf(see(tokenOf(es, { ...CLAIMS, iat: NOW - 9 }))), alice);
    assert.equal(nameOf(see(tokenOf(es, { ...CLAIMS, iat: undefined }))), 'revoked');
  });

  test('a revocation for one issuer does not concern another; it is forgotten in time', () => {
    const { see, revocations, clock } = gateFor(all);
    revocations.revoke({ kind: 'id', value: 'token-1', issuer: 'other' });
    assert.equal(nameOf(see(good)), alice);
    revocations.replace([{ kind: 'id', value: 'token-1', forgetAt: clock.wall() + 1000 }]);
    assert.equal(nameOf(see(good)), 'revoked');
    clock.advance(1000);
    for (let i = 0; i < 1100; i++) revocations.revoke({ kind: 'id', value: `other-${i}`, forgetAt: clock.wall() + i });
    assert.ok(revocations.size < 1100);
    assert.equal(nameOf(see(good)), alice);
  });

  test('goes with its key, and with its issuer', async () => {
    const { see, tokens, issuers, change } = gateFor([], { jwksUrl: 'https://login.example.com/jwks' });
    const { corporate } = issuers;
    assert.equal(nameOf(see(good)), 'keysUnavailable');
    tokens.change(newsOf(corporate, es, rs));
    assert.equal(nameOf(see(good)), alice);
    tokens.change(newsOf(corporate, es));
    assert.equal(nameOf(see(good)), alice);
    tokens.change(newsOf(corporate, rs));
    assert.equal(nameOf(see(good)), 'unknownKey');
    tokens.change(newsOf(corporate, es));
    const identity = see(good);
    assert.equal(nameOf(identity as never), alice);
    // The same settings again change nothing; others make all tokens be checked anew.
    change(structuredClone(issuers));
    assert.equal(see(good), identity);
    const changed = structuredClone(issuers);
    (changed.corporate as IssuerConfig).audiences = ['https://new.example.com'];
    change(changed);
    assert.equal(nameOf(see(good)), 'audience');
    // Elsewhere other keys may be found.
    const moved = structuredClone(issuers);
    (moved.corporate as IssuerConfig).jwksUrl = 'https://new.example.com/jwks';
    change(moved);
    assert.equal(nameOf(see(good)), 'keysUnavailable');
    change({});
    assert.equal(nameOf(see(good)), 'issuer');
  });
});

test('revocations come from the store, whole and as changes, and none is lost between them', () => {
  const { see, revocations } = gateFor(all);
  const consumer = revocationConsumer(revocations);
  const one = revocationPut({ kind: 'id', value: 'token-1' });
  const two = revocationPut({ kind: 'id', value: 'token-2', forgetAt: 1e15 });
  assert.equal(two.expiresAt, 1e15);
  assert.throws(() => packRevocation(one.id, { kind: 'everything', value: 'x' }));
  const put = ({ id, value }: typeof one) => consumer.put(id, packRevocation(id, value));
  const other = tokenOf(es, { ...CLAIMS, jti: 'token-2' });
  consumer.begin();
  put(one);
  consumer.complete();
  assert.deepEqual([see(good), see(other)].map(nameOf), ['revoked', alice]);
  // All anew: what is not told again by the end is taken back.
  consumer.begin();
  assert.equal(nameOf(see(good)), 'revoked');
  put(two);
  assert.equal(nameOf(see(other)), 'revoked');
  consumer.complete();
  assert.deepEqual([see(good), see(other)].map(nameOf), [alice, 'revoked']);
  consumer.remove(two.id);
  consumer.remove('unknown');
  assert.equal(nameOf(see(other)), alice);
});

test('what a worker has concluded by itself stays when revocations are told anew, until it is limited', () => {
  const { see, revocations } = gateFor(all);
  const named = { kind: 'id' as const, issuer: 'corporate', value: 'token-1' };
  revocations.limit(named, (NOW - 5) * 1000);
  assert.equal(nameOf(see(good)), alice);
  revocations.conclude({ ...named, forgetAt: 1e15 });
  assert.equal(nameOf(see(good)), 'revoked');
  revocations.replace([]);
  assert.equal(nameOf(see(good)), 'revoked');
  const later = tokenOf(es, { ...CLAIMS, iat: NOW });
  assert.equal(nameOf(see(later)), 'revoked');
  revocations.limit(named, (NOW - 5) * 1000);
  assert.deepEqual([see(good), see(later)].map(nameOf), ['revoked', alice]);
});

test('a worker that hears late of a key that ended and came back refuses none of its new tokens', () => {
  const named = { kind: 'id' as const, issuer: 'corporate', value: 'token-1' };
  const ended = (NOW - 5) * 1000;
  const later = tokenOf(es, { ...CLAIMS, iat: NOW });
  const news: Record<string, (to: ReturnType<typeof gateFor>['revocations']) => void> = {
    'the key has ended': (to) => to.conclude({ ...named, forgetAt: 1e15 }),
    'all its tokens are revoked': (to) => to.revoke({ ...named, forgetAt: 1e15 }),
  };
  for (const order of [Object.keys(news), Object.keys(news).reverse()]) {
    const { see, revocations, clock } = gateFor(all);
    for (const what of order) {
      news[what]?.(revocations);
      assert.equal(nameOf(see(later)), 'revoked', what);
    }
    // It is usable again, and that is long ago.
    revocations.revoke({ ...named, issuedUpTo: ended, forgetAt: 1e15 });
    revocations.limit(named, clock.wall() + 3000);
    assert.deepEqual([see(good), see(later)].map(nameOf), ['revoked', alice], order.join(', then '));
  }
});

describe('a key that is not known', () => {
  const settings = { jwksUrl: 'https://login.example.com/jwks' };
  const config = gateFor([], settings).issuers.corporate;

  test('is asked for, once for all who wait', async () => {
    let asked = 0;
    const ask = async () => {
      asked++;
      return newsOf(config, es).keys[0];
    };
    const { see } = gateFor([], settings, { ask });
    const verdicts = await Promise.all([see(good), see(good)]);
    assert.deepEqual(verdicts.map(nameOf), [alice, alice]);
    assert.equal(asked, 1);
    // A stranger's key: not more than once a second.
    assert.equal(nameOf(see(tokenOf(es, CLAIMS, { kid: 'strange' }))), 'unknownKey');
    assert.equal(asked, 1);
  });

  test('is not asked for by a token that would be refused anyway', () => {
    const ask = async () => assert.fail('asked');
    const { see } = gateFor([], settings, { ask });
    assert.equal(nameOf(see(tokenOf(es, { ...CLAIMS, aud: 'x' }))), 'audience');
    assert.equal(nameOf(see(tokenOf(es, { ...CLAIMS, exp: NOW - 100 }))), 'expired');
  });

  test('the supervisor does not answer: 503 where there are no keys, 401 where there are', async () => {
    const ask = async () => {
      throw new Error('gone');
    };
    const { see, tokens, clock } = gateFor([], settings, { ask });
    const verdict = await see(good);
    assert.equal(nameOf(verdict), 'keysUnavailable');
    assert.ok('retryAfterMs' in verdict && verdict.retryAfterMs !== undefined);
    tokens.change(newsOf(config, es));
    clock.advance(5000);
    assert.equal(nameOf(await see(tokenOf(rs, CLAIMS))), 'unknownKey');
  });
});

describe('a token that is bound to a certificate', () => {
  const token = tokenOf(es, { ...CLAIMS, cnf: { 'x5t#S256': 'thumb' } });
  for (const [what, shown, answer, settings] of [
    ['with that certificate', { certificate: 'thumb' }, alice],
    ['with another one', { certificate: 'other' }, 'certificate'],
    ['without any', {}, 'certificateMissing'],
    ['where that is off', { certificate: 'thumb' }, 'binding', { certificateBound: 'off' }],
  ] as const) {
    test(`${what}: ${answer}`, () => assert.equal(nameOf(gateFor(all, settings).see(token, shown)), answer));
  }
  for (const [what, cnf] of [
    ['an unknown way', { kid: 'x' }],
    ['one way known and one not', { 'x5t#S256': 'thumb', jwe: 'x' }],
    ['nothing', {}],
    ['a text', 'thumb'],
    ['an empty thumbprint', { 'x5t#S256': '' }],
    ['null', null],
  ] as const) {
    test(`bound by ${what} is refused`, () => {
      assert.equal(nameOf(gateFor(all).see(tokenOf(es, { ...CLAIMS, cnf }), { certificate: 'thumb' })), 'binding');
    });
  }
  test('is asked for where it is required', () => {
    assert.equal(nameOf(gateFor(all, { certificateBound: 'required' }).see(good, { certificate: 'thumb' })), 'unbound');
  });
});

test('tokens are told from other credentials by their form', () => {
  const { jwt } = gateFor(all);
  assert.equal(jwt.recognizes('bearer', good), true);
  assert.equal(jwt.recognizes('bearer', 'gh_live_x'), false);
  assert.equal(jwt.recognizes('field', good), true);
  assert.equal(jwt.recognizes('dpop', 'anything'), true);
  assert.equal(nameOf(jwt.authenticate('dpop', 'anything', exchangeWith())), 'malformed');
});
