/** Access tokens in the form of RFC 9068: made, and read again for introspection. */
import { decodeProtectedHeader, jwtVerify, SignJWT } from 'jose';
import { RESERVED, type TokensConfig } from './config.ts';
import type { SigningKeys } from './keys.ts';
import type { Subject, TokenNames } from './parts.ts';
import { chance } from './secret.ts';
import { OAuthError } from './wire.ts';

/** What a token is bound to; '' for nothing. */
export interface Binding {
  readonly jkt: string;
  readonly thumbprint: string;
}

/** What is to be said. */
export interface TokenOrder {
  readonly subject: Subject;
  readonly client: string;
  readonly scopes: readonly string[];
  readonly binding: Binding;
  /** Login whose refresh tokens bring such tokens; '' for none. */
  readonly family: string;
  /** It holds no longer than that; wall clock in milliseconds since 1970. */
  readonly until: number | undefined;
}

/** What a client gets (RFC 6749 §5.1). */
export interface TokenAnswer {
  access_token: string;
  token_type: 'Bearer' | 'DPoP';
  expires_in: number;
  scope: string;
  refresh_token?: string;
  issued_token_type?: string;
}

/** Signs a token. `now`: wall clock. Throws an `OAuthError` while there is no key. */
export async function signToken(
  order: TokenOrder,
  keys: Pick<SigningKeys, 'signer'>,
  config: Pick<TokensConfig, 'issuer' | 'audiences' | 'lifetime'>,
  now: number,
): Promise<TokenAnswer> {
  const signer = keys.signer();
  if (signer === undefined)
    throw new OAuthError('temporarily_unavailable', 'There is no key to sign with yet: try again soon.', 503);
  const { subject, client, scopes, binding, family, until } = order;
  const issuedAt = Math.floor(now / 1000);
  const ends = Math.min(
    now + config.lifetime,
    subject.expiresAt ?? Number.POSITIVE_INFINITY,
    until ?? now + config.lifetime,
  );
  const expiresAt = Math.floor(ends / 1000);
  if (expiresAt <= issuedAt) throw new OAuthError('invalid_grant', 'What the token would stand for has expired.');
  const claims: Record<string, unknown> = {};
  for (const [name, label] of Object.entries(subject.labels)) if (!RESERVED.has(name)) claims[name] = label;
  Object.assign(claims, { client_id: client, scope: scopes.join(' ') });
  if (subject.tenant !== '') claims.tenant = subject.tenant;
  if (subject.plan !== '') claims.plan = subject.plan;
  if (subject.roles.length > 0) claims.roles = subject.roles;
  if (subject.models !== undefined) claims.models = subject.models;
  if (subject.trial) claims.trial = true;
  // By this the tokens of a key end with it.
  if (subject.by === 'key') claims.sid = subject.id;
  if (family !== '') claims.fam = family;
  if (binding.jkt !== '') claims.cnf = { jkt: binding.jkt };
  else if (binding.thumbprint !== '') claims.cnf = { 'x5t#S256': binding.thumbprint };
  const { issuer, audiences = [issuer] } = config;
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: signer.alg, typ: 'at+jwt', kid: signer.kid })
    .setIssuer(issuer)
    .setSubject(subject.principal)
    .setAudience(audiences.length === 1 ? (audiences[0] as string) : audiences)
    .setIssuedAt(issuedAt)
    .setExpirationTime(expiresAt)
    .setJti(chance(16))
    .sign(signer.key);
  return {
    access_token: token,
    token_type: binding.jkt === '' ? 'Bearer' : 'DPoP',
    expires_in: expiresAt - issuedAt,
    scope: scopes.join(' '),
  };
}

/** A token of ours that holds by signature and time; undefined for any other. `now`: wall clock. */
export async function readToken(
  token: string,
  keys: Pick<SigningKeys, 'find'>,
  issuer: string,
  now: number,
): Promise<Record<string, unknown> | undefined> {
  try {
    const { kid = '' } = decodeProtectedHeader(token);
    const found = keys.find(kid);
    if (found === undefined) return undefined;
    const { payload } = await jwtVerify(token, found.key, {
      issuer,
      typ: 'at+jwt',
      algorithms: [found.alg],
      currentDate: new Date(now),
    });
    return payload as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** By what a token may have been revoked. */
export function namesOf(claims: Readonly<Record<string, unknown>>): TokenNames {
  return {
    id: text(claims.jti),
    principal: text(claims.sub),
    session: text(claims.sid),
    client: text(claims.client_id),
    family: text(claims.fam),
    issuedAt: Number(claims.iat) * 1000,
  };
}
