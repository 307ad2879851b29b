/** Plans and tenants. */
import { z } from 'zod';
import { type PlanDocument, planDocument, type TenantDocument, tenantDocument } from '../../config/config.ts';
import { KEY_KIND } from '../../policy/access/access.ts';
import { PLAN_KIND, TENANT_KIND } from '../../policy/authorize/authorize.ts';
import { problem } from '../answer.ts';
import { DOMAIN_KIND } from './domains.ts';
import { knownPlan } from './names.ts';
import type { Resource } from './resource.ts';
import { time, withMilliseconds, withTimes } from './times.ts';

const planOrder = planDocument.omit({ id: true }).describe('What its callers may do, and how much.');

/** Plans, as the API has them. */
export const plans: Resource<Omit<PlanDocument, 'id'>> = {
  name: 'plans',
  one: 'plan',
  kind: PLAN_KIND,
  reads: 'viewer',
  writes: 'admin',
  tenants: false,
  order: planOrder,
  answer: planOrder,
  fixed: [],
  ids: 'chosen',
  asSent: true,
  shown: (value) => value,
  make: (id, order: object) => named(planDocument.shape.id, id, order),
  changed: ({ id }, order: object) => ({ id, value: order }),
  async gone({ id }, { store, names }) {
    // One of the same name in the configuration takes its place.
    if (names?.plans.includes(id)) return [];
    for await (const page of store.scan<{ plan?: string }>(TENANT_KIND)) {
      const user = page.find(({ value }) => value.plan === id);
      if (user !== undefined)
        return problem(
          409,
          'in_use',
          `${id} is the plan of tenant ${user.id}, whose callers would be refused: give it another.`,
        );
    }
    return [];
  },
};

type Order = { readonly plan?: unknown };

const TIMES = ['createdAt', 'trialEndsAt'];

const tenantOrder = tenantDocument
  .omit({ id: true, createdAt: true })
  .extend({ trialEndsAt: time.optional().describe('Its callers are refused from then on.') })
  .describe('A customer: its plan, domains and limits.');

/** Tenants, as the API has them. */
export const tenants: Resource<Omit<TenantDocument, 'id'>> = {
  name: 'tenants',
  one: 'tenant',
  kind: TENANT_KIND,
  reads: 'viewer',
  writes: 'admin',
  tenants: false,
  order: tenantOrder,
  answer: z.object({ ...tenantOrder.shape, createdAt: time }),
  fixed: ['createdAt'],
  ids: 'chosen',
  asSent: true,
  shown: (value) => withTimes(value, TIMES),
  make: async (id, order: Order, around) =>
    (await knownPlan(order.plan, undefined, around)) ??
    named(tenantDocument.shape.id, id, { ...withMilliseconds(order, TIMES), createdAt: around.now }),
  async changed({ id, value }, order: Order, around) {
    const unknown = await knownPlan(order.plan, value.plan, around);
    if (unknown !== undefined) return unknown;
    return { id, value: { ...withMilliseconds(order, TIMES), createdAt: value.createdAt ?? 0 } };
  },
  // A host is one tenant's: nobody else's callers may come in by it.
  lookupsOf: ({ domains }) => [...new Set(domains ?? [])].map((domain) => `domain:${domain.toLowerCase()}`),
  async gone({ id }, { store }) {
    for (const [kind, what] of [
      [KEY_KIND, 'keys'],
      [DOMAIN_KIND, 'domains'],
    ] as const) {
      const [one] = (await store.list(kind, { parent: id, limit: 1 })).documents;
      if (one !== undefined)
        return problem(
          409,
          'in_use',
          `${id} has ${what} yet, such as ${one.id}: delete them first, or disable the tenant.`,
        );
    }
    return [];
  },
};

function named(schema: z.ZodType, id: string | undefined, value: object) {
  const parsed = schema.safeParse(id);
  if (parsed.success) return { id: id as string, value };
  const message = parsed.error.issues[0]?.message ?? 'wrong';
  return problem(422, 'invalid', `id: ${message}`, [{ path: 'id', message }]);
}
