/** Settings of who may come in: the pepper, keys of small set-ups, rules for client certificates. */
import { z } from 'zod';
import { count, distinguishedName, duration, name } from '../../kernel/schema.ts';
import { grantFields, type KeyDocument, networksField } from './document.ts';
import { dpopConfig, issuersConfig } from './jwt/config.ts';
import { isOurs, keyFault } from './key.ts';
import { digestKey, pepperName } from './pepper.ts';

const pepper = z
  .string()
  .min(32, 'expected at least 32 characters of chance, such as `openssl rand -base64 32` gives')
  .max(256);

const declaredKey = z
  .strictObject({
    name: name.describe('Name in logs and metrics, and of whom it stands for.'),
    key: z
      .string()
      .regex(/^[\x21-\x7e]{16,256}$/, 'expected a key of 16 to 256 printable characters without spaces')
      .refine(
        (key) => !isOurs(key) || keyFault(key) === undefined,
        'this begins as a key of ours and its checksum is wrong: was it cut off, or mistyped?',
      )
      .optional()
      .describe(
        'The key itself, by a reference such as `${ALICE_KEY}`. Of any make, best one that `gatehouse keys` has made.',
      ),
    hash: z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}$/, 'expected an HMAC-SHA256 in base64url: 43 characters')
      .optional()
      .describe('Instead of the key: its HMAC-SHA256 under the pepper, in base64url.'),
    principal: name.optional().describe('Whom it stands for; its name when left out.'),
    ...grantFields,
    networks: networksField,
    expires: z.iso
      .datetime({ offset: true, error: 'expected a time such as 2027-01-31T00:00:00Z' })
      .optional()
      .describe('Not valid from then on.'),
  })
  .refine(({ key, hash }) => (key === undefined) !== (hash === undefined), 'expected either "key" or "hash"');

const certificateRule = z
  .strictObject({
    name: name.describe('Name in logs and metrics.'),
    subject: distinguishedName
      .optional()
      .describe('The whole subject on one line, in the order of the certificate, such as `O=Example, CN=batch`.'),
    issuer: distinguishedName.optional().describe('The whole issuer, likewise.'),
    san: z
      .string()
      .regex(/^(DNS|URI|email|IP):.+$/, 'expected DNS:…, URI:…, email:… or IP:…, such as DNS:batch.internal')
      .optional()
      .describe(
        'One of its alternative names, such as `URI:spiffe://example.com/batch`; a trailing `*` matches any ending.',
      ),
    thumbprint: z
      .string()
      .regex(
        /^([A-Za-z0-9_-]{43}|([0-9A-Fa-f]{2}:?){32})$/,
        'expected a SHA-256 in base64url (43 characters), or in hexadecimal as openssl x509 -fingerprint -sha256 prints it',
      )
      .transform((text) =>
        text.length === 43 ? text : Buffer.from(text.replaceAll(':', ''), 'hex').toString('base64url'),
      )
      .optional()
      .describe('SHA-256 of the certificate, in base64url or hexadecimal.'),
    principal: name.optional().describe('Whom it stands for; the name of the rule when left out.'),
    ...grantFields,
  })
  .refine(
    ({ subject, issuer, san, thumbprint }) => (subject ?? issuer ?? san ?? thumbprint) !== undefined,
    'expected at least one of subject, issuer, san and thumbprint',
  );

/** `access`. */
export const accessConfig = z
  .strictObject({
    realm: z
      .string()
      .regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,64}$/, 'expected at most 64 characters of ASCII, without quotes')
      .default('gatehouse')
      .describe('What `WWW-Authenticate` calls this place.'),
    pepper: z
      .union([pepper.transform((one) => [one]), z.array(pepper).min(1).max(4)])
      .default([])
      .describe(
        'Secret under which keys are hashed, by a reference such as `${GATEHOUSE_PEPPER}`. In a list the first is used for new keys, and the others still hold for old ones.',
      ),
    keys: z
      .array(declaredKey)
      .default([])
      .describe('Keys of small set-ups. Others are made by `gatehouse keys` and kept in the store.'),
    certificates: z
      .array(certificateRule)
      .default([])
      .describe('Whom client certificates stand for; the first rule that matches.'),
    issuers: issuersConfig,
    dpop: dpopConfig,
    resourceMetadata: z
      .url({
        protocol: /^https?$/,
        error: 'expected a URL, such as https://api.example.com/.well-known/oauth-protected-resource',
      })
      .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,512}$/)
      .optional()
      .describe(
        'Where the metadata of this resource is (RFC 9728): told in `WWW-Authenticate`, so that clients find the issuer by themselves.',
      ),
    remembered: count(50_000, 100, 10_000_000).describe(
      'Keys that a worker remembers to have verified (about 300 bytes each); others are hashed again.',
    ),
    rememberedTokens: count(20_000, 100, 10_000_000).describe(
      'Tokens that a worker remembers to have checked (about 1.4 kB each, more with many claims); others are checked again.',
    ),
    failures: z
      .strictObject({
        burst: count(20, 1, 100_000).describe(
          'Failed logins of an address, or with keys that begin alike, before it is slowed.',
        ),
        refill: duration('3s', '10ms').describe('How long until one more is allowed.'),
      })
      .prefault({})
      .describe('When failed logins are slowed. Whoever has the right key is never locked out.'),
  })
  .superRefine(({ keys, pepper: peppers }, context) => {
    keys.forEach(({ hash }, i) => {
      if (hash === undefined || peppers.length > 0) return;
      const message = 'a hash needs the pepper it was made with; set access.pepper';
      context.addIssue({ code: 'custom', path: ['keys', i, 'hash'], message });
    });
  })
  // From here on nothing holds the keys themselves.
  .transform(({ keys, ...rest }) => ({ ...rest, keys: keys.map((key) => hashed(key, rest.pepper[0] ?? '')) }))
  .prefault({})
  .describe('Who may come in. Routes ask for it by their own `access`.');

function hashed(declared: z.output<typeof declaredKey>, pepperInUse: string): KeyDocument {
  const { name: id, key, hash, principal, expires, ...rest } = declared;
  return {
    ...rest,
    id,
    name: id,
    principal: principal ?? id,
    hash: hash ?? digestKey(pepperInUse, key as string).toString('base64url'),
    pepper: pepperInUse === '' ? '' : pepperName(pepperInUse),
    hint: '',
    createdAt: 0,
    ...(expires === undefined ? {} : { expiresAt: Date.parse(expires) }),
    disabled: false,
    trial: false,
    labels: {},
  };
}

/** `access` after defaults; declared keys are hashed. */
export type AccessConfig = z.output<typeof accessConfig>;
/** One of `access.certificates`. */
export type CertificateRule = z.output<typeof certificateRule>;
