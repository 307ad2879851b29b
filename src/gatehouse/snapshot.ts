/** A configuration, compiled into what requests meet. Immutable; a reload makes another one. */
import { isDeepStrictEqual } from 'node:util';
import type { ModelEntry } from '../ai/ai.ts';
import type { Clock } from '../kernel/clock.ts';
import type { ListenerConfig } from '../listen/config.ts';
import type { Access, AccessGate, CompiledAccess } from '../policy/access/access.ts';
import { type AccessConfig, accessConfig } from '../policy/access/config.ts';
import { issuerConfig } from '../policy/access/jwt/config.ts';
import { Permissions, type Registry } from '../policy/authorize/authorize.ts';
import {
  type AuthorizeConfig,
  authorizeConfig,
  type PlanFacts,
  type RouteRules,
  type TenantFacts,
} from '../policy/authorize/config.ts';
import type { ChaosConfig } from '../policy/chaos/config.ts';
import type { CorsConfig } from '../policy/cors/config.ts';
import { Cors } from '../policy/cors/cors.ts';
import type { OverloadConfig } from '../policy/overload/config.ts';
import { type PricesConfig, pricesConfig } from '../policy/price/config.ts';
import { PriceTable } from '../policy/price/price.ts';
import type { BudgetConfig, LimitConfig, UnknownOperations } from '../policy/quota/config.ts';
import {
  budgetLimits,
  type CompiledQuota,
  type Quota,
  type QuotaConfig,
  refusesUnknown,
} from '../policy/quota/quota.ts';
import { OWN_ISSUER, ownIssuer, type TokensConfig } from '../policy/token/config.ts';
import type { ModelConfig, RouteConfig } from '../route/config.ts';
import { compileModels, type ModelTable } from '../route/model.ts';
import { compileRoutes, plainPath, type Router } from '../route/route.ts';
import type { LedgerConfig } from '../store/config.ts';
import type { UpstreamConfig } from '../upstream/config.ts';
import { Upstream, type UpstreamParts } from '../upstream/upstream.ts';
import type { InForce } from './opencalls.ts';

/** The parts of the configuration that a worker serves; plain data, as the supervisor sends it. */
export interface SnapshotInput {
  config: {
    listeners: Record<string, ListenerConfig>;
    upstreams: Record<string, UpstreamConfig>;
    models: Record<string, ModelConfig>;
    routes: (RouteConfig & {
      limits?: LimitConfig[];
      unknownOperations?: UnknownOperations;
      authorize?: RouteRules | undefined;
      cors?: CorsConfig | undefined;
    })[];
    limits?: LimitConfig[];
    budgets?: BudgetConfig[];
    prices?: PricesConfig;
    ledger?: LedgerConfig;
    chaos?: ChaosConfig;
    access?: AccessConfig;
    /** No tokens of our own when left out. */
    tokens?: TokensConfig | undefined;
    plans?: Record<string, PlanFacts & { limits: LimitConfig[] }>;
    tenants?: Record<string, TenantFacts & { limits: LimitConfig[] }>;
    authorize?: AuthorizeConfig;
    /** No limits when left out. */
    overload?: OverloadConfig;
    /** Where this gateway stands. */
    zone?: string | undefined;
    region?: string | undefined;
  };
  /** Path → text of every file that the configuration names. */
  files: Record<string, string>;
}

/** What a compiled snapshot is made with. */
export interface SnapshotParts extends Omit<UpstreamParts, 'readText'> {
  access: Access;
  registry: Registry;
  quota: Quota;
}

type InForceParts = Pick<SnapshotParts, 'clock' | 'events' | 'access' | 'registry'>;

/** The limits of a configuration, wherever they stand. */
export function limitsOf(config: SnapshotInput['config']): QuotaConfig {
  const { limits = [], budgets = [], routes, plans = {}, tenants = {} } = config;
  const byRoute = routes.map(({ name, limits: own = [] }) => ({ name, limits: own }));
  return { limits: [...limits, ...budgetLimits(budgets)], routes: byRoute, plans, tenants };
}

/** Who may come in: with tokens of our own as well, where there are any. */
export function accessOf({
  access = accessConfig.parse({}),
  tokens,
}: Pick<SnapshotInput['config'], 'access' | 'tokens'>): AccessConfig {
  if (tokens === undefined) return access;
  const own = issuerConfig.parse(ownIssuer(tokens));
  return { ...access, issuers: { ...access.issuers, [OWN_ISSUER]: own } };
}

/** What callers may do. */
function permissionsOf(config: SnapshotInput['config'], { clock, events, registry }: InForceParts): Permissions {
  const { plans = {}, tenants = {}, authorize = authorizeConfig.parse({}), routes } = config;
  const parts = { clock: clock as Clock, events, registry, readPath: plainPath };
  return new Permissions({ plans, tenants, authorize, routes }, parts);
}

/** Who decides by a configuration whether what is under way may go on. `before`: who has let it in. */
export function inForceOf(config: SnapshotInput['config'], parts: InForceParts, before: CompiledAccess): InForce {
  return { access: parts.access.compile(accessOf(config), [], before), permissions: permissionsOf(config, parts) };
}

/** The text of a file the configuration names. Throws when the supervisor did not send it. */
export function fileReader(files: Record<string, string>): (path: string) => string {
  return (path) => {
    const text = files[path];
    if (text === undefined) throw new Error(`the file ${path} was not read`);
    return text;
  };
}

/** Files that an upstream is made from: those of others, such as a listener's renewed certificate, do not concern it. */
const filesOf = ({ tls }: UpstreamConfig): string[] =>
  [tls.ca, tls.certificate, tls.key].filter((path) => path !== undefined);

/** What requests meet. */
export class Snapshot {
  readonly input: SnapshotInput;
  readonly router: Router;
  readonly models: ModelTable;
  readonly upstreams = new Map<string, Upstream>();
  readonly access: CompiledAccess;
  readonly permissions: Permissions;
  readonly quota: CompiledQuota;
  readonly prices: PriceTable;
  /** By the place of the route; undefined where pages of other origins are not spoken of. */
  readonly cors: readonly (Cors | undefined)[];
  /** By the place of the route: operations that are not known are refused where their tokens would have to be counted. */
  readonly refusesUnknown: readonly boolean[];

  /**
   * Throws when something cannot be compiled; nothing is kept then. Upstreams that did not change are taken over, and of
   * those that did, the endpoints that stay.
   */
  constructor(input: SnapshotInput, parts: SnapshotParts, before: Snapshot | undefined) {
    this.input = input;
    this.router = compileRoutes(input.config.routes);
    this.models = compileModels(input.config.models, parts.clock as Clock);
    this.access = parts.access.compile(
      accessOf(input.config),
      input.config.routes.map(({ access }) => access),
      before?.access,
    );
    this.prices = new PriceTable(input.config.prices ?? pricesConfig.parse({}));
    this.permissions = permissionsOf(input.config, parts);
    const { routes } = input.config;
    this.cors = routes.map(({ cors }) => cors && new Cors(cors));
    this.quota = parts.quota.compile(limitsOf(input.config));
    const protocolOf = (upstream = '') => input.config.upstreams[upstream]?.protocol;
    this.refusesUnknown = routes.map((route) => refusesUnknown(route, protocolOf(route.upstream)));
    const readText = fileReader(input.files);
    const { zone, region } = input.config;
    const stays = zone === before?.input.config.zone && region === before?.input.config.region;
    for (const [name, config] of Object.entries(input.config.upstreams)) {
      const old = before?.upstreams.get(name);
      const same =
        old !== undefined &&
        stays &&
        isDeepStrictEqual(old.config, config) &&
        filesOf(config).every((path) => before?.input.files[path] === input.files[path]);
      const made = { ...parts, readText, home: { zone, region } };
      this.upstreams.set(name, same ? old : new Upstream(name, config, made, old));
    }
  }

  /** What a route asks of callers; undefined: nothing. */
  gateOf(route: { readonly index: number }): AccessGate | undefined {
    return this.access.gates[route.index];
  }

  /** Every route asks for the same. */
  get oneGate(): boolean {
    return this.access.uniform;
  }

  /** Connections to servers. */
  get connections(): number {
    let open = 0;
    for (const { endpoints } of this.upstreams.values()) for (const endpoint of endpoints) open += endpoint.connections;
    return open;
  }

  /** Resolves the host names of upstreams that `before` does not have as they are; returns these upstreams. */
  async start(before: Snapshot): Promise<Upstream[]> {
    const fresh = [...this.upstreams.values()].filter((upstream) => before.upstreams.get(upstream.name) !== upstream);
    await Promise.all(fresh.map((upstream) => upstream.start()));
    return fresh;
  }

  /** `after` is in force: closes what it has not taken over. */
  closeFor(after: Snapshot): void {
    for (const [name, upstream] of this.upstreams) {
      const next = after.upstreams.get(name);
      if (next !== upstream) upstream.close(next);
    }
  }

  /** The models that a route lists, for /v1/models. */
  listed(route: RouteConfig, createdAt: number): ModelEntry[] {
    const all = Object.entries(this.input.config.models);
    const names = route.models ?? [];
    return all
      .filter(([name]) => names.includes('*') || names.includes(name))
      .map(([id, model]) => ({ id, ownedBy: model.ownedBy, createdAt }));
  }
}
