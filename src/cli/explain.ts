/** What `gatehouse check --explain REQUEST` finds out: which route, model version and upstream a request would meet. */
import { modelIdOf, recognize, recognizeSpelled } from '../ai/ai.ts';
import { REFUSED_METHODS } from '../gatehouse.ts';
import type { GatehouseError } from '../kernel/error.ts';
import type { RequestHead } from '../kernel/exchange.ts';
import { className, USUAL_PRIORITY } from '../kernel/priority.ts';
import type { ModelConfig } from '../route/config.ts';
import type { CompiledRoute } from '../route/route.ts';
import { compileRoutes } from '../route/route.ts';
import { type LimitedConfig, unknownHint } from './explainunknown.ts';
import { type DescribedRequest, parseRequest } from './request.ts';

/** The parts of the configuration that decide where a request goes. */
export interface ExplainedConfig extends LimitedConfig {
  models: Readonly<Record<string, ModelConfig>>;
}

/** What Gatehouse answers itself instead of forwarding. */
export interface OwnAnswer {
  status: number;
  /** Error code; `ok` for what is not refused, such as the list of models. */
  code: string;
  message: string;
}

/** An upstream as a request meets it. */
export interface ExplainedUpstream {
  name: string;
  protocol: string;
  balance: string;
  /** Host field that the servers get, unless it is their own. */
  host?: string;
  endpoints: { url: string; weight: number }[];
}

/** One version of a model, with its share of the requests in percent. */
export interface ExplainedVersion {
  name: string;
  share: number;
  /** The model's name in the request that the servers get. */
  model: string;
  /** Where requests go that find nothing here. */
  spillsTo?: string;
  upstream: ExplainedUpstream;
}

/** Field lines that a route changes. */
export interface ExplainedFields {
  remove: string[];
  set: (readonly [string, string])[];
  add: (readonly [string, string])[];
}

/** Everything that is said about a request. */
export interface Explanation {
  request: { method: string; authority: string; target: string; model?: string; fields: [string, string][] };
  /** The route that takes it, and of every other why it does not; lines for people. */
  reasons: string[];
  /** What its caller may do: each step, in the order in which they are asked. */
  permission?: string[];
  /** The rule that refuses it. */
  rule?: string;
  /** What to say besides, for another answer. */
  hint?: string;
  route?: string;
  answer?: OwnAnswer;
  /** Target as the servers get it. */
  target?: string;
  /** Host field by `rewrite.host`. */
  host?: string;
  requestFields?: ExplainedFields;
  responseFields?: ExplainedFields;
  /** `class`: of the request, as far as it tells; only where versions differ in what they serve. */
  model?: { name: string; sticky?: string; class?: string; versions: ExplainedVersion[] };
  upstream?: ExplainedUpstream;
}

/** Says what a caller may do on a route. */
export type Judge = (
  route: CompiledRoute,
  asked: DescribedRequest,
) => { steps: string[]; answer?: OwnAnswer; rule?: string; mayUse?: (model: string) => boolean };

/**
 * Explains a request, such as `POST https://api.example.com/v1/chat/completions model=deepseek-chat x-tier:gold`, or a
 * curl command line. `config` is one that has been checked. Throws an Error that says how to write a request when it is none.
 */
export function explain(config: ExplainedConfig, text: string, judge?: Judge): Explanation {
  const asked = parseRequest(text);
  const { head, model } = asked;
  const router = compileRoutes(config.routes);
  const told: Explanation = { request: described(asked), reasons: router.explain(head, model) };
  if (REFUSED_METHODS.has(head.method)) {
    told.reasons = [];
    return own(told, 405, 'method_not_allowed', `${head.method} is not served here`);
  }
  const first = router.match(head);
  if (first?.needsModel && model === undefined) {
    told.hint = `the body's model decides here (route ${first.name} asks for it): add model=NAME to the request`;
  }
  const route = router.matchModel(head, model);
  if (!route) return refused(told, router.refusal(head));
  told.route = route.name;
  let mayUse = (_: string) => true;
  if (judge !== undefined) {
    const { steps, answer, rule, ...caller } = judge(route, asked);
    told.permission = steps;
    if (rule !== undefined) told.rule = rule;
    if (answer !== undefined) {
      told.answer = answer;
      return told;
    }
    mayUse = caller.mayUse ?? mayUse;
  }
  if (route.config.models !== undefined) explainModel(told, config, route, asked, mayUse);
  if (told.answer) return told;
  told.target = route.rewriteTarget(head);
  if (route.host !== undefined) told.host = route.host;
  const fields = { requestFields: fieldsOf(route.requestFields), responseFields: fieldsOf(route.responseFields) };
  if (fields.requestFields) told.requestFields = fields.requestFields;
  if (fields.responseFields) told.responseFields = fields.responseFields;
  const unknown = unknownHint(config, route, asked);
  if (unknown !== undefined) told.hint = unknown;
  const { upstream } = route.config;
  if (upstream !== undefined) told.upstream = upstreamOf(config, upstream, head, route.host);
  return told;
}

function own(told: Explanation, status: number, code: string, message: string): Explanation {
  told.answer = { status, code, message };
  return told;
}

const refused = (told: Explanation, { status, code, message }: GatehouseError) => own(told, status, code, message);

function described({ head, model }: DescribedRequest): Explanation['request'] {
  const fields: [string, string][] = [];
  head.each((name, value) => fields.push([name, value]));
  const { method, authority, target } = head;
  return { method, authority, target, ...(model === undefined ? {} : { model }), fields };
}

function fieldsOf(changes: CompiledRoute['requestFields']): ExplainedFields | undefined {
  if (!changes) return undefined;
  return { remove: [...changes.remove], set: [...changes.set], add: [...changes.add] };
}

/** Which version answers, or what is said instead, on a route that serves models. */
function explainModel(
  told: Explanation,
  config: ExplainedConfig,
  route: CompiledRoute,
  asked: DescribedRequest,
  mayUse: (model: string) => boolean,
): void {
  const { head } = asked;
  const every = Object.keys(config.models);
  const served = route.config.models?.includes('*') ? every : (route.config.models ?? []);
  const visible = served.filter(mayUse);
  const list = visible.join(', ') || 'none';
  const known = recognize(head.method, head.path, head) !== undefined;
  const apiPath = known ? head.path : (route.rewrittenPath(head) ?? head.path);
  const operation = recognize(head.method, apiPath, head) ?? recognizeSpelled(head.method, apiPath, head);
  if (operation?.name === 'models') {
    const which = visible.length === served.length ? 'of this route' : 'of this route that the caller may use';
    own(told, 200, 'ok', `Gatehouse answers itself with the models ${which}: ${list}`);
    return;
  }
  const name = operation?.name === 'model' ? modelIdOf(apiPath) : asked.model;
  if (name === undefined) {
    told.hint = `this route serves ${list}: add model=NAME to the request, or a body with -d`;
    own(told, 400, 'invalid_body', 'the request names no model');
    return;
  }
  const found = Object.hasOwn(config.models, name) && visible.includes(name) ? config.models[name] : undefined;
  if (!found) {
    own(told, 404, 'model_not_found', `${name} is not one of this route's models (${list})`);
    return;
  }
  if (operation?.name === 'model') {
    own(told, 200, 'ok', `Gatehouse answers itself with what it knows of ${name}`);
    return;
  }
  // What plan, tenant and key make of it is not told by the request.
  const wanted = className(Math.min(route.priority ?? USUAL_PRIORITY, route.askedPriority(head)));
  const weights = found.versions.map(({ weight, classes }) => {
    return classes === undefined || classes.includes(wanted) ? weight : 0;
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) {
    own(told, 503, 'no_endpoint', `no version of ${name} serves requests of class ${wanted}`);
    return;
  }
  const classed = found.versions.some(({ classes }) => classes !== undefined);
  told.model = {
    name,
    ...(classed ? { class: wanted } : {}),
    ...(found.sticky === undefined ? {} : { sticky: found.sticky }),
    versions: found.versions.map((version, i) => ({
      name: version.name,
      share: Number(((100 * (weights[i] ?? 0)) / total).toFixed(3)),
      model: version.model ?? name,
      ...(version.spillover === undefined ? {} : { spillsTo: version.spillover.to }),
      upstream: upstreamOf(config, version.upstream, head, route.host),
    })),
  };
}

function upstreamOf(config: ExplainedConfig, name: string, head: RequestHead, host: string | undefined) {
  const upstream = config.upstreams[name];
  if (!upstream) throw new Error(`there is no upstream ${name}: check the configuration first`);
  const { protocol, balance } = upstream;
  const told: ExplainedUpstream = {
    name,
    protocol,
    balance: typeof balance === 'string' ? balance : `${balance.policy} on ${balance.on}`,
    endpoints: upstream.endpoints.map(({ url, weight }) => ({ url, weight })),
  };
  const sent = host ?? (upstream.host === 'preserve' ? head.authority : upstream.host);
  if (sent !== 'endpoint') told.host = sent;
  return told;
}
