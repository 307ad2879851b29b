/** Callers with what their tenant and plan say of them: found out once for each identity, and again when a plan or tenant changes. */
import type { Clock } from '../../kernel/clock.ts';
import type { Identity } from '../../kernel/identity.ts';
import { USUAL_PRIORITY } from '../../kernel/priority.ts';
import type { AuthorizeConfig, PlanFacts, RouteRules, TenantFacts } from './config.ts';
import { type Denial, deny } from './denial.ts';
import { Patterns } from './pattern.ts';
import type { Registry } from './registry.ts';
import { RuleSet } from './rules.ts';

/** The parts of a configuration that this room compiles. */
export interface AuthorizeInput {
  plans: Readonly<Record<string, PlanFacts>>;
  tenants: Readonly<Record<string, TenantFacts>>;
  authorize: AuthorizeConfig;
  routes: readonly { name: string; authorize?: RouteRules | undefined }[];
}

/** What holds for a caller. */
export interface Permit {
  /** The caller with the plan that is in force; undefined for one whom nobody knows. */
  readonly identity: Identity | undefined;
  /** Why it may do nothing here; undefined: it may. */
  readonly denial: Denial | undefined;
  readonly plan: RuleSet | undefined;
  /** Models of its key or token. */
  readonly models: Patterns | undefined;
  /** Importance that its plan gives; undefined: it says nothing. */
  readonly priority: number | undefined;
  /** What its tenant bounds that by; infinite where it says nothing. */
  readonly mostPriority: number;
  /** Labels of its tenant. */
  readonly labels: Readonly<Record<string, string>>;
  /** Its tenant's trial, wall clock in milliseconds; infinite for none. */
  readonly trialEndsAt: number;
  readonly epoch: number;
}

const NO_LABELS = {};

/** See the file's head. */
export class Subjects {
  readonly #input: AuthorizeInput;
  readonly #registry: Registry;
  readonly #known = new WeakMap<Identity, Permit>();
  readonly #plans: ReadonlyMap<string, RuleSet>;
  readonly #tenants: ReadonlyMap<string, TenantFacts>;
  readonly #stored = new WeakMap<PlanFacts, RuleSet>();
  readonly #domains = { epoch: -1, owners: new Map<string, string>() };
  readonly #top = { epoch: -1, priority: USUAL_PRIORITY as number };
  readonly #nobody: Permit = permit({ identity: undefined, epoch: 0 });

  constructor(input: AuthorizeInput, registry: Registry) {
    this.#input = input;
    this.#registry = registry;
    this.#plans = new Map(
      Object.entries(input.plans).map(([name, plan]) => [name, new RuleSet(`plan ${name}`, plan.permissions)]),
    );
    this.#tenants = new Map(Object.entries(input.tenants));
  }

  /** The configuration alone says something of plans or tenants. */
  get asks(): boolean {
    const { defaultPlan, unknownTenants } = this.#input.authorize;
    return this.#plans.size > 0 || this.#tenants.size > 0 || defaultPlan !== undefined || unknownTenants === 'refuse';
  }

  /** What holds for a caller now. */
  of(identity: Identity | undefined): Permit {
    if (identity === undefined) return this.#nobody;
    const known = this.#known.get(identity);
    if (known !== undefined && known.epoch === this.#registry.epoch) return known;
    const made = this.#make(identity);
    this.#known.set(identity, made);
    return made;
  }

  /** Whether tenant and plan let a caller in. `host`: the one it asked, in lower case. */
  admit({ denial, trialEndsAt, identity }: Permit, host: string, clock: Clock): Denial | undefined {
    if (denial !== undefined) return denial;
    if (trialEndsAt !== Number.POSITIVE_INFINITY && clock.wall() >= trialEndsAt)
      return deny(
        'tenant/trial',
        `The trial ended on ${new Date(trialEndsAt).toISOString().slice(0, 10)}: choose a plan to go on.`,
      );
    const owner = this.#ownerOf(host);
    if (owner !== undefined && identity !== undefined && identity.tenant !== owner)
      return deny('tenant/domain', 'This host belongs to somebody else: use the address that you were given.');
    return undefined;
  }

  #make(identity: Identity): Permit {
    const { epoch } = this.#registry;
    const { defaultPlan, unknownTenants } = this.#input.authorize;
    const tenant = this.#tenants.get(identity.tenant) ?? this.#registry.tenants.get(identity.tenant);
    if (tenant?.disabled)
      return permit({
        identity,
        epoch,
        denial: deny('tenant/disabled', 'This account is switched off. Ask whoever gave you access.'),
      });
    if (tenant === undefined && unknownTenants === 'refuse')
      return permit({
        identity,
        epoch,
        denial: deny('tenant/unknown', 'Your account is not known here. Ask whoever gave you access.'),
      });
    // The tenant's plan holds unless the credential names its own.
    const name = identity.plan || tenant?.plan || defaultPlan || '';
    const plan = name === '' ? undefined : this.#planOf(name);
    const known = identity.plan === name ? identity : { ...identity, plan: name };
    const denial =
      plan === undefined && name !== '' && (this.#plans.size > 0 || this.#registry.hadPlans)
        ? deny('plan/unknown', 'Your plan does not exist any more. Ask whoever gave you access.')
        : undefined;
    return permit({
      identity: known,
      epoch,
      denial,
      plan,
      models: identity.models && new Patterns(identity.models),
      priority: this.#facts(name)?.priority,
      mostPriority: tenant?.priority ?? Number.POSITIVE_INFINITY,
      labels: tenant?.labels ?? NO_LABELS,
      trialEndsAt: tenant?.trialEndsAt ?? Number.POSITIVE_INFINITY,
    });
  }

  /** The highest importance that a plan gives, and at least the usual one. */
  get topPriority(): number {
    const { epoch, plans } = this.#registry;
    const top = this.#top;
    if (top.epoch !== epoch) {
      top.epoch = epoch;
      top.priority = USUAL_PRIORITY;
      for (const { priority = 0 } of [...plans.values(), ...Object.values(this.#input.plans)])
        top.priority = Math.max(top.priority, priority);
    }
    return top.priority;
  }

  #facts(name: string): PlanFacts | undefined {
    return Object.hasOwn(this.#input.plans, name) ? this.#input.plans[name] : this.#registry.plans.get(name);
  }

  /** Of one name the configuration's holds. */
  #planOf(name: string): RuleSet | undefined {
    const own = this.#plans.get(name);
    if (own !== undefined) return own;
    const facts = this.#registry.plans.get(name);
    if (facts === undefined) return undefined;
    let made = this.#stored.get(facts);
    if (made === undefined) {
      made = new RuleSet(`plan ${name}`, facts.permissions);
      this.#stored.set(facts, made);
    }
    return made;
  }

  #ownerOf(host: string): string | undefined {
    const { epoch, tenants } = this.#registry;
    const domains = this.#domains;
    if (domains.epoch !== epoch) {
      domains.epoch = epoch;
      domains.owners.clear();
      // What comes later holds: the configuration's.
      for (const [id, { domains: own }] of [...tenants, ...this.#tenants])
        for (const domain of own) domains.owners.set(domain, id);
    }
    const { owners } = domains;
    if (owners.size === 0) return undefined;
    return owners.get(host) ?? owners.get(`*${host.slice(host.indexOf('.'))}`);
  }
}

/** One shape for all. */
function permit(parts: Pick<Permit, 'identity' | 'epoch'> & Partial<Permit>): Permit {
  const { identity, denial, plan, models, priority, epoch } = parts;
  const { labels = NO_LABELS, trialEndsAt = Number.POSITIVE_INFINITY, mostPriority = Number.POSITIVE_INFINITY } = parts;
  return { identity, denial, plan, models, priority, mostPriority, labels, trialEndsAt, epoch };
}
