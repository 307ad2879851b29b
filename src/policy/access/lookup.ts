/** Whose credential is shown, without letting anybody in: for `gatehouse check --as`. */
import type { Identity } from '../../kernel/identity.ts';
import type { KeyDocument } from './document.ts';
import { checkClaims, identityOf } from './jwt/claims.ts';
import type { IssuersConfig } from './jwt/config.ts';
import { reasonOf } from './jwt/fault.ts';
import { parseToken } from './jwt/token.ts';
import { isOurs, keyFault } from './key.ts';
import { digestKey } from './pepper.ts';

/** Hashes that a key may be kept under, one for each pepper; none where it cannot be a key. */
export function hashesOf(key: string, peppers: readonly string[]): string[] {
  if (isOurs(key) && keyFault(key) !== undefined) return [];
  return (peppers.length > 0 ? peppers : ['']).map((pepper) => digestKey(pepper, key).toString('base64url'));
}

/** Whom a key stands for. */
export function keyIdentity(key: KeyDocument): Identity {
  const { id, principal, tenant, plan, scopes, roles, models, labels, trial, expiresAt } = key;
  return {
    method: 'apiKey',
    principal,
    credential: id,
    account: id,
    tenant,
    plan,
    scopes: new Set(scopes),
    roles: new Set(roles),
    models,
    claims: trial ? { ...labels, trial } : labels,
    expiresAt: expiresAt ?? Number.POSITIVE_INFINITY,
  };
}

/** Why a key lets nobody in now; undefined: it does. `now`: wall clock. */
export function keyRefusal({ disabled, expiresAt, notBefore }: KeyDocument, now: number): string | undefined {
  if (disabled) return 'it is switched off';
  if (expiresAt !== undefined && now >= expiresAt) return `it has expired (${new Date(expiresAt).toISOString()})`;
  if (notBefore !== undefined && now < notBefore) return `it is not valid before ${new Date(notBefore).toISOString()}`;
  return undefined;
}

/**
 * Whom a token says that it stands for, and the name of its issuer. Its signature is NOT checked: never let anybody in by this. A
 * string: why it would be refused.
 */
export function unverifiedToken(
  token: string,
  issuers: IssuersConfig,
  now: number,
): { identity: Identity; issuer: string } | string {
  const parsed = parseToken(token, 65_536);
  if (typeof parsed === 'string') return reasonOf(parsed);
  const found = Object.entries(issuers).find(([, { issuer }]) => issuer === parsed.claims.iss);
  if (found === undefined) return reasonOf('issuer');
  const [name, config] = found;
  const validity = checkClaims(parsed.claims, config, now);
  if (typeof validity === 'string') return reasonOf(validity);
  const identity = identityOf(parsed.claims, config, name, '', validity.to);
  return typeof identity === 'string' ? reasonOf(identity) : { identity, issuer: name };
}
