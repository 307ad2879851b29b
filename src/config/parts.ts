/** The parts of a file that can be checked against each other, also when others are wrong. */
import { type AdminConfig, adminConfig } from '../admin/config.ts';
import { type ListenerConfig, listenerConfig } from '../listen/config.ts';
import { type AccessConfig, accessConfig } from '../policy/access/config.ts';
import { authorizeConfig } from '../policy/authorize/config.ts';
import { type ChaosConfig, chaosConfig } from '../policy/chaos/config.ts';
import type { PricesConfig } from '../policy/price/config.ts';
import type { BudgetConfig, LimitConfig } from '../policy/quota/config.ts';
import { type SignupConfig, signupConfig, type TokensConfig, tokensConfig } from '../policy/token/config.ts';
import { type ModelConfig, modelConfig } from '../route/config.ts';
import type { StoreConfig } from '../store/config.ts';
import { type UpstreamConfig, upstreamConfig } from '../upstream/config.ts';
import type { Config } from './file.ts';
import { type PlanConfig, planConfig, type TenantConfig, tenantConfig } from './plans.ts';
import type { Path } from './problem.ts';
import { type WholeRouteConfig, wholeRouteConfig } from './route.ts';

/** Parts with the keys that lead to them. */
export interface Parts {
  listeners: [string, ListenerConfig][];
  upstreams: [string, UpstreamConfig][];
  models: [string, ModelConfig][];
  routes: [number, WholeRouteConfig][];
  adminAddress: string | undefined;
  admin: AdminConfig | undefined;
  /** Undefined when it is wrong, or not there. */
  chaos: ChaosConfig | undefined;
  access: AccessConfig | undefined;
  /** Several nodes have a store in common. */
  redis: boolean;
  /** Undefined when one of them is wrong. */
  money: { prices: PricesConfig; limits: LimitConfig[]; budgets: BudgetConfig[]; store: StoreConfig } | undefined;
  tokens: TokensConfig | undefined;
  signup: SignupConfig | undefined;
  plans: [string, PlanConfig][];
  tenants: [string, TenantConfig][];
  defaultPlan: string | undefined;
  /** Bounds on the memory of one worker, in bytes; 0: none. */
  memoryLimits: [Path, number][];
  /** Names that the file uses, whether what bears them is right or not. */
  upstreamNames: string[];
  modelNames: string[];
  /** Parts from which wrong settings were taken out: what they lack says nothing. */
  partial: Set<object>;
  /** Everything is there, so what is not used is truly unused. */
  whole: boolean;
}

/** The parts of a right configuration. They are its own objects, not copies. */
export function partsOf(config: Config): Parts {
  return {
    listeners: Object.entries(config.listeners),
    upstreams: Object.entries(config.upstreams),
    models: Object.entries(config.models),
    routes: [...config.routes.entries()],
    adminAddress: config.admin.address,
    admin: config.admin,
    chaos: config.chaos,
    access: config.access,
    redis: config.redis !== undefined,
    money: { prices: config.prices, limits: config.limits, budgets: config.budgets, store: config.store },
    tokens: config.tokens,
    signup: config.signup,
    plans: Object.entries(config.plans),
    tenants: Object.entries(config.tenants),
    defaultPlan: config.authorize.defaultPlan,
    memoryLimits: [
      [['workerMemory'], config.workerMemory],
      [['overload', 'memory'], config.overload.memory ?? 0],
    ],
    upstreamNames: Object.keys(config.upstreams),
    modelNames: Object.keys(config.models),
    partial: new Set(),
    whole: true,
  };
}

/** What can be read of a wrong configuration, so that all mistakes are told at once. */
export function partsOfWrong(value: unknown): Parts {
  const file = record(value);
  const admin = record(file.admin).address;
  const partial = new Set<object>();
  const routes = [...(Array.isArray(file.routes) ? (file.routes as unknown[]) : []).entries()];
  return {
    listeners: readable(Object.entries(record(file.listeners)), (part) => listenerConfig.safeParse(part), partial),
    upstreams: readable(Object.entries(record(file.upstreams)), (part) => upstreamConfig.safeParse(part), partial),
    models: readable(Object.entries(record(file.models)), (part) => modelConfig.safeParse(part), partial),
    // A route that lacks its name is told so; its target is checked all the same.
    routes: readable(
      routes,
      (part) => wholeRouteConfig.safeParse(part),
      partial,
      (part, i) => ({ name: `unnamed:${i}`, ...part }),
    ),
    adminAddress: typeof admin === 'string' ? admin : undefined,
    admin: adminConfig.safeParse(file.admin).data,
    memoryLimits: [],
    chaos: chaosConfig.safeParse(file.chaos).data,
    access: accessConfig.safeParse(file.access).data,
    redis: file.redis !== undefined,
    money: undefined,
    tokens: tokensConfig.safeParse(file.tokens).data,
    signup: signupConfig.safeParse(file.signup).data,
    plans: readable(Object.entries(record(file.plans)), (part) => planConfig.safeParse(part), partial),
    tenants: readable(Object.entries(record(file.tenants)), (part) => tenantConfig.safeParse(part), partial),
    defaultPlan: authorizeConfig.safeParse(file.authorize).data?.defaultPlan,
    upstreamNames: Object.keys(record(file.upstreams)),
    modelNames: Object.keys(record(file.models)),
    partial,
    whole: false,
  };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

interface Issue {
  code?: string;
  path: PropertyKey[];
  keys?: string[];
}
type Parsed<T> = { success: true; data: T } | { success: false; error: { issues: Issue[] } };

/** Taking out what is missing below may take out its parent, and so on: deeper than this nothing useful is left. */
const MAX_ROUNDS = 5;

function readable<K, T extends object>(
  entries: [K, unknown][],
  parse: (part: unknown) => Parsed<T>,
  partial: Set<object>,
  complete = (part: Record<string, unknown>, _key: K): object => part,
): [K, T][] {
  const found: [K, T][] = [];
  for (const [key, part] of entries) {
    let parsed = parse(part);
    if (parsed.success) {
      found.push([key, parsed.data]);
      continue;
    }
    const rest = record(structuredClone(part));
    for (let round = 0; round < MAX_ROUNDS && !parsed.success; round++) {
      for (const issue of parsed.error.issues) takeOut(rest, issue);
      parsed = parse(complete(rest, key));
    }
    if (!parsed.success) continue;
    partial.add(parsed.data);
    found.push([key, parsed.data]);
  }
  return found;
}

/** Takes the wrong value out. A list goes as a whole: without one item the others would have other indexes. */
function takeOut(part: Record<string, unknown>, issue: Issue): void {
  const path = issue.path.map(String);
  const paths = issue.code === 'unrecognized_keys' ? (issue.keys ?? []).map((key) => [...path, key]) : [path];
  for (const one of paths) {
    let holder: Record<string, unknown> | undefined;
    let last = '';
    let here: unknown = part;
    for (const step of one) {
      if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) break;
      if (!Array.isArray(here)) {
        holder = here as Record<string, unknown>;
        last = step;
      }
      here = (here as Record<string, unknown>)[step];
    }
    if (holder !== undefined) delete holder[last];
  }
}
