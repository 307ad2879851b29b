/**
 * The door of the room: what a caller may do. In this order, and the first rule that is not met decides: its tenant, its plan,
 * the rules of the route, the permissions of the plan, the models of its key. What no rule forbids is allowed.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Events } from '../../kernel/event.ts';
import type { Exchange } from '../../kernel/exchange.ts';
import type { Identity } from '../../kernel/identity.ts';
import type { Denial } from './denial.ts';
import type { Scope } from './expression.ts';
import { refuseModel } from './model.ts';
import type { Patterns } from './pattern.ts';
import { Registry } from './registry.ts';
import { RuleSet } from './rules.ts';
import { type AuthorizeInput, type Permit, Subjects } from './subject.ts';
import { type BodyFacts, IdentityView, RequestView, TimeView } from './view.ts';

export { PLAN_KIND, TENANT_KIND } from './config.ts';
export type { Denial } from './denial.ts';
export { matchesPattern } from './pattern.ts';
export { Registry } from './registry.ts';
export type { AuthorizeInput, Permit } from './subject.ts';
export { beginTrial, keepTrialKey, type TrialOrder, upgradeTenant } from './trial.ts';
export type { BodyFacts } from './view.ts';

/** What the room needs. */
export interface AuthorizeParts {
  clock: Clock;
  events: Events;
  /** Plans and tenants of the store; none when left out. */
  registry?: Registry;
  /** A path as it was sent → as conditions compare it; as it was sent when left out. */
  readPath?: (path: string) => string;
}

/** What callers may do under one configuration. */
export class Permissions {
  readonly #parts: AuthorizeParts;
  readonly #registry: Registry;
  readonly #subjects: Subjects;
  readonly #routes: readonly (RuleSet | undefined)[];
  /** The configuration alone asks for something. */
  readonly #asks: boolean;
  readonly #scope: Scope;

  /** Throws an `Error` when a condition cannot be compiled. */
  constructor(input: AuthorizeInput, parts: AuthorizeParts) {
    this.#parts = parts;
    this.#registry = parts.registry ?? new Registry();
    this.#subjects = new Subjects(input, this.#registry);
    this.#routes = input.routes.map(({ name, authorize }) => authorize && new RuleSet(`route ${name}`, authorize));
    this.#asks = this.#subjects.asks || this.#routes.some((rules) => rules !== undefined);
    const time = new TimeView(input.authorize.timeZone);
    const request = new RequestView();
    if (parts.readPath !== undefined) request.readPath = parts.readPath;
    this.#scope = { identity: new IdentityView(), request, time };
  }

  /** There is something to ask, of this caller or of any. */
  concerns(identity: Identity | undefined): boolean {
    return this.#asks || this.#registry.any || identity?.models !== undefined;
  }

  /** What is known of a caller; the same object for as long as nothing about it changes. */
  permitOf(identity: Identity | undefined): Permit {
    return this.#subjects.of(identity);
  }

  /** The highest importance that a plan gives; the usual one where none gives more. */
  get topPriority(): number {
    return this.#subjects.topPriority;
  }

  /** Whether the caller's tenant and plan let it in at all, whatever it asks for. */
  admit(permit: Permit, exchange: Exchange): Denial | undefined {
    return this.#told(this.#subjects.admit(permit, exchange.head.host, this.#parts.clock), exchange);
  }

  /** What the head is enough for: rules of the route, permissions of the plan. Sets the exchange's limit on the body. */
  checkHead(permit: Permit, route: number, exchange: Exchange): Denial | undefined {
    const rules = this.#routes[route];
    const { plan, identity } = permit;
    if (rules === undefined && plan === undefined) return undefined;
    const scope = this.#fill(permit, exchange, undefined);
    const denial = rules?.checkHead(exchange, identity, scope) ?? plan?.checkHead(exchange, identity, scope);
    this.#empty();
    return this.#told(denial, exchange);
  }

  /** Whether the body has to be read before it is known whether the request may go on. */
  needsBody(permit: Permit, route: number): boolean {
    return permit.models !== undefined || permit.plan?.needsBody === true || this.#routes[route]?.needsBody === true;
  }

  /** Whether the names of its tools have to be known. */
  needsTools(permit: Permit, route: number): boolean {
    return permit.plan?.needsTools === true || this.#routes[route]?.needsTools === true;
  }

  /** Whether models are limited: then one must be named. */
  limitsModels(permit: Permit, route: number): boolean {
    return [permit.models, permit.plan?.models, this.#routes[route]?.models].some(
      (models) => models !== undefined && !models.all,
    );
  }

  /** Whether a model may be asked for, by itself. */
  allowsModel(permit: Permit, route: number, model: string): boolean {
    return modelRule(permit, this.#routes[route], model) === undefined;
  }

  /** The rest, when the body was read. `body`: undefined where there is none. */
  checkBody(permit: Permit, route: number, exchange: Exchange, body: BodyFacts | undefined): Denial | undefined {
    const rules = this.#routes[route];
    const { plan } = permit;
    const { model } = exchange;
    if (model !== '' || body !== undefined) {
      const rule = modelRule(permit, rules, model);
      if (rule !== undefined) return this.#told(refuseModel(rule, model), exchange);
    }
    if (rules?.needsBody !== true && plan?.needsBody !== true) return undefined;
    const scope = this.#fill(permit, exchange, body);
    const denial = rules?.checkBody(body, scope) ?? plan?.checkBody(body, scope);
    this.#empty();
    return this.#told(denial, exchange);
  }

  /** Most tokens that the request may ask for; infinite: as many as it likes. */
  maxTokens(permit: Permit, route: number): number {
    return Math.min(
      permit.plan?.maxTokens ?? Number.POSITIVE_INFINITY,
      this.#routes[route]?.maxTokens ?? Number.POSITIVE_INFINITY,
    );
  }

  #fill(permit: Permit, exchange: Exchange, body: BodyFacts | undefined): Scope {
    const scope = this.#scope;
    scope.identity.identity = permit.identity;
    scope.identity.labels = permit.labels;
    scope.request.exchange = exchange;
    scope.request.body = body;
    scope.time.clock = this.#parts.clock;
    return scope;
  }

  /** What was looked at is not kept. */
  #empty(): void {
    this.#scope.identity.identity = undefined;
    this.#scope.request.exchange = undefined;
    this.#scope.request.body = undefined;
  }

  #told(denial: Denial | undefined, exchange: Exchange): Denial | undefined {
    // Refusals are counted by their rule as all are.
    if (denial?.failed) this.#parts.events.emit('fault', { kind: 'condition_error', where: exchange.route });
    return denial;
  }
}

/** The rule that does not let a model be asked for. */
function modelRule({ plan, models }: Permit, route: RuleSet | undefined, model: string): string | undefined {
  if (route?.models?.allow(model) === false) return route.ruleName('models');
  if (plan?.models?.allow(model) === false) return plan.ruleName('models');
  return allowed(models, model) ? undefined : 'key/models';
}

const allowed = (models: Patterns | undefined, model: string): boolean => models === undefined || models.allow(model);
