/** Settings of the token service (OAuth 2) and of its clients. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { count, duration, durationOnly } from '../../kernel/schema.ts';
import { readClientKeys } from './assertion.ts';

/** Kind of the documents of clients in the store, under their `id`. */
export const CLIENT_KIND = 'client';

/** The name of the service as issuer of tokens: in metrics, in revocations, and as `issuer` of an identity. */
export const OWN_ISSUER = 'gatehouse';

/** No token holds longer, in milliseconds. */
export const TOKEN_LIFETIME_MAX_MS = 86_400_000;

/** No token is dated further ahead: those who take it refuse one of the future. Less than their clocks may differ (30 s). */
export const DATED_AHEAD_MAX_MS = 25_000;

/** So far the clock of the node that gives tokens may be ahead of the one that ends them, where both happen over and over. */
const CLOCKS_DIFFER_MS = 5000;

/**
 * The clocks of nodes, and of those who check tokens, differ by less (milliseconds): so much longer than it says a token may hold,
 * and what ends it is remembered.
 */
export const CLOCK_SKEW_MS = 5 * 60_000;

/**
 * Up to when tokens are dated that were given out before `now`, where those up to `before` have been ended already; milliseconds
 * on the wall clock. `iat` counts in whole seconds, so what ends tokens of before ends those of this second, and the service
 * dates the next one into the second after: ended once more within that second, it is this one that must end. Ended again and
 * again, that would run away into the future; but no token is dated further ahead than `DATED_AHEAD_MAX_MS`.
 */
export function datedUpTo(now: number, before = 0): number {
  const endOfSecond = (at: number) => Math.floor(at / 1000) * 1000 + 999;
  const furthest = endOfSecond(now + DATED_AHEAD_MAX_MS + CLOCKS_DIFFER_MS);
  return Math.max(endOfSecond(now), before, Math.min(before + 1000, furthest));
}

/** Up to when what has ended tokens at `now` is remembered: under whatever settings they were given, none holds longer. */
export const forgottenAt = (now: number): number => now + TOKEN_LIFETIME_MAX_MS + CLOCK_SKEW_MS;

/** Grants by their names on the wire. */
export const GRANTS = {
  clientCredentials: 'client_credentials',
  tokenExchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
  refresh: 'refresh_token',
  device: 'urn:ietf:params:oauth:grant-type:device_code',
} as const;

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const word = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, 'expected a word of printable ASCII without spaces, at most 128 characters');
const scope = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'expected a scope (RFC 6749 §3.3): printable, without spaces and quotes');

const clientKeys = z
  .string()
  .max(65_536)
  .check((context) => {
    try {
      readClientKeys(context.value);
    } catch (error) {
      const message = `no key of a client: ${(error as Error).message}`;
      context.issues.push({ code: 'custom', input: context.value, message });
    }
  });

/** What a `client_id` can be. */
export const CLIENT_ID = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$/;

const clientFields = {
  id: z
    .string()
    .regex(CLIENT_ID, 'expected an id of letters, digits and . _ ~ - (at most 128)')
    .describe('`client_id`.'),
  name: z.string().max(128).default('').describe('What people are shown when they are asked to let it in.'),
  grants: z
    .array(z.enum(['clientCredentials', 'tokenExchange', 'refresh', 'device']))
    .min(1)
    .default(['clientCredentials'])
    .describe('What it may ask tokens for.'),
  scopes: z.array(scope).max(64).default([]).describe('Scopes that its tokens may have; people can give no others.'),
  principal: word.optional().describe('Whom its own tokens stand for; its id when left out.'),
  tenant: word.or(z.literal('')).default('').describe('Customer that its own tokens belong to.'),
  plan: word.or(z.literal('')).default('').describe('Plan of its own tokens; that of the tenant when left out.'),
  roles: z.array(word).max(64).default([]).describe('Roles of its own tokens.'),
  models: z.array(word).max(256).optional().describe('Models that its own tokens may ask for; all when left out.'),
  keys: z
    .array(clientKeys)
    .min(1)
    .max(16)
    .optional()
    .describe(
      'Its public keys, as PEM, JWK or JWK Set, such as `file:batch.pem`: it proves itself by assertions that it signs (`private_key_jwt`, RFC 7523) and has no secret.',
    ),
  introspects: z
    .boolean()
    .default(false)
    .describe('Whether it may look at tokens of others (RFC 7662), as a server that takes them has to.'),
  dpop: z.enum(['accepted', 'required']).default('accepted').describe('Whether its tokens must be bound to a key.'),
  disabled: z.boolean().default(false).describe('Switched off.'),
};

/** A client as it stands in the store. */
export const clientDocument = z.strictObject({
  ...clientFields,
  hash: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/)
    .optional()
    .describe('HMAC-SHA256 of its secret under the pepper; a client without one, and without keys, is public.'),
});

/** One of `tokens.clients`. */
const declaredClient = z
  .strictObject({
    ...clientFields,
    secret: z
      .string()
      .min(24, 'expected at least 24 characters of chance, such as `openssl rand -base64 24` gives')
      .max(256)
      .optional()
      .describe(
        'Its secret, by a reference such as `${BATCH_SECRET}`. A client without one, and without `keys`, is public, as a tool is.',
      ),
  })
  .refine(
    ({ secret, keys, grants }) => (secret ?? keys) !== undefined || !grants.includes('clientCredentials'),
    'a client without "secret" and "keys" cannot prove that it is itself; give it one of them, or other "grants" than clientCredentials',
  )
  .refine(
    ({ secret, keys }) => secret === undefined || keys === undefined,
    'a client proves itself in one way: keep "secret" or "keys"',
  )
  // From here on nothing holds the secret itself.
  .transform(({ secret, ...rest }) => ({ ...rest, hash: secret === undefined ? undefined : hashDeclared(secret) }));

/** SHA-256 of a secret that stands in the configuration, in base64url. */
export function hashDeclared(secret: string): string {
  return createHash('sha256').update('gatehouse client secret\0').update(secret).digest('base64url');
}

/** `tokens`. */
export const tokensConfig = z
  .strictObject({
    issuer: z
      .url({ protocol: /^https?$/, error: 'expected a URL, such as https://api.example.com' })
      .refine((text) => {
        const { protocol, hostname, search, hash } = new URL(text);
        if (text.endsWith('/') || search !== '' || hash !== '') return false;
        return protocol === 'https:' || LOOPBACK.test(hostname);
      }, 'expected an https URL (http only on this machine) without a slash at its end, such as https://api.example.com')
      .describe('`iss` of the tokens, and the address below which clients find the service.'),
    audiences: z
      .array(word)
      .min(1)
      .max(16)
      .optional()
      .describe('`aud` of the tokens: the names of what they are for. The issuer when left out.'),
    path: z
      .string()
      .regex(/^(\/[A-Za-z0-9._~-]+)+$/, 'expected a path such as /oauth')
      .default('/oauth')
      .describe('Path below which its addresses are: /oauth/token and so on.'),
    algorithm: z.enum(['EdDSA', 'ES256']).default('ES256').describe('Signature of the tokens.'),
    lifetime: durationOnly('30min', '1min', '24h').prefault('30min').describe('How long a token holds.'),
    refreshLifetime: durationOnly('30d', '1min', '365d')
      .prefault('30d')
      .describe('How long a login goes on by refresh tokens.'),
    refreshGrace: duration('10s').describe(
      'How long a refresh token that was used gives the same successor once more, for a client that has lost the answer. Later it ends the login.',
    ),
    rotateKeys: durationOnly('30d', '1min', '365d').prefault('30d').describe('How long one key signs.'),
    publishAhead: durationOnly('1h', '1s', '30d')
      .prefault('1h')
      .describe('How long a key is published before it signs, so that others have fetched it.'),
    deviceLifetime: durationOnly('10min', '1min', '1h').prefault('10min').describe('How long a device may be let in.'),
    deviceInterval: durationOnly('5s', '1s', '1min').prefault('5s').describe('How often a device may ask.'),
    failures: z
      .strictObject({
        burst: count(20, 1, 100_000).describe('Wrong secrets or codes of an address, before it is slowed.'),
        refill: duration('3s', '10ms').describe('How long until one more is allowed.'),
      })
      .prefault({})
      .describe('When guesses are slowed.'),
    clients: z
      .array(declaredClient)
      .max(10_000)
      .default([])
      .describe('Clients of small set-ups. API keys are clients as well, by id and key.'),
  })
  .check((context) => {
    const { clients, publishAhead, rotateKeys } = context.value;
    const seen = new Set<string>();
    clients.forEach(({ id }, i) => {
      if (seen.has(id)) {
        const message = `two clients have the id "${id}"; rename one`;
        context.issues.push({ code: 'custom', input: id, path: ['clients', i, 'id'], message });
      }
      seen.add(id);
    });
    if (publishAhead >= rotateKeys) {
      const message = 'expected less than "rotateKeys": a key is published while the one before it signs';
      context.issues.push({ code: 'custom', input: publishAhead, path: ['publishAhead'], message });
    }
  })
  .optional()
  .describe('Tokens that Gatehouse itself issues (OAuth 2). A route with `service: tokens` leads to it.');

/** `tokens` after defaults. */
export type TokensConfig = NonNullable<z.output<typeof tokensConfig>>;
/** A client of the store. */
export type ClientDocument = z.output<typeof clientDocument>;
/** One of `tokens.clients` after defaults. */
export type DeclaredClient = TokensConfig['clients'][number];

/** Claims that the service writes itself: labels of a key never stand for them. */
export const RESERVED: ReadonlySet<string> = new Set([
  ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'cnf', 'act', 'azp', 'auth_time', 'client_id', 'scope', 'scp'],
  ...['tenant', 'plan', 'roles', 'models', 'fam', 'sid', 'typ', 'trial', '__proto__'],
]);

/** How workers take the tokens of the service: as those of an issuer whose keys nobody has to fetch. */
export function ownIssuer({ issuer, audiences }: TokensConfig) {
  return {
    issuer,
    audiences: audiences ?? [issuer],
    // Either, whatever signs now: each key is good for its own only, and tokens of before a change go on.
    algorithms: ['ES256' as const, 'EdDSA' as const],
    type: 'at+jwt' as const,
    maxSize: '64KiB',
    claims: {
      principal: 'sub',
      // A token of a key is that key to limits and to the ledger, one of a client the client.
      account: ['sid', 'client_id'],
      tenant: 'tenant',
      plan: 'plan',
      scopes: 'scope',
      roles: 'roles',
      models: 'models',
    },
    // Whoever comes with a key or with its token is the same to limits and rules.
    principalPrefix: '',
  };
}

/** `signup`. */
export const signupConfig = z
  .strictObject({
    plan: word.describe('Plan of those who sign up; it has a `trialPeriod`.'),
    scopes: z.array(scope).max(64).default([]).describe('Scopes of their keys.'),
    perDay: count(100, 1, 1_000_000).describe('Trials that may begin in a day (UTC).'),
    perNetwork: count(3, 1, 1_000_000).describe(
      'Trials that may begin in a day from one address; an IPv6 network of 64 bits counts as one.',
    ),
    emailDomains: z
      .array(z.string().regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, 'expected a domain in lower case, such as example.com'))
      .max(1000)
      .default([])
      .describe('Domains of e-mail addresses that may sign up; all when empty. The address itself is not verified.'),
  })
  .optional()
  .describe('Trials for everybody. A route with `service: signup` leads to it; without one nobody can sign up.');

/** `signup` after defaults. */
export type SignupConfig = NonNullable<z.output<typeof signupConfig>>;
