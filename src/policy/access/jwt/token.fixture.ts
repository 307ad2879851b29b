/** Tokens made by hand, byte by byte, so that wrong ones can be made as well; and the gate that is to see through them. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { ManualClock } from '../../../kernel/clock.ts';
import type { Exchange } from '../../../kernel/exchange.ts';
import type { AuthVerdict } from '../authenticator.ts';
import { dpopConfig, type IssuerConfig, type IssuersConfig, issuersConfig } from './config.ts';
import { FAULTS, type Fault } from './fault.ts';
import { sha256 } from './hash.ts';
import { JwtAuthenticator } from './jwt.ts';
import { type PublicJwk, thumbprintOf } from './key.ts';
import type { Ask } from './proofasker.ts';
import { sourceOf } from './source.ts';
import { Tokens } from './tokens.ts';

/** Wall clock of the tests, in seconds. */
export const NOW = 1_750_000_000;

/** Text, or a value as JSON, in base64url. */
export const b64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A key pair with its public JWK. */
export interface Pair {
  alg: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
  jwk: PublicJwk;
}

/** Makes a key for an algorithm. */
export function pairFor(alg: string, kid?: string): Pair {
  const pair =
    alg.startsWith('RS') || alg.startsWith('PS')
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : alg.startsWith('ES')
        ? generateKeyPairSync('ec', { namedCurve: { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg] as string })
        : generateKeyPairSync('ed25519');
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), ...(kid === undefined ? {} : { kid }) } as PublicJwk;
  return { alg, ...pair, jwk };
}

/** Signs as JWS asks (RFC 7518 §3). */
export function signature(alg: string, key: KeyObject, data: string): Buffer {
  const hash = /^Ed/.test(alg) ? null : `sha${alg.slice(2)}`;
  if (alg.startsWith('PS'))
    return sign(hash, Buffer.from(data), { key, padding: 6, saltLength: Number(alg.slice(2)) / 8 });
  if (alg.startsWith('ES')) return sign(hash, Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' });
  return sign(hash, Buffer.from(data), key);
}

/** A signed token; `header` and `claims` may be raw text. */
export function tokenOf(pair: Pair, claims: unknown, header: unknown = {}): string {
  const full =
    typeof header === 'string' ? header : { alg: pair.alg, kid: pair.jwk.kid, typ: 'JWT', ...(header as object) };
  const data = `${b64(full)}.${b64(claims)}`;
  return `${data}.${signature(pair.alg, pair.privateKey, data).toString('base64url')}`;
}

/** Claims of a token that is right. */
export const CLAIMS = {
  iss: 'https://login.example.com',
  sub: 'alice',
  aud: 'https://api.example.com',
  iat: NOW - 10,
  exp: NOW + 600,
  jti: 'token-1',
  scope: 'inference read',
};

/** What a request shows beside its token. */
export interface Shown {
  method?: string;
  path?: string;
  authority?: string;
  scheme?: string;
  fields?: readonly (readonly [string, string])[];
  certificate?: string;
  trusted?: boolean;
}

/** An exchange with what an authenticator looks at. */
export function exchangeWith({
  method = 'POST',
  path = '/v1/chat/completions',
  authority = 'api.example.com',
  scheme = 'https',
  fields = [],
  certificate,
  trusted = false,
}: Shown = {}): Exchange {
  const get = (name: string) => fields.find(([one]) => one === name)?.[1];
  const count = (name: string) => fields.filter(([one]) => one === name).length;
  return {
    answerLines: '',
    head: { method, path, authority, get, count },
    inbound: {
      scheme,
      peer: { address: '10.0.0.1', port: 1, trusted },
      tls: certificate === undefined ? undefined : { certificate: { thumbprint: certificate } },
    },
  } as unknown as Exchange;
}

/** An issuer with these keys, and settings beside. */
export function gateFor(
  pairs: readonly Pair[],
  more: Record<string, unknown> = {},
  { ask, dpop = {} }: { ask?: Ask; dpop?: Record<string, unknown> } = {},
) {
  const clock = new ManualClock(NOW * 1000);
  const tokens = new Tokens(clock, ask);
  const issuers = issuersConfig.parse({
    corporate: {
      issuer: CLAIMS.iss,
      audiences: [CLAIMS.aud],
      ...(pairs.length === 0 ? {} : { keys: pairs.map(({ jwk }) => JSON.stringify(jwk)) }),
      ...more,
    },
  });
  const settings = { dpop: dpopConfig.parse(dpop), rememberedTokens: 10_000 };
  let jwt = new JwtAuthenticator({ issuers, ...settings }, tokens);
  const authenticate = (scheme: 'bearer' | 'dpop', token: string, exchange: Exchange) =>
    jwt.authenticate(scheme, token, exchange);
  const see = (token: string, shown: Shown = {}, scheme: 'bearer' | 'dpop' = 'bearer') =>
    jwt.authenticate(scheme, token, exchangeWith(shown));
  /** Takes other settings over. */
  const change = (next: IssuersConfig) => {
    jwt = new JwtAuthenticator({ issuers: next, ...settings }, tokens, jwt);
  };
  const now = () => jwt;
  return { clock, tokens, revocations: tokens.revocations, issuers, jwt, see, authenticate, change, now };
}

/** Keys as the supervisor tells them. */
export const newsOf = (config: IssuerConfig | undefined, ...pairs: Pair[]) => ({
  keys: [{ name: 'corporate', source: sourceOf(config as IssuerConfig), keys: pairs.map(({ jwk }) => jwk) }],
});

/** The name of the fault that was answered; the principal of who was let in. */
export function nameOf(verdict: AuthVerdict | Promise<AuthVerdict>): Fault | string {
  if (verdict instanceof Promise) return 'a promise';
  if (!('failed' in verdict)) return verdict.principal;
  const found = Object.entries(FAULTS).find(([, fault]) => fault === verdict);
  return found?.[0] ?? verdict.error ?? verdict.failed;
}

/** A DPoP proof of this key; `claims` may change or take out what belongs in it. */
export function proofOf(pair: Pair, token: string, claims: Record<string, unknown> = {}, header: object = {}): string {
  const ath = sha256(token);
  const { kid: _, ...jwk } = pair.jwk;
  return tokenOf(
    pair,
    {
      jti: `proof-${++proofs}`,
      htm: 'POST',
      htu: 'https://api.example.com/v1/chat/completions',
      iat: NOW,
      ath,
      ...claims,
    },
    { typ: 'dpop+jwt', kid: undefined, jwk, ...header },
  );
}

let proofs = 0;

/** Claims that bind a token to a key. */
export const boundTo = (pair: Pair) => ({ cnf: { jkt: thumbprintOf(pair.jwk) } });
