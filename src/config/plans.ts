/** Plans and tenants, whole: what they may do and how much. The documents of the store and the parts of the configuration. */
import { z } from 'zod';
import {
  idField,
  type PlanFacts,
  planFields,
  type TenantFacts,
  tenantFields,
  trialEndConfig,
  trialEndField,
} from '../policy/authorize/config.ts';
import { limitsConfig } from '../policy/quota/config.ts';

const planLimits = limitsConfig.describe('How much its callers may use, by which key.');
const tenantLimits = limitsConfig.describe('How much its callers may use, beside the limits of the plan.');

/** `plans.NAME`. */
export const planConfig = z.strictObject({ ...planFields, limits: planLimits });

/** `tenants.NAME`. */
export const tenantConfig = z.strictObject({ ...tenantFields, trialEndsAt: trialEndConfig, limits: tenantLimits });

/**
 * A plan as it stands in the store, under kind `plan` and its `id`. What is stored is what goes into the schema, not what comes
 * out: sizes, durations and limits stay as people have written them.
 */
export const planDocument = z.strictObject({ id: idField, ...planFields, limits: planLimits });

/** A tenant as it stands in the store, under kind `tenant` and its `id`; stored as it goes into the schema. */
export const tenantDocument = z.strictObject({
  id: idField,
  ...tenantFields,
  trialEndsAt: trialEndField,
  createdAt: z.number().int().min(0).default(0).describe('Milliseconds since 1970.'),
  limits: tenantLimits,
});

/** A plan's document → what workers get. Throws a `ZodError` when the document is none. */
export function packPlan(id: string, value: unknown): PlanFacts {
  const { permissions, limits, priority } = planDocument.parse({ ...(value as object), id });
  return { permissions, ...(priority !== undefined && { priority }), ...(limits.length > 0 && { limits }) };
}

/** A tenant's document → what workers get. Throws a `ZodError` when the document is none. */
export function packTenant(id: string, value: unknown): TenantFacts {
  const facts = tenantDocument.parse({ ...(value as object), id });
  const { plan, domains, labels, disabled, trialEndsAt, limits, priority } = facts;
  const rest = { ...(trialEndsAt !== undefined && { trialEndsAt }), ...(limits.length > 0 && { limits }) };
  return { plan, domains, labels, disabled, ...(priority !== undefined && { priority }), ...rest };
}

/** A plan after defaults. */
export type PlanConfig = z.output<typeof planConfig>;
/** A tenant after defaults. */
export type TenantConfig = z.output<typeof tenantConfig>;
/** A plan as it is written to the store. */
export type PlanDocument = z.input<typeof planDocument>;
/** A tenant as it is written to the store. */
export type TenantDocument = z.input<typeof tenantDocument>;
