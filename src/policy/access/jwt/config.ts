/** Settings of tokens: who issues them, what they must say, and how they are bound to their clients. */
import { z } from 'zod';
import { count, duration, durationOnly, size } from '../../../kernel/schema.ts';
import { ALGORITHMS } from './algorithm.ts';
import { readKeyText } from './key.ts';

/** Bytes of a token, whatever is set. */
export const TOKEN_MAX = 64 * 1024;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Whether keys may be fetched from there: https, or http from this machine. */
export function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password, hash } = new URL(text);
  if (username !== '' || password !== '' || hash !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname));
}

const safeUrl = z
  .string()
  .max(2048)
  .refine(isSafeUrl, 'expected an https URL (http only on this machine), such as https://login.example.com/jwks');

const keyText = z.string().check((context) => {
  try {
    readKeyText(context.value);
  } catch (error) {
    context.issues.push({
      code: 'custom',
      input: context.value,
      message: `this key cannot be used: ${(error as Error).message}; write file:issuer.pem or a JWK in JSON`,
    });
  }
});

/** A claim by its name, or by the names that lead to it, such as `realm_access.roles`; several: the first that is there. */
const claim = (fallback: string | string[]) =>
  z.union([z.string().min(1).max(256), z.array(z.string().min(1).max(256)).max(8)]).default(fallback);

const word = z.string().min(1).max(256);

const mapping = z
  .strictObject({
    principal: claim('sub').describe('Whom the token stands for. A token without it is refused.'),
    account: claim([]).describe(
      'By what limits by `apiKey`, and the ledger, tell its use apart, such as `client_id`: nothing that is another one in each token. The principal if missing.',
    ),
    tenant: claim([]).describe('Customer it belongs to.'),
    plan: claim([]).describe('Plan in force.'),
    scopes: claim(['scope', 'scp']).describe('Scopes: a list, or a text with spaces between them.'),
    roles: claim(['roles']).describe('Roles: a list, or a text with spaces between them.'),
    models: claim([]).describe(
      'Models it may ask for: a list, or a text with spaces. All that the route offers if missing.',
    ),
  })
  .prefault({})
  .describe(
    'Which claims say what. A name with dots, such as `realm_access.roles`, leads into objects, unless a claim has just that name.',
  );

const assigned = z
  .strictObject({
    tenant: word.optional().describe('Tenant of tokens whose claims name none.'),
    plan: word.optional().describe('Plan of tokens whose claims name none.'),
    scopes: z.array(word).max(256).default([]).describe('Scopes that every token has besides its own.'),
    roles: z.array(word).max(256).default([]).describe('Roles that every token has besides its own.'),
  })
  .prefault({})
  .describe('What holds for every token of this issuer.');

const binding = z.enum(['off', 'accepted', 'required']);

/** One issuer of tokens. */
export const issuerConfig = z
  .strictObject({
    issuer: z.string().min(1).max(512).describe('The `iss` of its tokens, to the letter.'),
    jwksUrl: safeUrl.optional().describe('Where its keys are. Left out: what `discovery` says.'),
    discovery: safeUrl
      .optional()
      .describe(
        'Its metadata document, which names the keys (`jwks_uri`). Left out: `/.well-known/openid-configuration` below `issuer`.',
      ),
    keys: z
      .array(keyText)
      .min(1)
      .max(64)
      .optional()
      .describe(
        'Its public keys, as PEM or JWK, such as `file:issuer.pem`. Nothing is fetched then. A key without a `kid` of its own is taken for every `kid` that no other bears, if it is the only one for the algorithm.',
      ),
    ca: z
      .string()
      .optional()
      .describe('Authority of the server with the keys, as PEM, such as `file:ca.pem`. The public ones if missing.'),
    audiences: z
      .array(word)
      .min(1, 'expected at least one audience: the name under which this gateway is known to the issuer')
      .max(64)
      .describe('Names of this gateway: a token must be meant for one of them (`aud`).'),
    algorithms: z
      .array(z.enum(ALGORITHMS))
      .min(1)
      .default(['RS256', 'PS256', 'ES256', 'EdDSA'])
      .describe('Signature algorithms that are accepted. There is none with a shared secret, and no `none`.'),
    type: z
      .enum(['any', 'at+jwt'])
      .default('any')
      .describe(
        '`at+jwt`: only tokens that call themselves access tokens (RFC 9068). `any`: also `JWT`, and those without `typ`.',
      ),
    clockSkew: duration('30s').describe('How far the clock of the issuer may be off.'),
    maxAge: durationOnly('12h', '1s', '24d')
      .optional()
      .describe('Longest time since `iat`. No limit of its own if missing.'),
    maxSize: size('8KiB', '256').describe('Largest token.'),
    required: z
      .record(z.string().min(1).max(256), z.union([z.literal(true), word, z.number(), z.array(word).min(1).max(64)]))
      .default({})
      .describe(
        'Claims that must be there: `true` (anything but false, 0, `no` and nothing), or the value, or the values of which it must have one.',
      ),
    claims: mapping,
    assign: assigned,
    tenants: z
      .array(word)
      .min(1)
      .max(10_000)
      .optional()
      .describe(
        'Tenants that its tokens may name. All if missing: set it when the issuer belongs to one of your customers.',
      ),
    principalPrefix: z
      .string()
      .max(128)
      .optional()
      .describe(
        'What is put before the principal, so that those of two issuers are never the same. `NAME:` if missing.',
      ),
    dpop: binding
      .default('accepted')
      .describe(
        'Tokens bound to a key of the client (DPoP, RFC 9449): refused, checked where they are, or the only ones.',
      ),
    certificateBound: binding
      .default('accepted')
      .describe(
        "Tokens bound to the client's certificate (RFC 8705): refused, checked where they are, or the only ones.",
      ),
    refresh: duration('10m', '10s').describe('How often the keys are fetched anew.'),
    cooldown: duration('30s', '1s').describe('Shortest time between two fetches because of an unknown key.'),
    timeout: duration('5s', '100ms').describe('How long a fetch may take.'),
  })
  .check((context) => {
    const { jwksUrl, discovery, keys, issuer, maxSize } = context.value;
    if (maxSize > TOKEN_MAX) {
      context.issues.push({
        code: 'custom',
        input: maxSize,
        path: ['maxSize'],
        message: 'expected at most 64KiB: every token is hashed before anything is known of it',
      });
    }
    const given = [jwksUrl, discovery, keys].filter((one) => one !== undefined).length;
    if (given > 1) {
      context.issues.push({
        code: 'custom',
        input: context.value,
        message: 'there are several sources of keys; keep one of "jwksUrl", "discovery" and "keys"',
      });
    } else if (given === 0 && !isSafeUrl(issuer)) {
      context.issues.push({
        code: 'custom',
        input: context.value,
        path: ['issuer'],
        message: 'this is no https URL, so its keys cannot be found by it; add "jwksUrl", "discovery" or "keys"',
      });
    }
  });

/** `issuers`. */
export const issuersConfig = z
  .record(
    z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected a name of letters, digits and . _ - (at most 64)'),
    issuerConfig,
  )
  .check((context) => {
    const seen = new Map<string, string>();
    for (const [name, { issuer }] of Object.entries(context.value)) {
      const other = seen.get(issuer);
      if (other !== undefined) {
        context.issues.push({
          code: 'custom',
          input: issuer,
          path: [name, 'issuer'],
          message: `"${other}" is the same issuer; put its audiences and the rest into one`,
        });
      }
      seen.set(issuer, name);
    }
  })
  .default({})
  .describe('Whose tokens (JWT) are accepted, by a name of your choice.');

/** `dpop`: how proofs of possession are checked, whoever issued the token. */
export const dpopConfig = z
  .strictObject({
    maxAge: duration('60s', '5s').describe('How old a proof may be.'),
    clockSkew: duration('5s').describe("How far the client's clock may be ahead."),
    nonce: z
      .enum(['required', 'off'])
      .default('required')
      .describe('`required`: a proof must hold a nonce of this gateway, so none can be made in advance (RFC 9449 §9).'),
    nonceFor: duration('5m', '10s').describe('How long a nonce is given out; it is accepted as long again.'),
    proofs: count(500_000, 1000, 50_000_000).describe(
      'Proofs that are remembered, so that none is used twice. When more are under way, new ones are refused (503).',
    ),
    redis: z
      .string()
      .regex(/^(rediss?:\/\/|unix:)/, 'expected redis://HOST:PORT, rediss://HOST:PORT or unix:/path')
      .optional()
      .describe(
        'Redis or Valkey in which several gateways remember proofs together, where it is another than that of `redis`.',
      ),
    withoutRedis: z
      .enum(['refuse', 'local'])
      .default('refuse')
      .describe('While Redis is gone: refuse bound tokens (503), or look only at what this gateway has seen.'),
  })
  .prefault({})
  .describe('Proofs of possession (DPoP, RFC 9449).');

/** One issuer, after defaults. */
export type IssuerConfig = z.output<typeof issuerConfig>;
/** All issuers by name, after defaults. */
export type IssuersConfig = Readonly<Record<string, IssuerConfig>>;
/** `dpop` after defaults. */
export type DpopConfig = z.output<typeof dpopConfig>;
