/** Settings of who may do what: plans and tenants, in the configuration and in the store alike, and the rules of routes. */
import { z } from 'zod';
import { durationOnly, name, priority, sizeOnly, timeZone } from '../../kernel/schema.ts';
import { expressionFault } from './expression.ts';
import { NAME_PATTERN } from './pattern.ts';

/** Kind of plans in the store, under their `id`. */
export const PLAN_KIND = 'plan';
/** Kind of tenants in the store, under their `id`. */
export const TENANT_KIND = 'tenant';

const word = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, 'expected a word of printable ASCII without spaces, at most 128 characters');
const pattern = z.string().regex(NAME_PATTERN, 'expected a name without spaces; a * stands for anything');
const patterns = (what: string) => z.array(pattern).max(256).optional().describe(what);

const condition = z.strictObject({
  name: name.optional().describe('Name in errors and metrics; made up when left out.'),
  if: z
    .string()
    .min(1)
    .max(4096)
    .check((context) => {
      const fault = expressionFault(context.value);
      if (fault !== undefined) context.issues.push({ code: 'custom', input: context.value, message: fault });
    })
    .describe(
      'Expression in CEL that must be true, such as `request.ip.inNetwork("10.0.0.0/8") || "ops" in identity.roles`.',
    ),
  message: z
    .string()
    .regex(/^[\x20-\x7e]{1,256}$/, 'expected a sentence in ASCII, at most 256 characters')
    .optional()
    .describe('What a client is told when it is not true.'),
});

/** What is asked of a request; all that is given must hold. */
const ruleFields = {
  models: patterns('Models that may be asked for, such as `small-*`; all when left out.'),
  tools: patterns(
    'Tools that a request may offer to the model, by name; built-in ones by their type, such as `web_search*`. All when left out, none when empty.',
  ),
  maxTokens: z
    .number()
    .int()
    .min(1)
    .max(100_000_000)
    .optional()
    .describe('Most tokens that a request may ask to be generated. A request that sets no bound gets this one.'),
  overMaxTokens: z
    .enum(['refuse', 'clamp'])
    .default('refuse')
    .describe('What becomes of a request that asks for more tokens: 403, or it gets `maxTokens`.'),
  maxBody: sizeOnly('1MiB').optional().describe('Bytes of a request body (413 beyond).'),
  scopes: z.array(word).max(64).default([]).describe('Scopes that the credential must have, all of them.'),
  roles: z.array(word).max(64).default([]).describe('Roles of which the caller must have one.'),
  conditions: z.array(condition).max(64).default([]).describe('Expressions that must be true, all of them.'),
};

/** `routes[].authorize`. */
export const routeRulesConfig = z
  .strictObject({
    plans: z.array(word).max(256).optional().describe('Plans of which the caller must have one.'),
    tenants: z.array(word).max(256).optional().describe('Tenants of which the caller must be one.'),
    ...ruleFields,
  })
  .optional()
  .describe('What callers may do here, beside what their plan and key say: all of it must hold.');

const permissions = z
  .strictObject({ routes: patterns('Names of the routes that may be used; all when left out.'), ...ruleFields })
  .prefault({})
  .describe('What its callers may do: all that is given must hold, and what is not given is allowed.');

/** A plan, without its limits. */
export const planFields = {
  name: z.string().max(128).default('').describe('What people call it.'),
  permissions,
  priority: priority
    .optional()
    .describe(
      'Importance of the requests of its callers, such as `test` for a trial: the lesser of this and that of the route holds.',
    ),
  trialPeriod: durationOnly('14d', '1min', '365d')
    .optional()
    .describe('Makes it a plan for trials: how long the trial of a new tenant lasts.'),
};

const hostName = z
  .string()
  .regex(/^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$/, 'expected a host name in lower case, such as ai.example.com');

/** A tenant, without its limits and the end of its trial, which is written in two ways. */
export const tenantFields = {
  name: z.string().max(128).default('').describe('What people call it.'),
  plan: word.or(z.literal('')).default('').describe('Its plan; a key may name another one.'),
  domains: z.array(hostName).max(256).default([]).describe('Host names of its own: nobody else may come in by them.'),
  priority: priority
    .optional()
    .describe('Its requests are never more important than this, whatever plan and route say.'),
  labels: z.record(word, z.string().max(256)).default({}).describe('Anything else; conditions may read it.'),
  disabled: z.boolean().default(false).describe('Switched off: its callers are refused.'),
};

/** The end of a trial as the store has it. */
export const trialEndField = z
  .number()
  .int()
  .min(0)
  .max(8_640_000_000_000_000)
  .optional()
  .describe('Its callers are refused from then on, in milliseconds since 1970.');

/** The end of a trial as the configuration has it. */
export const trialEndConfig = z.iso
  .datetime({ offset: true, error: 'expected a time such as 2027-01-31T00:00:00Z' })
  .transform((text) => Date.parse(text))
  .optional()
  .describe('Its callers are refused from then on.');

/** Id of a plan or tenant. */
export const idField = word.describe('Name by which keys and tokens name it.');

/** What is asked of a request, after defaults. */
export type Rules = z.output<typeof permissions>;
/** `routes[].authorize` after defaults. */
export type RouteRules = NonNullable<z.output<typeof routeRulesConfig>>;
/** One condition. */
export type Condition = z.output<typeof condition>;

/** What a worker needs of a plan. */
export interface PlanFacts {
  readonly permissions: Rules;
  readonly priority?: number | undefined;
  /** Of the room of quotas. */
  readonly limits?: readonly unknown[];
}

/** What a worker needs of a tenant. */
export interface TenantFacts {
  readonly plan: string;
  readonly domains: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly disabled: boolean;
  readonly priority?: number | undefined;
  /** Wall clock, milliseconds since 1970. */
  readonly trialEndsAt?: number | undefined;
  /** Of the room of quotas. */
  readonly limits?: readonly unknown[];
}

/** `authorize`. */
export const authorizeConfig = z
  .strictObject({
    defaultPlan: word.optional().describe('Plan of callers whose key and tenant name none.'),
    unknownTenants: z
      .enum(['allow', 'refuse'])
      .default('allow')
      .describe(
        'Callers whose tenant is neither in the configuration nor in the store: `allow` takes the name for a mere label, `refuse` answers 403.',
      ),
    timeZone: timeZone.describe('Of `time.hour`, `time.weekday` and the like in conditions.'),
  })
  .prefault({})
  .describe('How plans and tenants are applied.');

/** `authorize` after defaults. */
export type AuthorizeConfig = z.output<typeof authorizeConfig>;
