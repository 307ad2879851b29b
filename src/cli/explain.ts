/** `gatehouse check --explain REQUEST`: which route, model version and upstream a request would meet, and why. */
import type { RequestHead } from '../kernel/exchange.ts';
import type { ModelConfig, RouteConfig } from '../route/config.ts';
import { checkRoutes, compileRoutes } from '../route/route.ts';
import type { UpstreamConfig } from '../upstream/config.ts';
import { parseRequest, requestLine } from './request.ts';

/** The parts of the configuration that decide where a request goes. */
export interface ExplainedConfig {
  routes: readonly RouteConfig[];
  models: Readonly<Record<string, ModelConfig>>;
  upstreams: Readonly<Record<string, UpstreamConfig>>;
}

/**
 * Explains a request, such as `POST https://api.example.com/v1/chat/completions model=deepseek-chat x-tier:gold`, or a
 * curl command line, in lines for people. Throws an Error that says how to write a request when it is none.
 */
export function explain(config: ExplainedConfig, request: string): string {
  const asked = parseRequest(request);
  const { head, model } = asked;
  const lines = [`request: ${requestLine(asked)}`];
  const broken = checkRoutes(config.routes).filter((issue) => !issue.message.startsWith('never reached'));
  if (broken.length > 0) {
    return [...lines, ...broken.map(({ index, message }) => `routes[${index}]: ${message}`)].join('\n');
  }
  const router = compileRoutes(config.routes);
  lines.push(...router.explain(head, model));
  const first = router.match(head);
  if (first?.needsModel && model === undefined) {
    lines.push(`the body's model decides here (route ${first.name} asks for it): add model=NAME to the request`);
  }
  const route = router.matchModel(head, model);
  if (!route) {
    const refusal = router.refusal(head);
    return [...lines, `answer: ${refusal.status} ${refusal.code}: ${refusal.message}`].join('\n');
  }
  const target = route.rewriteTarget(head);
  lines.push(`target: ${target}${target === head.target ? '' : ` (was ${head.target})`}`);
  if (route.host !== undefined) lines.push(`host: ${route.host} (by rewrite.host)`);
  lines.push(...fieldLines('request', route.requestFields), ...fieldLines('response', route.responseFields));
  if (route.config.models !== undefined)
    lines.push(...modelLines(config, route.config, route.allowsModel(model ?? ''), model));
  if (route.config.upstream !== undefined) {
    lines.push(...upstreamLines(config, route.config.upstream, head, route.host, 'upstream'));
  }
  return lines.join('\n');
}

function fieldLines(
  what: string,
  changes: ReturnType<typeof compileRoutes>['entries'][number]['route']['requestFields'],
): string[] {
  if (!changes) return [];
  const list = [
    ...[...changes.remove].map((name) => `remove ${name}`),
    ...changes.set.map(([name, value]) => `set ${name}: ${value}`),
    ...changes.add.map(([name, value]) => `add ${name}: ${value}`),
  ];
  return [`${what} fields: ${list.join('; ')}`];
}

function modelLines(
  config: ExplainedConfig,
  route: RouteConfig,
  allowed: boolean,
  model: string | undefined,
): string[] {
  const list = route.models?.includes('*') ? Object.keys(config.models) : (route.models ?? []);
  if (model === undefined) return [`model: none named; this route serves ${list.join(', ') || 'none'}`];
  const found = Object.hasOwn(config.models, model) ? config.models[model] : undefined;
  if (!allowed) return [`answer: 404 model_not_found: ${model} is not one of this route's models (${list.join(', ')})`];
  if (!found)
    return [`answer: 404 model_not_found: models has no ${model}; it has ${Object.keys(config.models).join(', ')}`];
  const total = found.versions.reduce((sum, version) => sum + version.weight, 0);
  const lines = [
    `model ${model}: ${found.sticky ? `sticky by ${found.sticky}` : 'exact shares over any 1,000 requests'}`,
  ];
  for (const version of found.versions) {
    const share = total === 0 ? 0 : (100 * version.weight) / total;
    const renamed = version.model === undefined || version.model === model ? '' : `, asked for as ${version.model}`;
    lines.push(`  version ${version.name}: ${Number(share.toFixed(3))}%${renamed}`);
    lines.push(...upstreamLines(config, version.upstream, undefined, undefined, '    upstream'));
  }
  return lines;
}

function upstreamLines(
  config: ExplainedConfig,
  name: string,
  head: RequestHead | undefined,
  host: string | undefined,
  label: string,
): string[] {
  const upstream = Object.hasOwn(config.upstreams, name) ? config.upstreams[name] : undefined;
  if (!upstream) return [`${label} ${name}: not configured; upstreams has ${Object.keys(config.upstreams).join(', ')}`];
  const policy =
    typeof upstream.balance === 'string' ? upstream.balance : `${upstream.balance.policy} on ${upstream.balance.on}`;
  const endpoints = upstream.endpoints.map(({ url, weight }) => (weight === 1 ? url : `${url} (weight ${weight})`));
  const sent =
    host !== undefined || head === undefined || upstream.host === 'endpoint'
      ? ''
      : `, host ${upstream.host === 'preserve' ? head.authority : upstream.host}`;
  return [`${label} ${name}: ${upstream.protocol}, ${policy}${sent}: ${endpoints.join(', ')}`];
}
