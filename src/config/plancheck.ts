/** Mistakes of plans and tenants: names that nothing bears, domains with two owners, rules that nobody can meet. */
import { matchesPattern } from '../policy/authorize/authorize.ts';
import { suggestion } from './nearest.ts';
import type { Parts } from './parts.ts';
import type { Path, Report } from './problem.ts';

/** Reports what plans, tenants, keys and routes get wrong about each other. What stands in the store is not seen here. */
export function checkPlans(parts: Parts, report: Report): void {
  const planNames = parts.plans.map(([name]) => name);
  const tenantNames = parts.tenants.map(([name]) => name);
  const wantPlan = (path: Path, plan: string | undefined) => {
    if (!plan || planNames.length === 0 || planNames.includes(plan)) return;
    const hint = suggestion(plan, planNames, 'plans');
    report.warn(path, `no plan here is named "${plan}": unless the store has it, its callers are refused; ${hint}`);
  };
  wantPlan(['authorize', 'defaultPlan'], parts.defaultPlan);
  checkSignup(parts, report);
  checkTenants(parts, report, wantPlan);
  parts.access?.keys.forEach(({ plan, tenant }, i) => {
    wantPlan(['access', 'keys', i, 'plan'], plan);
    if (tenant === '' || tenantNames.length === 0 || tenantNames.includes(tenant)) return;
    const hint = suggestion(tenant, tenantNames, 'tenants');
    report.warn(
      ['access', 'keys', i, 'tenant'],
      `no tenant here is named "${tenant}": unless the store has it, its plan is not known; ${hint}`,
    );
  });
  for (const [i, { access, authorize }] of parts.routes) {
    if (authorize === undefined) continue;
    const path = ['routes', i, 'authorize'];
    const { plans = [], tenants, scopes, roles } = authorize;
    plans.forEach((plan, k) => {
      wantPlan([...path, 'plans', k], plan);
    });
    const asks = plans.length > 0 || tenants !== undefined || scopes.length > 0 || roles.length > 0;
    if (asks && access === undefined)
      report.at(
        path,
        'nobody can meet this, for the route does not ask who calls; add access: { anyOf: [apiKey] }',
        'key',
      );
  }
  if (parts.whole) for (const [name, { permissions }] of parts.plans) checkNames(name, permissions, parts, report);
}

/** What a trial is like, its plan says: without one nobody can sign up. */
function checkSignup({ signup, plans, partial }: Parts, report: Report): void {
  if (signup === undefined) return;
  const path = ['signup', 'plan'];
  const names = plans.map(([name]) => name);
  const plan = plans.find(([name]) => name === signup.plan)?.[1];
  if (plan === undefined && names.length > 0) {
    const hint = suggestion(signup.plan, names, 'plans');
    report.warn(path, `no plan here is named "${signup.plan}": unless the store has it, nobody can sign up; ${hint}`);
  } else if (plan !== undefined && plan.trialPeriod === undefined && !partial.has(plan)) {
    report.warn(path, `plan "${signup.plan}" has no trialPeriod: nobody can sign up; give it one, such as 14d`);
  }
}

function checkTenants(parts: Parts, report: Report, wantPlan: (path: Path, plan: string) => void): void {
  const owners = new Map<string, string>();
  for (const [name, { plan, domains }] of parts.tenants) {
    wantPlan(['tenants', name, 'plan'], plan);
    domains.forEach((domain, i) => {
      const other = owners.get(domain);
      if (other !== undefined)
        report.at(['tenants', name, 'domains', i], `${domain} is a domain of tenant "${other}" already; take one out`);
      owners.set(domain, name);
    });
  }
}

/** Patterns that match nothing are misspelt, or of something that has gone. */
function checkNames(
  plan: string,
  { routes, models }: Parts['plans'][number][1]['permissions'],
  parts: Parts,
  report: Report,
): void {
  const routeNames = parts.routes.map(([, { name }]) => name);
  const offered = parts.routes.some(([, route]) => route.models !== undefined);
  for (const [what, patterns, names] of [
    ['routes', routes, routeNames],
    // A route that only relays serves models that have no name here.
    ['models', models, offered ? parts.modelNames : undefined],
  ] as const) {
    patterns?.forEach((pattern, i) => {
      if (names === undefined || names.some((name) => matchesPattern(pattern, name))) return;
      const one = what === 'routes' ? 'route' : 'model';
      report.warn(
        ['plans', plan, 'permissions', what, i],
        `no ${one} here is named "${pattern}"; ${suggestion(pattern, [...names], what)}`,
      );
    });
  }
}
