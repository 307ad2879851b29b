/** Our verifier beside jose: what we accept jose accepts, and the other way round but for what we are stricter in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exportJWK, importJWK, type JWK, jwtVerify, SignJWT } from 'jose';
import { CLAIMS, gateFor, NOW, pairFor, tokenOf } from './token.fixture.ts';

const ALGS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
const pairs = ALGS.map((alg) => {
  const pair = pairFor(alg, alg);
  return { ...pair, jwk: { ...pair.jwk, kid: alg, alg } };
});
const settings = { algorithms: ALGS };

/** What jose says, asked as strictly as it can be asked. */
async function accepts(token: string): Promise<boolean> {
  try {
    await jwtVerify(
      token,
      async (header) => {
        const found = pairs.find(({ jwk }) => jwk.kid === header.kid);
        if (found === undefined) throw new Error('unknown');
        return importJWK(found.jwk as JWK, found.alg);
      },
      {
        issuer: CLAIMS.iss,
        audience: CLAIMS.aud,
        algorithms: ALGS,
        clockTolerance: 30,
        currentDate: new Date(NOW * 1000),
        requiredClaims: ['exp', 'sub'],
      },
    );
    return true;
  } catch {
    return false;
  }
}

test('both accept what jose has signed', async () => {
  for (const { alg, privateKey, publicKey } of pairs) {
    const token = await new SignJWT({ scope: 'inference' })
      .setProtectedHeader({ alg, kid: alg, typ: 'at+jwt' })
      .setIssuer(CLAIMS.iss)
      .setAudience(CLAIMS.aud)
      .setSubject('alice')
      .setIssuedAt(NOW)
      .setExpirationTime(NOW + 60)
      .sign(privateKey);
    assert.ok(await exportJWK(publicKey));
    const verdict = gateFor(pairs, settings).see(token);
    assert.ok(!('failed' in verdict), alg);
  }
});

/** The right one, most of the time. */
function mostly<T, W>(right: T, wrong: fc.Arbitrary<W>): fc.Arbitrary<T | W> {
  return fc.oneof({ weight: 8, arbitrary: fc.constant(right) }, { weight: 1, arbitrary: wrong });
}

const claims = fc.record(
  {
    iss: mostly(CLAIMS.iss, fc.constantFrom('https://evil.example', 1)),
    sub: fc.constantFrom('alice', 'bob'),
    aud: mostly(CLAIMS.aud, fc.oneof(fc.constantFrom('x', ''), fc.array(fc.constantFrom(CLAIMS.aud, 'y')))),
    exp: mostly(NOW + 60, fc.oneof(fc.integer({ min: NOW - 100, max: NOW + 100 }), fc.constantFrom('x', null))),
    nbf: mostly(NOW, fc.oneof(fc.integer({ min: NOW - 100, max: NOW + 100 }), fc.constantFrom('x'))),
    scope: fc.constantFrom('a b', ''),
    any: fc.jsonValue(),
  },
  { requiredKeys: ['iss', 'sub', 'aud', 'exp'] },
);
const header = fc.record({
  alg: mostly(undefined, fc.constantFrom(...ALGS, 'none', 'HS256')),
  kid: mostly(undefined, fc.constantFrom(...ALGS, 'x')),
  crit: mostly(undefined, fc.constantFrom(['x'], [])),
  b64: mostly(undefined, fc.boolean()),
});
/** Leaves the token alone, or changes one character, or takes some out. */
const damage = fc.oneof(
  { weight: 3, arbitrary: fc.constant((token: string) => token) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(), fc.constantFrom('A', '_', '.', '=', '-')).map(([at, c]) => (token: string) => {
      const i = at % token.length;
      return token.slice(0, i) + c + token.slice(i + 1);
    }),
  },
  { weight: 1, arbitrary: fc.nat({ max: 90 }).map((n) => (token: string) => token.slice(0, token.length - n)) },
);

test('both agree on random tokens, right and damaged', async () => {
  const { see } = gateFor(pairs, settings);
  let both = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...pairs),
      claims,
      header,
      damage,
      async (pair, said, { alg, kid, ...more }, harm) => {
        const full = { alg: alg ?? pair.alg, kid: kid ?? pair.alg, typ: 'JWT', ...more };
        const token = harm(tokenOf(pair, said, full));
        const verdict = see(token);
        assert.ok(!(verdict instanceof Promise));
        const ours = !('failed' in verdict);
        const theirs = await accepts(token);
        if (ours) assert.ok(theirs, `we accept ${token}`);
        // We are stricter: no extension at all, only the one form of base64url, and a key for one name of an algorithm only.
        else if (theirs)
          assert.ok(
            more.crit !== undefined || more.b64 !== undefined || canonical(token) !== token || deep(said) || twin(full),
            `jose accepts ${token}: ${JSON.stringify(verdict)}`,
          );
        if (ours && theirs) both++;
      },
    ),
    { numRuns: 400 },
  );
  assert.ok(both > 10, `${both} accepted`);
});

const canonical = (token: string) =>
  token
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString('base64url'))
    .join('.');
/** The two names of one algorithm (RFC 9864 §2.2), the one of the token and the other one of the key. */
const twin = ({ alg, kid }: { alg: string; kid: string }) =>
  alg !== kid && [alg, kid].sort().join() === 'Ed25519,EdDSA';
const deep = (said: object) => /[[{][^\]}]*[[{]/.test(JSON.stringify(said));
