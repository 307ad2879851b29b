/** OpenID Connect: authorization code with PKCE (RFC 7636), state and nonce; the groups of a person become a role. */
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  discovery,
  fetchUserInfo,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client';
import { z } from 'zod';
import type { OidcConfig } from '../config.ts';
import { ROLES, type Role } from './caller.ts';

/** Seconds that the issuer may take to answer. */
const PATIENCE_S = 10;

const started = z.object({ state: z.string(), nonce: z.string(), verifier: z.string(), until: z.number() });

/** A login under way: what has to come back. */
export type Started = Omit<z.output<typeof started>, 'until'>;

/** The same out of a cookie; undefined when it is none. */
export function startedLogin(value: unknown): (Started & { until: number }) | undefined {
  const { success, data } = started.safeParse(value);
  return success ? data : undefined;
}

/** The issuer as it was found last, with the settings it was found by. */
let known: { settings: string; configuration: Promise<Configuration> } | undefined;

function issuerOf({ issuer, clientId, clientSecret }: OidcConfig): Promise<Configuration> {
  const settings = JSON.stringify([issuer, clientId, clientSecret]);
  if (known?.settings === settings) return known.configuration;
  const execute = issuer.startsWith('http:') ? [allowInsecureRequests] : [];
  const configuration = discovery(new URL(issuer), clientId, clientSecret, undefined, { execute, timeout: PATIENCE_S });
  known = { settings, configuration };
  configuration.catch(() => {
    // The next one asks again.
    if (known?.configuration === configuration) known = undefined;
  });
  return configuration;
}

const redirectOf = ({ url }: OidcConfig): string => `${url.replace(/\/$/, '')}/auth/callback`;

/** Where to send a browser, and what has to come back with it. Rejects when the issuer cannot be used. */
export async function beginLogin(config: OidcConfig): Promise<{ started: Started; url: URL }> {
  const issuer = await issuerOf(config);
  const one: Started = { state: randomState(), nonce: randomNonce(), verifier: randomPKCECodeVerifier() };
  const url = buildAuthorizationUrl(issuer, {
    redirect_uri: redirectOf(config),
    scope: config.scopes.join(' '),
    state: one.state,
    nonce: one.nonce,
    code_challenge: await calculatePKCECodeChallenge(one.verifier),
    code_challenge_method: 'S256',
  });
  return { started: one, url };
}

/** Who has come back. Rejects when the issuer does not confirm it. `role` undefined: in no group that may come in. */
export async function finishLogin(
  config: OidcConfig,
  { state, nonce, verifier }: Started,
  query: URLSearchParams,
): Promise<{ name: string; role: Role | undefined }> {
  const issuer = await issuerOf(config);
  const here = new URL(`${redirectOf(config)}?${query}`);
  const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true };
  const tokens = await authorizationCodeGrant(issuer, here, checks);
  const claims = tokens.claims();
  if (claims === undefined) throw new Error('the issuer sent no ID token');
  let facts: Record<string, unknown> = claims;
  const missing = facts[config.groupsClaim] === undefined || facts[config.nameClaim] === undefined;
  if (missing && issuer.serverMetadata().userinfo_endpoint !== undefined) {
    facts = { ...(await fetchUserInfo(issuer, tokens.access_token, claims.sub)), ...claims };
  }
  const name = facts[config.nameClaim];
  return { name: typeof name === 'string' && name !== '' ? name : claims.sub, role: roleOf(config, facts) };
}

/** The highest role of the groups. */
function roleOf({ groupsClaim, roles }: OidcConfig, facts: Record<string, unknown>): Role | undefined {
  const claimed = facts[groupsClaim];
  const groups = new Set(Array.isArray(claimed) ? claimed : typeof claimed === 'string' ? [claimed] : []);
  const had = Object.entries(roles).flatMap(([group, role]) => (groups.has(group) ? [ROLES.indexOf(role)] : []));
  return had.length === 0 ? undefined : ROLES[Math.max(...had)];
}
