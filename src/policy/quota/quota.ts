/** The door of the room: limits of routes, plans and everything, applied in a worker by leases. */
import type { Clock } from '../../kernel/clock.ts';
import type { Events } from '../../kernel/event.ts';
import type { Exchange } from '../../kernel/exchange.ts';
import { type ActiveLimit, Admission, type Report } from './admission.ts';
import type { Exhausted } from './claim.ts';
import { needsBody, rulesOf } from './compile.ts';
import type { LimitConfig } from './config.ts';
import type { Demand, Flexible } from './demand.ts';
import { compileKey, sayKey } from './key.ts';
import { type AskAuthority, Leases } from './leases.ts';
import type { RecallNote } from './protocol.ts';
import { mostOf } from './rule.ts';

export { type ActiveLimit, Admission } from './admission.ts';
export { LocalAuthority } from './authority.ts';
export type { Exhausted } from './claim.ts';
export type { UsedOf } from './closing.ts';
export { allRules, BUDGET, budgetLimits, describeLimits, rulesOf, tokenRules } from './compile.ts';
export type { Demand, Flexible } from './demand.ts';
export { sayKey, usageOf } from './key.ts';
export { KeyLimits } from './keylimits.ts';
export type { AskAuthority } from './leases.ts';
export { CalendarPeriod } from './period.ts';
export { PooledAuthority } from './pool.ts';
export { type Counted, type LeaseAsk, type LeaseGrant, lostGrant, type RecallNote } from './protocol.ts';
export { Recall } from './recall.ts';
export { refusalFor } from './refusal.ts';
export { Relay, type RelayWord } from './relay.ts';
export { isLong, type Rule } from './rule.ts';
export { Inspector, storeTag } from './shared/inspect.ts';
export { JournalStore } from './shared/journal.ts';
export type { Known } from './shared/lines.ts';
export type { LedgerView, Roll, SharedStoreStatus } from './shared/parts.ts';
export { LEASE_SCRIPT } from './shared/script.ts';
export { SharedStore } from './shared/store.ts';
export { Nearest, type Standing } from './standing.ts';
export { countsTokens, refusesUnknown } from './uncounted.ts';

/** Limits by where they stand in the configuration. */
export interface QuotaConfig {
  /** For every request. */
  limits: readonly LimitConfig[];
  routes: readonly { name: string; limits: readonly LimitConfig[] }[];
  plans: Readonly<Record<string, { limits: readonly LimitConfig[] }>>;
  tenants: Readonly<Record<string, { limits: readonly LimitConfig[] }>>;
}

/** Limits of plans and tenants that come and go while the configuration stays; the same array for as long as they are the same. */
export interface StoredLimits {
  /** There may be some. */
  readonly any: boolean;
  plan(name: string): readonly LimitConfig[] | undefined;
  tenant(name: string): readonly LimitConfig[] | undefined;
}

/** The limits of a configuration, compiled. */
export interface CompiledQuota {
  /** By the place of the route: its own and those of everything. */
  readonly routes: readonly (readonly ActiveLimit[])[];
  readonly plans: ReadonlyMap<string, readonly ActiveLimit[]>;
  readonly tenants: ReadonlyMap<string, readonly ActiveLimit[]>;
  /** The configuration has no limit anywhere. */
  readonly none: boolean;
}

const NONE: readonly ActiveLimit[] = [];

/** What one worker has in hand; outlives configurations. */
export class Quota {
  readonly #leases: Leases;
  readonly #stored: StoredLimits | undefined;
  /** One for all requests. */
  readonly #report: Report;
  readonly #compiled = new WeakMap<readonly LimitConfig[], readonly ActiveLimit[]>();

  /** `ask` reaches the authority. */
  constructor(parts: { clock: Clock; events: Events; ask: AskAuthority; stored?: StoredLimits }) {
    this.#stored = parts.stored;
    this.#leases = new Leases(parts.clock, parts.ask);
    this.#report = ({ rule, key, retryAfterMs }, observed, exchange) =>
      parts.events.emit('limited', { rule: rule.name, key: sayKey(key), observed, retryAfterMs, exchange });
  }

  /** Compiles a configuration's limits. What is in hand of a limit that stays is kept. */
  compile({ limits, routes, plans, tenants }: QuotaConfig): CompiledQuota {
    const global = this.#active(limits, '');
    const byRoute = routes.map((route) => [...global, ...this.#active(route.limits, route.name)]);
    const named = (kind: string, all: QuotaConfig['plans']) =>
      new Map(Object.entries(all).map(([name, one]) => [name, this.#active(one.limits, `${kind}:${name}`)]));
    const [byPlan, byTenant] = [named('plan', plans), named('tenant', tenants)];
    const none = [...byRoute, ...byPlan.values(), ...byTenant.values()].every((one) => one.length === 0);
    return { routes: byRoute, plans: byPlan, tenants: byTenant, none };
  }

  /** The limits of a request whose route and caller are known. */
  limitsFor(compiled: CompiledQuota, route: number, exchange: Exchange): readonly ActiveLimit[] {
    const own = compiled.routes[route] ?? NONE;
    const { identity } = exchange;
    if (identity === undefined) return own;
    const plan = compiled.plans.get(identity.plan) ?? this.#ofStored('plan', identity.plan);
    const tenant = compiled.tenants.get(identity.tenant) ?? this.#ofStored('tenant', identity.tenant);
    return joined(joined(own, plan), tenant);
  }

  /** There is no limit anywhere. */
  isFree(compiled: CompiledQuota): boolean {
    return compiled.none && this.#stored?.any !== true;
  }

  #ofStored(kind: 'plan' | 'tenant', name: string): readonly ActiveLimit[] {
    const limits = name === '' ? undefined : this.#stored?.[kind](name);
    if (limits === undefined || limits.length === 0) return NONE;
    let active = this.#compiled.get(limits);
    if (active === undefined) {
      active = this.#active(limits, `${kind}:${name}`);
      this.#compiled.set(limits, active);
    }
    return active;
  }

  /** Claims what a request needs; ask `begin`. */
  admission(
    limits: readonly ActiveLimit[],
    exchange: Exchange,
    demand: Demand,
    decided: (exhausted: Exhausted | undefined) => void,
    flexible?: Flexible,
  ): Admission {
    return new Admission(this.#leases, limits, exchange, demand, this.#report, decided, flexible);
  }

  /** Keys that something is or was lately in hand of, of all limits. */
  get size(): number {
    return this.#leases.size;
  }

  /** Others want for what lies idle here. */
  recall(notes: readonly RecallNote[]): void {
    for (const note of notes) this.#leases.recall(note);
  }

  /** Whoever grants has gone for good: what is in hand of budgets is not spent any more, since its successor does not know of it. */
  orphaned(): void {
    this.#leases.forgo((rule) => rule.budget !== undefined);
  }

  /** Gives everything back; resolves when the authority has been told. */
  close(): Promise<void> {
    return this.#leases.close();
  }

  #active(limits: readonly LimitConfig[], where: string): ActiveLimit[] {
    return rulesOf(limits, where).map(({ config, rule }) => ({
      rule,
      owner: this.#leases.rule(rule),
      keyOf: compileKey(config.key),
      observe: config.mode === 'observe',
      output: config.output,
      most: mostOf(rule),
      needsBody: needsBody(config, rule),
      byVersion: config.key.includes('version'),
    }));
  }
}

const joined = (one: readonly ActiveLimit[], more: readonly ActiveLimit[]): readonly ActiveLimit[] =>
  more.length === 0 ? one : one.length === 0 ? more : [...one, ...more];
