/** Limits of the configuration → rules, alike in the supervisor and in every worker. */

import { COST_UNIT, formatCost } from '../../ai/cost.ts';
import { sayWindow } from './amount.ts';
import { type BudgetConfig, type LimitConfig, unitOf } from './config.ts';
import type { Refill, Rule } from './rule.ts';
import { countsTokens } from './uncounted.ts';

/** Parts of a key that no stranger can make up. A model is what the client calls so, where a route leads to an upstream. */
const KNOWN_PARTS = new Set(['apiKey', 'tenant', 'user', 'plan', 'version', 'route', 'resource']);
/** Parts of a key that are not known before the body was read. */
const BODY_PARTS = new Set(['model', 'version']);

/** A rule with what requests need to know of it. */
export interface NamedLimit {
  config: LimitConfig;
  rule: Rule;
}

/** The rules of one list. `where`: name of the route or plan, or '' for those of everything. */
export function rulesOf(limits: readonly LimitConfig[], where: string): NamedLimit[] {
  return limits.map((config, i) => {
    const unit = unitOf(config);
    const rate = unit === 'concurrency' ? undefined : config[unit];
    const units = unit === 'concurrency' ? (config.concurrency as number) : (rate?.units as number);
    const rule: Rule = {
      name: `${where}${where === '' ? '' : '/'}${config.name ?? `${config.key.join('+')}-${unit}${i === 0 ? '' : `-${i}`}`}`,
      unit,
      limit: unit === 'credits' ? Math.round(units * COST_UNIT) : units,
      refill: refillOf(config, rate),
      known: config.key.every((part) => KNOWN_PARTS.has(part)),
      scope: config.scope,
      onStoreLoss: config.onStoreLoss,
      ...(config.budget === undefined ? {} : { budget: config.budget }),
    };
    return { config, rule };
  });
}

/** Budgets as the limits that they are, for everything. */
export function budgetLimits(budgets: readonly BudgetConfig[]): LimitConfig[] {
  return budgets.map(({ name, key, credits, only, timeZone, alerts, mode, onStoreLoss }) => {
    const budget = { key, alerts, only };
    return {
      name: `${BUDGET}${name}`,
      key,
      credits,
      window: 'calendar',
      timeZone,
      mode,
      scope: 'shared',
      onStoreLoss,
      output: BUDGET_OUTPUT,
      budget,
    };
  });
}

/** Output tokens that a budget reserves money for where a request does not bound its output; fewer where it has no more. */
const BUDGET_OUTPUT = 4096;

/** What names of budgets begin with where they stand among limits. */
export const BUDGET = 'budget:';

function refillOf(config: LimitConfig, rate: LimitConfig['requests']): Refill {
  if (rate === undefined) return { type: 'held' };
  const { windowMs, every } = rate;
  if (windowMs === undefined || config.window === 'calendar')
    return { type: 'calendar', every: every ?? 'month', timeZone: config.timeZone };
  return config.burst === undefined ? { type: 'sliding', windowMs } : { type: 'bucket', windowMs, burst: config.burst };
}

/** Whether the body has to be read before the limit can be asked. */
export function needsBody({ key }: LimitConfig, { unit }: Rule): boolean {
  return countsTokens(unit) || key.some((part) => BODY_PARTS.has(part));
}

const SAID: Readonly<Record<Rule['unit'], string>> = {
  requests: 'requests',
  tokens: 'tokens',
  inputTokens: 'input tokens',
  outputTokens: 'output tokens',
  bytes: 'bytes',
  credits: 'credits',
  concurrency: 'requests at once',
};

/** `1000 requests per minute`. */
export function sayRule({ unit, limit, refill }: Rule): string {
  const said = limit === 1 ? SAID[unit].replace(/s(?= at|$)/, '') : SAID[unit];
  const what = `${unit === 'credits' ? formatCost(limit) : limit} ${said}`;
  if (refill.type === 'held') return what;
  return `${what} per ${refill.type === 'calendar' ? `calendar ${refill.every}` : sayWindow(refill.windowMs)}`;
}

/** Those of a list that refuse, and count what a model reads and generates. */
export function tokenRules(limits: readonly LimitConfig[], where: string): Rule[] {
  return rulesOf(limits, where)
    .filter(({ config, rule }) => config.mode === 'enforce' && countsTokens(rule.unit))
    .map(({ rule }) => rule);
}

/** Lists of limits, as people read them: `chat/per-key (100 requests per minute)`. */
export function describeLimits(lists: readonly { where: string; limits: readonly LimitConfig[] }[]): string[] {
  return lists.flatMap(({ where, limits }) =>
    rulesOf(limits, where).map(({ rule }) => `${rule.name} (${sayRule(rule)})`),
  );
}

/** Every rule of a configuration, for the authority. */
export function allRules(config: {
  limits: readonly LimitConfig[];
  routes: readonly { name: string; limits: readonly LimitConfig[] }[];
  plans: Readonly<Record<string, { limits: readonly LimitConfig[] }>>;
  tenants: Readonly<Record<string, { limits: readonly LimitConfig[] }>>;
}): Rule[] {
  const lists = [
    rulesOf(config.limits, ''),
    ...config.routes.map(({ name, limits }) => rulesOf(limits, name)),
    ...Object.entries(config.plans).map(([name, { limits }]) => rulesOf(limits, `plan:${name}`)),
    ...Object.entries(config.tenants).map(([name, { limits }]) => rulesOf(limits, `tenant:${name}`)),
  ];
  return lists.flat().map(({ rule }) => rule);
}
