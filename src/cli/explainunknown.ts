/** What `check --explain` says of an operation that Gatehouse does not know: whether limits on tokens or money let it pass. */
import { mayGenerate, recognize, recognizeSpelled } from '../ai/ai.ts';
import type { BudgetConfig, LimitConfig, UnknownOperations } from '../policy/quota/config.ts';
import { budgetLimits, refusesUnknown, tokenRules } from '../policy/quota/quota.ts';
import type { RouteConfig } from '../route/config.ts';
import type { CompiledRoute } from '../route/route.ts';
import type { UpstreamConfig } from '../upstream/config.ts';
import type { DescribedRequest } from './request.ts';

/** What decides about it. */
export interface LimitedConfig {
  routes: readonly (RouteConfig & { limits?: LimitConfig[]; unknownOperations?: UnknownOperations })[];
  upstreams: Readonly<Record<string, UpstreamConfig>>;
  limits?: LimitConfig[];
  budgets?: BudgetConfig[];
}

/** A sentence for people; undefined where there is nothing to say. Limits of plans and tenants are not looked at. */
export function unknownHint(
  { routes, upstreams, limits = [], budgets = [] }: LimitedConfig,
  found: CompiledRoute,
  { head, model, body }: DescribedRequest,
): string | undefined {
  const { method } = head;
  const path = found.rewrittenPath(head) ?? head.path;
  if (
    (recognize(method, head.path, head) ?? recognize(method, path, head) ?? recognizeSpelled(method, path)) !==
    undefined
  )
    return undefined;
  const tunnel = head.get('upgrade') !== undefined;
  if (!tunnel && !mayGenerate(method, path, (model ?? body) !== undefined)) return undefined;
  const route = routes[found.index];
  if (route === undefined) return undefined;
  const [rule] = [
    ...tokenRules(route.limits ?? [], route.name),
    ...tokenRules([...limits, ...budgetLimits(budgets)], ''),
  ];
  if (rule === undefined) return undefined;
  const { name } = rule;
  if (!refusesUnknown(route, upstreams[route.upstream ?? '']?.protocol))
    return `no operation that Gatehouse knows: it passes, and ${name} does not count what it uses (unknownOperations)`;
  const but = rule.unit === 'credits' ? ', unless tokens cost nothing here' : '';
  return `no operation that Gatehouse knows: 403 unknown_operation, for ${name} could not count what it uses${but} (unknownOperations)`;
}
