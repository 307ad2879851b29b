/**
 * Clients that prove themselves by a JWT that they sign (`private_key_jwt`: RFC 7521, RFC 7523 §3, OpenID Connect Core §9).
 * Each assertion is good once: the store is told of its `jti`, so that holds on all nodes.
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from 'jose';
import type { TokenParts } from './parts.ts';

/** Value of `client_assertion_type`. */
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Kind of the documents that hold which assertions were used. */
export const ASSERTION_KIND = 'clientAssertion';

/** Longest text of an assertion. */
const LENGTH_MAX = 8192;
/** Clocks of clients may be off by so much, in seconds. */
const SKEW_S = 30;
/** An assertion holds no longer, in seconds: so long its `jti` must be remembered. */
const HOLDS_MOST_S = 3600;
const RSA_BITS_MIN = 2048;

/** Algorithms by the type of key (RFC 7518 §3.1, RFC 8037 §3.1). None has a shared secret. */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  rsa: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  'ec prime256v1': ['ES256'],
  'ec secp384r1': ['ES384'],
  'ec secp521r1': ['ES512'],
  ed25519: ['EdDSA', 'Ed25519'],
};

/** All of them, as the metadata names them. */
export const ASSERTION_ALGORITHMS = Object.values(ALGORITHMS).flat();

interface ClientKey {
  readonly kid: string | undefined;
  readonly key: KeyObject;
  readonly algorithms: readonly string[];
}

/** Keys of a client out of a text: a public key or certificate as PEM, a JWK or a JWK Set. Throws an `Error` that says why not. */
export function readClientKeys(text: string): ClientKey[] {
  const trimmed = text.trim();
  if (!trimmed.startsWith('{')) {
    if (/PRIVATE KEY/.test(trimmed))
      throw new Error('it is a private key, which stays with the client: give the public one');
    return [
      clientKey(
        attempt(() => createPublicKey(trimmed)),
        {},
      ),
    ];
  }
  const value = attempt(() => JSON.parse(trimmed) as Record<string, unknown>);
  const list = Array.isArray(value.keys) ? (value.keys as Record<string, unknown>[]) : [value];
  return list.map((jwk) => {
    if (typeof jwk === 'object' && jwk !== null && ('d' in jwk || 'k' in jwk))
      throw new Error('it holds a private or secret key, which stays with the client: give the public one');
    return clientKey(
      attempt(() => createPublicKey({ key: jwk as never, format: 'jwk' })),
      jwk,
    );
  });
}

function attempt<T>(read: () => T): T {
  try {
    return read();
  } catch {
    throw new Error('it is neither PEM of a public key or certificate, nor a JWK or JWK Set in JSON');
  }
}

function clientKey(key: KeyObject, { kid, alg }: { kid?: unknown; alg?: unknown }): ClientKey {
  const { modulusLength = RSA_BITS_MIN, namedCurve } = key.asymmetricKeyDetails ?? {};
  const able = ALGORITHMS[[key.asymmetricKeyType, namedCurve].filter(Boolean).join(' ')] ?? [];
  const algorithms = alg === undefined ? able : able.filter((one) => one === alg);
  if (algorithms.length === 0) throw new Error(`it is for none of the algorithms ${ASSERTION_ALGORITHMS.join(', ')}`);
  if (modulusLength < RSA_BITS_MIN) throw new Error(`it has ${modulusLength} bits; from ${RSA_BITS_MIN} are accepted`);
  return { kid: typeof kid === 'string' ? kid : undefined, key, algorithms };
}

/** Who an assertion says that its sender is; undefined when it is none. Nothing is checked yet. */
export function claimedBy(assertion: string): string | undefined {
  if (assertion.length > LENGTH_MAX) return undefined;
  try {
    const { sub } = decodeJwt(assertion);
    return typeof sub === 'string' && sub !== '' ? sub : undefined;
  } catch {
    return undefined;
  }
}

/** What comes of an assertion: it holds; nobody who has the key has made it; or why it does not hold, for who has made it. */
export type Asserted = 'holds' | 'foreign' | { readonly failed: string };

/**
 * Checks an assertion of the client `id` and uses it up. `texts`: its keys, as `readClientKeys` has them; `audiences`: names of
 * ours that it may be for.
 */
export async function checkAssertion(
  assertion: string,
  { id, texts, audiences }: { id: string; texts: readonly string[]; audiences: readonly string[] },
  { store, clock }: Pick<TokenParts, 'store' | 'clock'>,
): Promise<Asserted> {
  const now = clock.wall();
  const payload = await verified(assertion, texts, now);
  if (payload === undefined) return 'foreign';
  if (typeof payload === 'string') return { failed: payload };
  const { iss, sub, aud, exp, jti } = payload;
  if (iss !== id || sub !== id) return { failed: 'Both iss and sub of the assertion must be the client_id.' };
  const named = Array.isArray(aud) ? aud : [aud];
  // One that is for somebody else as well, they could show here.
  if (named.length === 0 || !named.every((one) => typeof one === 'string' && audiences.includes(one)))
    return { failed: `The aud of the assertion must be ${audiences[0]}, and nothing else.` };
  if (typeof exp !== 'number') return { failed: 'The assertion needs an exp.' };
  if (exp * 1000 > now + (HOLDS_MOST_S + SKEW_S) * 1000)
    return { failed: 'The assertion holds for too long: an hour at most, better a minute.' };
  if (typeof jti !== 'string' || jti === '' || jti.length > 256)
    return { failed: 'The assertion needs a jti: a name that is used once, of at most 256 characters.' };
  const name = createHash('sha256').update(`${id}\n${jti}`).digest('base64url');
  const expiresAt = (exp + SKEW_S + 1) * 1000;
  const { ok } = await store.write([{ op: 'put', kind: ASSERTION_KIND, id: name, value: {}, expect: 0, expiresAt }]);
  return ok
    ? 'holds'
    : { failed: 'This assertion was used before: make a new one, with another jti, for each request.' };
}

/** The claims; a sentence where a key of the client has signed what does not hold now; undefined where none has. */
async function verified(assertion: string, texts: readonly string[], now: number) {
  if (assertion.length > LENGTH_MAX) return undefined;
  for (const { kid, key, algorithms } of texts.flatMap(readClientKeys)) {
    try {
      const header = decodeProtectedHeader(assertion);
      if (kid !== undefined && header.kid !== undefined && header.kid !== kid) continue;
      const options = { algorithms: [...algorithms], clockTolerance: SKEW_S, currentDate: new Date(now) };
      return (await jwtVerify(assertion, key, options)).payload;
    } catch (error) {
      // The signature is looked at before the claims.
      if (error instanceof errors.JWTExpired)
        return 'The assertion has expired: make a new one, and look at your clock.';
      if (error instanceof errors.JWTClaimValidationFailed)
        return 'The times of the assertion (exp, nbf, iat) do not hold: look at your clock.';
    }
  }
  return undefined;
}
