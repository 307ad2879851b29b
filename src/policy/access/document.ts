/** What is kept of an API key: everything but the key itself. */
import { z } from 'zod';
import { isNetwork } from '../../http/network.ts';
import { priority } from '../../kernel/schema.ts';

const word = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, 'expected a word of printable ASCII without spaces, at most 128 characters');
const instant = z.number().int().min(0).max(8_640_000_000_000_000);

/** What a credential may do, whichever way it is proved. */
export const grantFields = {
  tenant: word.or(z.literal('')).default('').describe('Customer that it belongs to; none when left out.'),
  plan: word.or(z.literal('')).default('').describe('Plan in force; that of the tenant when left out.'),
  scopes: z.array(word).max(64).default([]).describe('What it may do; routes ask for scopes.'),
  roles: z.array(word).max(64).default([]).describe('Roles, for rules of permission.'),
  models: z
    .array(z.string().regex(/^[^\s*]{0,127}\*?$/, 'expected the name of a model; a * may stand at its end'))
    .max(256)
    .optional()
    .describe(
      'Models that may be asked for, a trailing `*` matching any ending; all that the route offers when left out.',
    ),
  priority: priority
    .optional()
    .describe('Its requests are never more important than this, whatever route, plan and tenant say.'),
};

/** Networks that a credential must come from. */
export const networksField = z
  .array(z.string().refine(isNetwork, 'expected an IP address or network, such as 10.0.0.0/8'))
  .max(64)
  .default([])
  .describe('Addresses and networks it may be used from; from everywhere when left out.');

/** A key as it stands in the store, under its `id`. Times are milliseconds since 1970. */
export const keyDocument = z.strictObject({
  id: word.describe('Public name, for logs, metrics and commands.'),
  hash: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/, 'expected an HMAC-SHA256 in base64url: 43 characters')
    .describe('HMAC-SHA256 of the key under the pepper.'),
  pepper: z
    .string()
    .regex(/^([0-9a-f]{8})?$/)
    .default('')
    .describe('Name of the pepper that `hash` was made with.'),
  hint: z.string().max(32).default('').describe('Beginning and end of the key, to tell keys apart.'),
  name: z.string().max(128).default('').describe('What people call it.'),
  principal: word.describe('Whom it stands for.'),
  ...grantFields,
  networks: networksField,
  createdAt: instant.default(0),
  notBefore: instant.optional().describe('Not valid before.'),
  expiresAt: instant.optional().describe('Not valid from then on.'),
  disabled: z.boolean().default(false).describe('Switched off, or revoked.'),
  trial: z.boolean().default(false).describe('Made by a trial.'),
  labels: z.record(word, z.string().max(256)).default({}).describe('Anything else; rules may read it.'),
});

/** A key after defaults. */
export type KeyDocument = z.output<typeof keyDocument>;

/** What a worker needs of a document. */
export type KeyFacts = Pick<
  KeyDocument,
  'id' | 'hash' | 'tenant' | 'plan' | 'scopes' | 'roles' | 'models' | 'networks' | 'labels' | 'trial' | 'disabled'
> & {
  principal: string;
  priority?: number | undefined;
  notBefore?: number | undefined;
  expiresAt?: number | undefined;
};
