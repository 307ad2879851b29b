/** What the claims of a token say: whether it holds now and here (RFC 7519 §4.1, RFC 8725 §3), and for whom. */
import type { Identity } from '../../../kernel/identity.ts';
import type { IssuerConfig } from './config.ts';
import type { Fault } from './fault.ts';

/** Claims of a token: one strictly parsed JSON object. */
export type Claims = Readonly<Record<string, unknown>>;

/** Values of one claim: a bound on what a token can make us remember. */
const WORDS_MAX = 1024;
/** Latest time that a claim may name, in seconds: the year 9999. */
const SECONDS_MAX = 253_402_300_799;

/** The claim of that very name, or the one that dots lead to. */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  if (!path.includes('.')) return undefined;
  let here: unknown = claims;
  for (const step of path.split('.')) {
    if (typeof here !== 'object' || here === null || Array.isArray(here) || !Object.hasOwn(here, step))
      return undefined;
    here = (here as Record<string, unknown>)[step];
  }
  return here;
}

function firstOf(claims: Claims, paths: string | readonly string[]): unknown {
  for (const path of typeof paths === 'string' ? [paths] : paths) {
    const value = claimAt(claims, path);
    if (value !== undefined && value !== null) return value;
  }
  return undefined;
}

/** A list of words, written as a list or with spaces between them; undefined for anything else. */
function wordsOf(value: unknown): string[] | undefined {
  const list = typeof value === 'string' ? value.split(' ').filter((one) => one !== '') : value;
  if (!Array.isArray(list) || list.length > WORDS_MAX || !list.every((one) => typeof one === 'string'))
    return undefined;
  return list as string[];
}

/** NumericDate (RFC 7519 §2) → milliseconds; undefined when it is none. */
function timeOf(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 && value <= SECONDS_MAX ? value * 1000 : undefined;
}

/** Wall times between which a token holds, skew included, in milliseconds since 1970. */
export interface Validity {
  from: number;
  to: number;
}

/** Reads `exp`, `nbf`, `iat`, `aud` and what is required besides. `now`: wall clock. */
export function checkClaims(claims: Claims, config: IssuerConfig, now: number): Validity | Fault {
  const { clockSkew: skew } = config;
  const expires = timeOf(claims.exp);
  if (expires === undefined) return 'claim';
  const begins = claims.nbf === undefined ? 0 : timeOf(claims.nbf);
  const issued = claims.iat === undefined ? undefined : timeOf(claims.iat);
  if (begins === undefined || (claims.iat !== undefined && issued === undefined)) return 'claim';
  // Times come first: they are told to anybody, and must not tell whether what comes after them is right.
  let to = expires + skew;
  if (now >= to) return 'expired';
  if (now < begins - skew) return 'notYetValid';
  if (issued !== undefined && now < issued - skew) return 'issuedInFuture';
  if (config.maxAge !== undefined) {
    if (issued === undefined) return 'claim';
    if (now >= issued + config.maxAge + skew) return 'tooOld';
    to = Math.min(to, issued + config.maxAge + skew);
  }
  if (!meantForUs(claims.aud, config.audiences)) return 'audience';
  for (const path in config.required) {
    if (!satisfies(claimAt(claims, path), config.required[path] as string)) return 'claim';
  }
  return { from: begins - skew, to };
}

function meantForUs(aud: unknown, audiences: readonly string[]): boolean {
  if (typeof aud === 'string') return audiences.includes(aud);
  return (
    Array.isArray(aud) &&
    aud.length <= WORDS_MAX &&
    aud.every((one) => typeof one === 'string') &&
    aud.some((one) => audiences.includes(one))
  );
}

/** Values of a claim that is there and says no. */
const NOTHING: ReadonlySet<unknown> = new Set([false, 0, 'false', '0', 'no']);

function satisfies(value: unknown, wanted: true | string | number | readonly string[]): boolean {
  if (value === undefined || value === null || value === '') return false;
  // Who asks for `email_verified: true` wants no `false`; some issuers write that as a text.
  if (wanted === true) return !NOTHING.has(value) && !(Array.isArray(value) && value.length === 0);
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return typeof wanted === 'object' ? list.some((one) => wanted.includes(one as string)) : list.includes(wanted);
}

/** Claims whose values can be revoked, beside the principal: one token, one login, one client, one family of refreshed tokens. */
export interface Names {
  id: string;
  session: string;
  client: string;
  family: string;
  /** Wall clock, milliseconds since 1970; 0 when it is not said. */
  issuedAt: number;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What a token can be revoked by. */
export function namesOf(claims: Claims): Names {
  return {
    id: text(claims.jti),
    session: text(claims.sid),
    client: text(claims.client_id) || text(claims.azp),
    family: text(claims.fam),
    issuedAt: timeOf(claims.iat) ?? 0,
  };
}

/** Longest principal, tenant and the like. */
const NAME_MAX = 512;

/** A name that may go into logs and limits: no control characters, not too long. */
function nameIn(value: unknown): string | undefined {
  const name = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof name !== 'string' || name === '' || name.length > NAME_MAX) return undefined;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(name) ? undefined : name;
}

/** Who a checked token stands for. `hash` names tokens without `jti`. */
export function identityOf(
  claims: Claims,
  config: IssuerConfig,
  issuer: string,
  hash: string,
  expiresAt: number,
): Identity | Fault {
  const { claims: map, assign, tenants } = config;
  const principal = nameIn(firstOf(claims, map.principal));
  const account = nameIn(firstOf(claims, map.account) ?? principal);
  if (principal === undefined || account === undefined) return 'claim';
  const told = firstOf(claims, map.tenant);
  const tenant = told === undefined ? (assign.tenant ?? '') : nameIn(told);
  // One that cannot be read must not count as none: nothing would be forbidden, and nothing limited.
  const planned = firstOf(claims, map.plan) ?? assign.plan;
  const plan = planned === undefined ? '' : nameIn(planned);
  if (plan === undefined || tenant === undefined || (tenants !== undefined && !tenants.includes(tenant)))
    return 'claim';
  const scopes = wordsOf(firstOf(claims, map.scopes) ?? []);
  const roles = wordsOf(firstOf(claims, map.roles) ?? []);
  const models = firstOf(claims, map.models);
  const allowed = models === undefined ? undefined : wordsOf(models);
  if (scopes === undefined || roles === undefined || (models !== undefined && allowed === undefined)) return 'claim';
  const prefix = config.principalPrefix ?? `${issuer}:`;
  return {
    method: 'jwt',
    principal: prefix + principal,
    credential: nameIn(claims.jti) ?? `sha256:${hash.slice(0, 16)}`,
    account: prefix + account,
    tenant,
    plan,
    scopes: new Set([...assign.scopes, ...scopes]),
    roles: new Set([...assign.roles, ...roles]),
    models: allowed,
    priority: undefined,
    claims,
    expiresAt,
  };
}
