/** Settings of the admin port. */
import { z } from 'zod';
import { address, count, duration, name } from '../kernel/schema.ts';
import { ROLES } from './access/caller.ts';
import { hashAdminToken } from './access/token.ts';

const role = z.enum(ROLES);
const tenant = z.string().max(128);

const declaredToken = z
  .strictObject({
    name: name.describe('Whom it stands for, in the history and the log.'),
    token: z
      .string()
      .regex(/^[\x21-\x7e]{16,256}$/, 'expected a token of 16 to 256 printable characters without spaces')
      .optional()
      .describe('The token itself, by a reference such as `${ADMIN_TOKEN}`; best made by `openssl rand -hex 32`.'),
    hash: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hexadecimal, as `printf %s TOKEN | sha256sum` gives')
      .optional()
      .describe('Instead of the token: its SHA-256 in hexadecimal.'),
    role: role.describe('`viewer` looks, `operator` runs things and manages keys, `admin` may do everything.'),
    tenant: tenant.default('').describe('Only keys of this tenant, and nothing of the gateway itself; all when empty.'),
    scopes: z
      .array(z.string().min(1).max(128))
      .max(64)
      .default([])
      .describe('Scopes that a caller of one tenant may give to keys.'),
  })
  .refine(({ token, hash }) => (token === undefined) !== (hash === undefined), 'expected either "token" or "hash"')
  // From here on nothing holds the tokens themselves.
  .transform(({ token, hash, ...rest }) => ({ ...rest, hash: hash ?? hashAdminToken(token as string) }));

const oidc = z.strictObject({
  issuer: z
    .url({ protocol: /^https?$/, error: 'expected the URL of an issuer, such as https://login.example.com' })
    .refine(
      (url) => url.startsWith('https:') || /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])[:/]/.test(`${url}/`),
      'expected https; http is for an issuer on this machine only',
    )
    .describe('Issuer (OpenID Connect Discovery): its metadata are at `/.well-known/openid-configuration` below.'),
  clientId: z.string().min(1).max(256).describe('Name under which the issuer knows this gateway.'),
  clientSecret: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .describe('Secret that the issuer gave, such as `${OIDC_SECRET}`.'),
  url: z
    .url({ protocol: /^https?$/, error: 'expected a URL, such as https://admin.example.com' })
    .describe('Where browsers reach the admin port. The issuer has to allow `URL/auth/callback` as redirect.'),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/))
    .max(32)
    .default(['openid', 'profile', 'email'])
    .describe('Scopes that are asked for; `openid` has to be among them.'),
  groupsClaim: z.string().min(1).max(128).default('groups').describe('Claim that lists the groups of a person.'),
  roles: z
    .record(z.string().min(1).max(256), role)
    .refine((roles) => Object.keys(roles).length > 0, 'expected at least one group, such as { platform: admin }')
    .describe('Group → role; the highest counts. Who is in none of them is not let in.'),
  nameClaim: z
    .string()
    .min(1)
    .max(128)
    .default('email')
    .describe('Claim that names a person; `sub` where it is missing.'),
});

/** `admin:` of the configuration. */
export const adminConfig = z
  .strictObject({
    address: address.default('127.0.0.1:9901').describe('Where /metrics, /api/… and the dashboard answer.'),
    anonymous: z
      .array(z.enum(['metrics', 'health']))
      .optional()
      .describe(
        'What answers without asking who it is: `metrics`, `health` (/healthz and /readyz). `[health]` when left out. On loopback without `access` everything does.',
      ),
    access: z
      .strictObject({
        tokens: z.array(declaredToken).default([]).describe('Tokens; others are made by `gatehouse admins create`.'),
        oidc: oidc.optional().describe('Login of people by an OpenID Connect provider.'),
        session: duration('1h', '1m').describe('How long a login by OpenID Connect holds.'),
        sessionSecret: z
          .string()
          .min(32, 'expected at least 32 characters of chance, such as `openssl rand -base64 32` gives')
          .max(256)
          .optional()
          .describe('Secret that logins are sealed with. By chance when left out: a restart then ends them.'),
        failures: z
          .strictObject({
            burst: count(10, 1, 100_000).describe('Failed logins of an address before it is slowed.'),
            refill: duration('10s', '10ms').describe('How long until one more is allowed.'),
          })
          .prefault({})
          .describe('When failed logins are slowed. Whoever has the right token is never locked out.'),
      })
      .optional()
      .describe('Who may ask. Needed where the address can be reached from other machines.'),
  })
  .prefault({});

/** Admin settings after defaults; declared tokens are hashed. */
export type AdminConfig = z.output<typeof adminConfig>;
/** Settings of `admin.access`. */
export type AdminAccess = NonNullable<AdminConfig['access']>;
/** Settings of `admin.access.oidc`. */
export type OidcConfig = NonNullable<AdminAccess['oidc']>;
