/** The token endpoint: what is asked for by which grant, and what comes of it (RFC 6749, 8693, 8628). */
import { type Binding, signToken, type TokenAnswer } from './access.ts';
import { CHALLENGE, type Client, type Clients, clientOfKey, tooMany } from './client.ts';
import { DATED_AHEAD_MAX_MS, GRANTS, type TokensConfig } from './config.ts';
import type { Devices } from './device.ts';
import type { Families, Family } from './family.ts';
import type { SigningKeys } from './keys.ts';
import type { Subject, TokenParts } from './parts.ts';
import { grantScope, OFFLINE, readScope } from './scope.ts';
import { type OAuthCode, OAuthError, type ServiceRequest, wanted } from './wire.ts';

/** The type of an API key as subject token (RFC 8693 §3). */
export const API_KEY_TYPE = 'urn:gatehouse:params:oauth:token-type:api-key';
const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token';

/** What the grants work with. */
export interface GrantParts {
  parts: TokenParts;
  keys: SigningKeys;
  clients: Clients;
  families: Families;
  devices: Devices;
  config: TokensConfig;
}

/** A request for tokens, read so far as all grants have it in common. */
interface Ask {
  readonly form: ReadonlyMap<string, string>;
  readonly client: Client | undefined;
  readonly binding: Binding;
  readonly address: string;
}

/** Names of grants by how they are called on the wire. */
const NAMES = new Map<string, string>(Object.entries(GRANTS).map(([name, wire]) => [wire, name]));

/** Answers a request for tokens. Throws an `OAuthError` when there are none. */
export async function giveTokens(
  request: ServiceRequest,
  form: ReadonlyMap<string, string>,
  made: GrantParts,
): Promise<{ tokens: TokenAnswer; grant: string }> {
  const type = wanted(form, 'grant_type');
  const grant = NAMES.get(type);
  if (grant === undefined)
    throw new OAuthError('unsupported_grant_type', 'Grants that are known here stand in the metadata.');
  const client = await made.clients.authenticate(request, form);
  if (client === undefined && grant !== 'tokenExchange')
    throw new OAuthError(
      'invalid_client',
      grant === 'refresh'
        ? 'Say which client you are: send client_id, and the secret if there is one; for a login that an API key began, its id and the key.'
        : 'Say which client you are: send client_id, and the secret if there is one.',
      401,
      CHALLENGE,
    );
  if (client !== undefined && !client.grants.includes(grant))
    throw new OAuthError('unauthorized_client', `This client may not use the grant ${type}.`);
  const { audiences = [made.config.issuer] } = made.config;
  for (const name of ['resource', 'audience']) {
    const target = form.get(name);
    if (target !== undefined && !audiences.includes(target))
      throw new OAuthError('invalid_target', `Tokens of this service are for ${audiences.join(', ')}.`);
  }
  const binding = await bindingOf(request, made.parts);
  if (client?.dpop === 'required' && binding.jkt === '')
    throw new OAuthError('invalid_dpop_proof', 'This client must bind its tokens to a key: send a DPoP proof.');
  const ask: Ask = { form, client, binding, address: request.address };
  const tokens =
    grant === 'clientCredentials'
      ? await clientCredentials(ask, client as Client, made)
      : grant === 'tokenExchange'
        ? await exchange(ask, made)
        : grant === 'refresh'
          ? await refresh(ask, client as Client, made)
          : await device(ask, client as Client, made);
  return { tokens, grant };
}

/** To what the tokens are to be bound: the key of a proof, else the certificate of the connection. */
async function bindingOf({ fields, method, uri, thumbprint }: ServiceRequest, parts: TokenParts): Promise<Binding> {
  const { dpop } = fields;
  if (dpop === undefined) return { jkt: '', thumbprint };
  const proved = await parts.prove(dpop, method, uri);
  if ('jkt' in proved) return { jkt: proved.jkt, thumbprint: '' };
  if ('nonce' in proved)
    throw new OAuthError('use_dpop_nonce', 'Put the nonce of DPoP-Nonce into the proof.', 400, [
      ['DPoP-Nonce', proved.nonce],
    ]);
  throw new OAuthError('invalid_dpop_proof', proved.failed);
}

/** A client for itself (RFC 6749 §4.4). */
async function clientCredentials({ form, binding }: Ask, client: Client, made: GrantParts): Promise<TokenAnswer> {
  if (client.public)
    throw new OAuthError('unauthorized_client', 'A client without a secret gets no tokens for itself.');
  mayTravel(client.subject);
  await tenantStands(client.subject, made, 'invalid_grant');
  const scopes = grantScope(readScope(form.get('scope')), client.scopes);
  return sign(made, client.subject, client.id, scopes, binding, '', undefined);
}

/** An API key becomes a token (RFC 8693). */
async function exchange({ form, client, binding, address }: Ask, made: GrantParts): Promise<TokenAnswer> {
  const { parts } = made;
  if (wanted(form, 'subject_token_type') !== API_KEY_TYPE)
    throw new OAuthError('invalid_request', `What can be exchanged here is an API key: ${API_KEY_TYPE}.`);
  if (form.has('actor_token')) throw new OAuthError('invalid_request', 'Nobody can act for somebody else here.');
  if ((form.get('requested_token_type') ?? ACCESS_TOKEN_TYPE) !== ACCESS_TOKEN_TYPE)
    throw new OAuthError('invalid_request', `What is given is an access token: ${ACCESS_TOKEN_TYPE}.`);
  const key = await parts.keyOf(wanted(form, 'subject_token'), address);
  if (key === undefined) {
    const wait = parts.hold(address, '');
    parts.failed(address, '');
    if (wait > 0) throw tooMany(wait);
    // RFC 8693 §2.2.2: not invalid_grant.
    throw new OAuthError('invalid_request', 'The API key is not known here, or not valid any more.');
  }
  mayTravel(key);
  await tenantStands(key, made, 'invalid_request');
  const by = client ?? clientOfKey(key);
  const asked = readScope(form.get('scope'));
  const bounds = client === undefined || client.subject.id === key.id ? [key.scopes] : [key.scopes, client.scopes];
  const scopes = grantScope(asked, ...bounds);
  let family = { id: '', refreshToken: '' };
  if (asked?.includes(OFFLINE) && by.grants.includes('refresh')) {
    const begun = made.families.begin(loginOf(by, key, scopes, binding));
    await parts.store.write([begun.write]);
    family = begun;
  }
  const tokens = await sign(made, key, by.id, scopes, binding, family.id, undefined);
  if (family.id !== '') tokens.refresh_token = family.refreshToken;
  return { ...tokens, issued_token_type: ACCESS_TOKEN_TYPE };
}

/** A login goes on (RFC 6749 §6). */
async function refresh({ form, binding }: Ask, client: Client, made: GrantParts): Promise<TokenAnswer> {
  const asked = readScope(form.get('scope'));
  let subject: Subject | undefined;
  let scopes: string[] = [];
  const { id, family, refreshToken } = await made.families.use(wanted(form, 'refresh_token'), async (_, login) => {
    if (login.client !== client.id)
      throw new OAuthError('invalid_grant', 'This refresh token belongs to another client.');
    if (login.jkt !== '' && login.jkt !== binding.jkt)
      throw new OAuthError('invalid_grant', 'This refresh token is bound to a key: send a DPoP proof by it.');
    subject = await subjectOf(login, made);
    if (subject === undefined)
      throw new OAuthError('invalid_grant', 'The API key that this login began with is not valid any more.');
    mayTravel(subject, 'invalid_grant');
    await tenantStands(subject, made, 'invalid_grant');
    // The refresh token must not be used up for nothing.
    await dateOf(subject, client.id, made);
    const now = subject.scopes;
    scopes = grantScope(
      asked,
      login.scopes.filter((scope) => now.includes(scope)),
    );
  });
  const tokens = await sign(made, subject as Subject, client.id, scopes, binding, id, family.endsAt);
  return { ...tokens, refresh_token: refreshToken };
}

/** A device that a person has let in (RFC 8628 §3.4). */
async function device({ form, binding }: Ask, client: Client, made: GrantParts): Promise<TokenAnswer> {
  return made.devices.poll(wanted(form, 'device_code'), client.id, async (login) => {
    const subject = await made.parts.keyById(login.key);
    if (subject === undefined)
      throw new OAuthError('access_denied', 'Whoever let the device in is not known any more.');
    mayTravel(subject, 'access_denied');
    await tenantStands(subject, made, 'invalid_grant');
    const scopes = login.scopes.filter((scope) => subject.scopes.includes(scope));
    const begun = client.grants.includes('refresh')
      ? made.families.begin(loginOf(client, subject, scopes, binding))
      : undefined;
    const tokens = await sign(made, subject, client.id, scopes, binding, begun?.id ?? '', undefined);
    if (begun !== undefined) tokens.refresh_token = begun.refreshToken;
    return { writes: begun === undefined ? [] : [begun.write], result: tokens };
  });
}

/** Public clients show the same key again, since they have nothing else to show (RFC 9449 §5). */
function loginOf(client: Client, subject: Subject, scopes: readonly string[], binding: Binding) {
  const jkt = client.public ? binding.jkt : '';
  const { by, id, principal, tenant } = subject;
  return { client: client.id, by, subject: id, principal, tenant, scopes, jkt };
}

/** Whose login it is, as they are now; undefined where nobody is, or somebody else bears the id. */
export async function subjectOf(
  login: Pick<Family, 'by' | 'subject' | 'principal' | 'tenant'>,
  { parts, clients }: Pick<GrantParts, 'parts' | 'clients'>,
): Promise<Subject | undefined> {
  const found = login.by === 'key' ? await parts.keyById(login.subject) : (await clients.find(login.subject))?.subject;
  return found?.principal === login.principal && found.tenant === login.tenant ? found : undefined;
}

/** A token would be good from everywhere. */
function mayTravel(subject: Subject, code: OAuthCode = 'unauthorized_client'): void {
  if (subject.bound) throw new OAuthError(code, 'This API key may be used from certain networks only: use it itself.');
}

/** No tokens for who would be let in nowhere. `code`: that of the grant; for an exchange RFC 8693 §2.2.2 asks for another one. */
async function tenantStands({ tenant }: Subject, { parts }: GrantParts, code: OAuthCode): Promise<void> {
  const refusal = await parts.tenantRefusal(tenant);
  if (refusal !== undefined) throw new OAuthError(code, refusal);
}

/** What a token is dated. What was ended in this second must not take the first token after that along. */
async function dateOf({ by, id }: Subject, client: string, { parts }: GrantParts): Promise<number> {
  const now = parts.clock.wall();
  const date = Math.max(now, (await parts.endedUpTo(by === 'key' ? id : '', client)) + 1);
  const early = date - now - DATED_AHEAD_MAX_MS;
  if (early <= 0) return date;
  throw new OAuthError(
    'temporarily_unavailable',
    'Its tokens were ended many times in a row: those of now would end with them. Try again in a moment.',
    503,
    [['Retry-After', String(Math.ceil(early / 1000))]],
  );
}

async function sign(
  made: GrantParts,
  subject: Subject,
  client: string,
  scopes: readonly string[],
  binding: Binding,
  family: string,
  until: number | undefined,
): Promise<TokenAnswer> {
  const date = await dateOf(subject, client, made);
  return signToken({ subject, client, scopes, binding, family, until }, made.keys, made.config, date);
}
