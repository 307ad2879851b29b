/** What `gatehouse check --as KEY --explain REQUEST` adds: step by step, which rule lets this caller pass or refuses it. */
import { PeekFault, peekRequest, recognize, recognizeSpelled, toolNames } from '../ai/ai.ts';
import type { Config } from '../config/config.ts';
import { compileNetworks } from '../http/network.ts';
import type { Clock } from '../kernel/clock.ts';
import { Events } from '../kernel/event.ts';
import { Exchange, type Inbound, LENGTH_NONE } from '../kernel/exchange.ts';
import { type BodyFacts, type Denial, Permissions } from '../policy/authorize/authorize.ts';
import { describeLimits } from '../policy/quota/quota.ts';
import { type CompiledRoute, plainPath } from '../route/route.ts';
import type { Caller } from './caller.ts';
import type { OwnAnswer } from './explain.ts';
import type { DescribedRequest } from './request.ts';

/** What was found out. */
export interface ExplainedAccess {
  /** One line for each step, in the order in which they are asked. */
  steps: string[];
  /** The refusal, where one decides. */
  answer?: OwnAnswer;
  /** Name of the rule that decided. */
  rule?: string;
  /** Whether this caller may use a model, by its name. */
  mayUse?: (model: string) => boolean;
}

/** Where a request comes from that names no address. */
const HERE = '127.0.0.1';

/** Asks all that a request of `caller` would be asked on `route`. */
export function explainAccess(
  config: Config,
  route: CompiledRoute,
  { head, model, body, ip }: DescribedRequest,
  caller: Caller | undefined,
  clock: Clock,
): ExplainedAccess {
  const steps: string[] = [];
  const refused = (status: number, code: string, message: string, rule: string, step: string): ExplainedAccess => {
    steps.push(`${step}: refused by ${rule}`);
    return { steps, answer: { status, code, message }, rule };
  };
  const wanted = route.config.access;
  let identity = caller?.identity;
  if (wanted === undefined) {
    steps.push(`access: route ${route.name} lets everybody pass, and does not look who it is`);
    identity = undefined;
  } else {
    const { anyOf, scopes } = wanted;
    if (caller === undefined)
      return refused(
        401,
        'unauthorized',
        'no credential is shown',
        `route ${route.name}`,
        `access (${anyOf.join(' or ')})`,
      );
    const step = `access: ${caller.found}`;
    if (caller.refused !== undefined || identity === undefined)
      return refused(401, 'unauthorized', caller.refused ?? 'it is not known', 'access', step);
    if (!anyOf.includes(identity.method))
      return refused(401, 'unauthorized', `route ${route.name} takes ${anyOf.join(' or ')} only`, 'access', step);
    const known = identity;
    const lacking = scopes.filter((scope) => !known.scopes.has(scope));
    if (lacking.length > 0)
      return refused(
        403,
        'forbidden',
        `it lacks the scopes ${lacking.join(' ')}`,
        `access.scopes of route ${route.name}`,
        step,
      );
    steps.push(step);
    const from = compileNetworks(caller.networks);
    const wantedFrom = caller.networks.join(', ');
    if (from !== undefined && ip !== undefined && !from(ip))
      return refused(401, 'unauthorized', `it may be used from ${wantedFrom} only`, 'networks of the key', step);
    const unsaid = ip === undefined ? '; not looked at, for the request names no ip=ADDRESS' : '';
    if (from !== undefined) steps.push(`  it must come from ${wantedFrom}${unsaid}`);
  }
  const events = new Events();
  const { plans, tenants, authorize, routes } = config;
  const usual = { clock, events, readPath: plainPath };
  const parts = caller === undefined ? usual : { ...usual, registry: caller.registry };
  const permissions = new Permissions({ plans, tenants, authorize, routes }, parts);
  let looked = false;
  const inbound = {
    get clientAddress() {
      looked = true;
      return ip ?? HERE;
    },
    scheme: 'https',
  } as Inbound;
  const exchange = new Exchange(inbound, head, body === undefined ? LENGTH_NONE : Buffer.byteLength(body));
  exchange.route = route.name;
  exchange.model = model ?? '';
  looked = false;
  const permit = permissions.permitOf(identity);
  exchange.identity = permit.identity;
  const { tenant = '', plan = '' } = permit.identity ?? {};
  const by =
    plan === '' ? '' : identity?.plan === plan ? ', named by the credential' : ', by the tenant or as the default';
  steps.push(`tenant: ${tenant || 'none'}`, `plan: ${plan || 'none'}${by}`);
  const judged = (step: string, denial: Denial | undefined): ExplainedAccess | undefined => {
    if (looked && ip === undefined) {
      steps.push(`  a rule asks for the address, and the request names no ip=ADDRESS: judged as if from ${HERE}`);
      looked = false;
    }
    if (denial === undefined) {
      steps.push(`${step}: nothing forbids it`);
      return undefined;
    }
    const { status, code, message } = denial.error;
    const why = denial.failed ? `${denial.rule}, whose condition cannot be told` : denial.rule;
    return { ...refused(status, code, message, why, step), rule: denial.rule };
  };
  const early =
    judged('tenant and plan', permissions.admit(permit, exchange)) ??
    judged('rules of route and plan', permissions.checkHead(permit, route.index, exchange));
  if (early !== undefined) return early;
  const served = route.config.upstream === undefined ? undefined : config.upstreams[route.config.upstream];
  const called = recognize(head.method, head.path, head) ?? recognizeSpelled(head.method, head.path, head);
  const blind = served?.protocol === 'http' && called === undefined;
  if (blind && permissions.needsBody(permit, route.index))
    steps.push(`model, tools and tokens: not looked at, for upstream ${route.config.upstream} speaks plain http`);
  else if (permissions.needsBody(permit, route.index)) {
    const facts = bodyOf(body, model);
    if (facts instanceof PeekFault) return refused(400, 'invalid_body', facts.message, 'the body', 'body');
    const late = judged(
      `model${model === undefined ? '' : ` ${model}`}, tools and tokens`,
      permissions.checkBody(permit, route.index, exchange, facts),
    );
    if (late !== undefined) return late;
  }
  const limits = describeLimits([
    { where: '', limits: config.limits },
    { where: route.name, limits: config.routes[route.index]?.limits ?? [] },
    { where: `plan:${plan}`, limits: limitsOf(plans[plan] ?? caller?.registry.plans.get(plan)) },
    { where: `tenant:${tenant}`, limits: limitsOf(tenants[tenant] ?? caller?.registry.tenants.get(tenant)) },
  ]);
  steps.push(`limits: ${limits.length === 0 ? 'none' : limits.join('; ')}`);
  return { steps, mayUse: (name) => permissions.allowsModel(permit, route.index, name) };
}

const limitsOf = (one: { limits?: readonly unknown[] } | undefined) => (one?.limits ?? []) as Config['limits'];

/** What the body says; one that was not given says nothing but the model. */
function bodyOf(text: string | undefined, model: string | undefined): BodyFacts | PeekFault | undefined {
  if (text === undefined) return model === undefined ? undefined : { stream: false, maxTokens: undefined, tools: [] };
  const bytes = Buffer.from(text);
  const peek = peekRequest(bytes);
  if (peek instanceof PeekFault) return peek;
  const tools = toolNames(bytes);
  return tools instanceof PeekFault ? tools : { stream: peek.stream, maxTokens: peek.maxTokens, tools };
}
