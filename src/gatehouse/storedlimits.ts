/** The limits of plans and tenants that are kept in the store, out of the copy that a worker has of them. */
import type { Registry } from '../policy/authorize/authorize.ts';
import type { LimitConfig } from '../policy/quota/config.ts';
import { type Rule, rulesOf, type StoredLimits } from '../policy/quota/quota.ts';

/** For the room of quotas, which knows nothing of plans and tenants. */
export function storedLimits(registry: Registry): StoredLimits {
  return {
    get any() {
      return registry.plans.size > 0 || registry.tenants.size > 0;
    },
    plan: (name) => registry.plans.get(name)?.limits as LimitConfig[] | undefined,
    tenant: (name) => registry.tenants.get(name)?.limits as LimitConfig[] | undefined,
  };
}

/** All of them, for an authority. */
export function storedRules({ plans, tenants }: Registry): Rule[] {
  const rules: Rule[] = [];
  for (const [kind, all] of [
    ['plan', plans],
    ['tenant', tenants],
  ] as const) {
    for (const [name, { limits }] of all)
      for (const { rule } of rulesOf((limits ?? []) as LimitConfig[], `${kind}:${name}`)) rules.push(rule);
  }
  return rules;
}
