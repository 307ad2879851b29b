/** Routes on which limits of tokens and money can be gone around: what nobody can count passes. */
import { mayGenerate, recognizeSpelled } from '../ai/ai.ts';
import type { LimitConfig } from '../policy/quota/config.ts';
import { budgetLimits, refusesUnknown, tokenRules } from '../policy/quota/quota.ts';
import type { Parts } from './parts.ts';
import type { Report } from './problem.ts';
import type { WholeRouteConfig } from './route.ts';

/** Reports routes that let operations pass which are not known, although tokens or money are limited there, and nothing else. */
export function checkUnknown(parts: Parts, report: Report): void {
  const { money, plans, tenants, upstreams } = parts;
  if (money === undefined) return;
  const everywhere = tokenRules([...money.limits, ...budgetLimits(money.budgets)], '');
  const byCaller = [
    ...plans.flatMap(([name, { limits }]) => tokenRules(limits, `plan:${name}`)),
    ...tenants.flatMap(([name, { limits }]) => tokenRules(limits, `tenant:${name}`)),
  ];
  const protocols = new Map(upstreams.map(([name, { protocol }]) => [name, protocol]));
  for (const [i, route] of parts.routes) {
    const protocol = protocols.get(route.upstream ?? '');
    if (route.service !== undefined || parts.partial.has(route) || refusesUnknown(route, protocol)) continue;
    const forModels = refusesUnknown({ ...route, unknownOperations: undefined }, protocol);
    const said = route.unknownOperations === 'allow';
    // Of any HTTP service that is all there is to say.
    if (said && !forModels) continue;
    const own = tokenRules(route.limits, route.name);
    const [rule] = [...own, ...everywhere, ...(route.access === undefined ? [] : byCaller)];
    if (rule === undefined || !admitsUnknown(route) || [...route.limits, ...money.limits].some(boundsAll)) continue;
    const what = `operations that Gatehouse does not know pass here, and ${rule.name} cannot count what they use`;
    if (said)
      report.warn(
        ['routes', i, 'unknownOperations'],
        `${what}; take this out, narrow "match" to operations that it knows, or add a limit on requests or bytes`,
        'key',
      );
    else
      report.warn(
        ['routes', i],
        `${what}; set "protocol" of the upstream if it serves models, else say unknownOperations: allow`,
        'key',
      );
  }
}

/** A limit that counts whatever passes. */
function boundsAll({ mode, requests, bytes }: LimitConfig): boolean {
  return mode === 'enforce' && (requests ?? bytes) !== undefined;
}

/** Whether there may be requests for this route that are not known and could make a model work. */
function admitsUnknown({ match: { path }, rewrite }: WholeRouteConfig): boolean {
  if (path === undefined || rewrite?.path !== undefined) return true;
  // A pattern is no path of an operation.
  return path.some((one) => recognizeSpelled('POST', one) === undefined && mayGenerate('POST', one, true));
}
