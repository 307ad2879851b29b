/** Revocation (RFC 7009) and introspection (RFC 7662). */
import { namesOf, readToken } from './access.ts';
import { CHALLENGE, type Client } from './client.ts';
import { CLOCK_SKEW_MS } from './config.ts';
import type { Family } from './family.ts';
import { isRefreshToken } from './family.ts';
import { type GrantParts, subjectOf } from './grants.ts';
import { OAuthError, type ServiceRequest, wanted } from './wire.ts';

/** Others may change a login at the same time. */
const TRIES = 8;

async function callerOf(request: ServiceRequest, form: ReadonlyMap<string, string>, { clients }: GrantParts) {
  const client = await clients.authenticate(request, form);
  if (client !== undefined) return client;
  throw new OAuthError('invalid_client', 'Say which client you are.', 401, CHALLENGE);
}

/** Ends a token: a refresh token with its whole login. What is no token of ours is ended already. */
export async function revoke(
  request: ServiceRequest,
  form: ReadonlyMap<string, string>,
  made: GrantParts,
): Promise<void> {
  const client = await callerOf(request, form, made);
  const token = wanted(form, 'token');
  if (isRefreshToken(token)) {
    for (let i = 0; i < TRIES; i++) {
      const found = await made.families.find(token);
      if (found === undefined || found.family.ended !== '') return;
      belongs(found.family.client, client);
      if (await made.families.end(found.id, found.family, found.version, 'revoked by its client')) return;
    }
    throw new OAuthError('temporarily_unavailable', 'The login is in use: try again.', 503);
  }
  const { parts, keys, config } = made;
  const claims = await readToken(token, keys, config.issuer, parts.clock.wall());
  if (claims === undefined) return;
  const { id, client: owner } = namesOf(claims);
  belongs(owner, client);
  const write = parts.revocation({ kind: 'id', value: id, forgetAt: Number(claims.exp) * 1000 + CLOCK_SKEW_MS });
  await parts.store.write([write], { who: `client:${client.id}`, what: 'tokens.revoke' });
}

function belongs(owner: string, client: Client): void {
  if (owner !== client.id) throw new OAuthError('invalid_grant', 'This token was given to another client.');
}

const INACTIVE = { active: false };
/** Claims that are told of an access token. */
const TOLD = [
  'scope',
  'client_id',
  'sub',
  'aud',
  'iss',
  'exp',
  'iat',
  'jti',
  'cnf',
  'tenant',
  'plan',
  'roles',
  'models',
];

/** What is known of a token. A client is told about its own; one that `introspects` about all. */
export async function introspect(
  request: ServiceRequest,
  form: ReadonlyMap<string, string>,
  made: GrantParts,
): Promise<object> {
  const client = await callerOf(request, form, made);
  if (client.public)
    throw new OAuthError('unauthorized_client', 'Only a client with a secret or keys may ask about tokens.');
  const token = wanted(form, 'token');
  const { parts, keys, config } = made;
  const sees = (owner: string) => client.introspects || owner === client.id;
  if (isRefreshToken(token)) {
    const found = await made.families.find(token);
    const now = parts.clock.wall();
    if (found === undefined || !sees(found.family.client)) return INACTIVE;
    const { family, generation } = found;
    const holds = family.ended === '' && now < family.endsAt && generation === family.generation;
    return holds && (await stands(family, made)) ? told(family, config.issuer) : INACTIVE;
  }
  const claims = await readToken(token, keys, config.issuer, parts.clock.wall());
  if (claims === undefined) return INACTIVE;
  const names = namesOf(claims);
  if (!sees(names.client) || (await parts.isRevoked(names))) return INACTIVE;
  if (names.session !== '' && (await parts.keyById(names.session)) === undefined) return INACTIVE;
  if (typeof claims.tenant === 'string' && (await parts.tenantRefusal(claims.tenant)) !== undefined) return INACTIVE;
  const shown: Record<string, unknown> = {
    active: true,
    token_type: (claims.cnf as { jkt?: string })?.jkt ? 'DPoP' : 'Bearer',
  };
  for (const name of TOLD) if (claims[name] !== undefined) shown[name] = claims[name];
  return shown;
}

async function stands(login: Family, made: GrantParts): Promise<boolean> {
  const found = await subjectOf(login, made);
  return found?.bound === false && (await made.parts.tenantRefusal(found.tenant)) === undefined;
}

function told({ scopes, client, endsAt }: Family, iss: string): object {
  return { active: true, scope: scopes.join(' '), client_id: client, iss, exp: Math.floor(endsAt / 1000) };
}
