/** The rules of one place, a route or a plan, compiled: what its callers must have, and what they may ask for. */
import { GatehouseError } from '../../kernel/error.ts';
import type { Exchange } from '../../kernel/exchange.ts';
import type { Identity } from '../../kernel/identity.ts';
import type { Condition, RouteRules, Rules } from './config.ts';
import { type Denial, deny } from './denial.ts';
import { Expression, type Scope } from './expression.ts';
import { Patterns } from './pattern.ts';
import type { BodyFacts } from './view.ts';

interface CompiledCondition {
  readonly name: string;
  readonly expression: Expression;
  readonly message: string | undefined;
}

/** See the file's head. */
export class RuleSet {
  /** `route chat` or `plan trial`, for messages; `route:chat` and `plan:trial` in names of rules. */
  readonly where: string;
  readonly routes: Patterns | undefined;
  readonly models: Patterns | undefined;
  readonly tools: Patterns | undefined;
  readonly maxTokens: number;
  readonly clamps: boolean;
  readonly maxBody: number;
  /** It can be told only when the body was read. */
  readonly needsBody: boolean;
  /** Names of tools are asked for. */
  readonly needsTools: boolean;
  readonly #scopes: readonly string[];
  readonly #roles: readonly string[];
  readonly #plans: ReadonlySet<string> | undefined;
  readonly #tenants: ReadonlySet<string> | undefined;
  readonly #head: readonly CompiledCondition[];
  readonly #body: readonly CompiledCondition[];

  /** Throws an `Error` when a condition cannot be compiled. */
  constructor(where: string, rules: Partial<RouteRules> & Partial<Rules>) {
    this.where = where;
    const list = (patterns: readonly string[] | undefined) =>
      patterns === undefined ? undefined : new Patterns(patterns);
    this.routes = list(rules.routes);
    this.models = list(rules.models);
    this.tools = list(rules.tools);
    this.maxTokens = rules.maxTokens ?? Number.POSITIVE_INFINITY;
    this.clamps = rules.overMaxTokens === 'clamp';
    this.maxBody = rules.maxBody ?? Number.POSITIVE_INFINITY;
    this.#scopes = rules.scopes ?? [];
    this.#roles = rules.roles ?? [];
    this.#plans = rules.plans && new Set(rules.plans);
    this.#tenants = rules.tenants && new Set(rules.tenants);
    const conditions = (rules.conditions ?? []).map(compileCondition);
    this.#head = conditions.filter(({ expression }) => !expression.needsBody);
    this.#body = conditions.filter(({ expression }) => expression.needsBody);
    this.needsTools = this.tools !== undefined || this.#body.some(({ expression }) => expression.needsTools);
    this.needsBody =
      this.models !== undefined || this.tools !== undefined || rules.maxTokens !== undefined || this.#body.length > 0;
  }

  /** What the head is enough for. `scope` is filled. */
  checkHead(exchange: Exchange, identity: Identity | undefined, scope: Scope): Denial | undefined {
    if (this.#tenants !== undefined && !this.#tenants.has(identity?.tenant ?? ''))
      return this.#deny('tenants', 'This is not open to your tenant.');
    if (this.#plans !== undefined && !this.#plans.has(identity?.plan ?? ''))
      return this.#deny(
        'plans',
        `This is for the plans ${[...this.#plans].join(', ')}; yours is ${identity?.plan || 'none'}.`,
      );
    if (this.routes !== undefined && !this.routes.allow(exchange.route))
      return this.#deny('routes', `The ${this.where} does not include this (route ${exchange.route}).`);
    for (let i = 0; i < this.#scopes.length; i++)
      if (!identity?.scopes.has(this.#scopes[i] as string)) return this.#lacking();
    if (this.#roles.length > 0 && !this.#roles.some((role) => identity?.roles.has(role)))
      return this.#deny('roles', `This needs one of the roles ${this.#roles.join(', ')}.`);
    if (this.maxBody < exchange.bodyLimit) {
      exchange.bodyLimit = this.maxBody;
      if (exchange.requestLength > this.maxBody) return this.#tooLarge();
    }
    return this.#conditions(this.#head, scope);
  }

  /** What the body tells beyond the model. `body` is undefined where there is none. */
  checkBody(body: BodyFacts | undefined, scope: Scope): Denial | undefined {
    if (body !== undefined && this.tools !== undefined) {
      for (const tool of body.tools) {
        if (this.tools.allow(tool)) continue;
        return this.#deny(
          'tools',
          `The tool \`${printable(tool)}\` may not be used here: take it out of the request.`,
          'tools',
        );
      }
    }
    if (!this.clamps && (body?.maxTokens ?? 0) > this.maxTokens) {
      const asked = `This request asks for up to ${body?.maxTokens} tokens, and the ${this.where} allows ${this.maxTokens}`;
      return this.#deny('maxTokens', `${asked}: set max_tokens to that or less.`, 'max_tokens');
    }
    return this.#conditions(this.#body, scope);
  }

  #conditions(conditions: readonly CompiledCondition[], scope: Scope): Denial | undefined {
    for (let i = 0; i < conditions.length; i++) {
      const { name, expression, message } = conditions[i] as CompiledCondition;
      let failed = false;
      try {
        if (expression.holds(scope)) continue;
      } catch {
        failed = true;
      }
      const denial = this.#deny(name, message ?? `A condition of the ${this.where} is not met (${name}).`);
      return failed ? { ...denial, failed } : denial;
    }
    return undefined;
  }

  #lacking(): Denial {
    const scope = this.#scopes.join(' ');
    const challenge = `Bearer error="insufficient_scope", error_description="This needs more scopes", scope="${scope}"`;
    return this.#deny('scopes', `The credential is good, but this needs the scopes: ${scope}.`, undefined, challenge);
  }

  #tooLarge(): Denial {
    const rule = this.ruleName('maxBody');
    const message = `The body is larger than the ${this.where} allows (${this.maxBody} bytes).`;
    return { rule, error: new GatehouseError('body_too_large', message, { rule }) };
  }

  /** Full name of one of its rules. */
  ruleName(rule: string): string {
    return `${this.where.replace(' ', ':')}/${rule}`;
  }

  #deny(rule: string, message: string, param?: string, challenge?: string): Denial {
    return deny(this.ruleName(rule), message, param, challenge);
  }
}

function compileCondition({ name, if: text, message }: Condition, i: number): CompiledCondition {
  return { name: name ?? `condition-${i + 1}`, expression: new Expression(text), message };
}

/** What a client has sent, fit for a sentence. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 64);
