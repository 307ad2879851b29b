/** An explanation of a request, as lines for people. */
import type { ExplainedFields, ExplainedUpstream, Explanation } from './explain.ts';

/** The lines, from the request to the servers that it would reach. */
export function explanationLines(told: Explanation): string[] {
  const { request, answer, target, host, model, upstream } = told;
  const lines = [`request: ${requestLine(request)}`, ...told.reasons, ...(told.permission ?? [])];
  if (target !== undefined)
    lines.push(`target: ${target}${target === request.target ? '' : ` (was ${request.target})`}`);
  if (host !== undefined) lines.push(`host: ${host} (by rewrite.host)`);
  lines.push(...fieldLines('request', told.requestFields), ...fieldLines('response', told.responseFields));
  if (model) {
    const { name, sticky, versions } = model;
    const of = model.class === undefined ? '' : `, for class ${model.class}`;
    lines.push(`model ${name}: ${sticky ? `sticky by ${sticky}` : 'exact shares over any 1,000 requests'}${of}`);
    for (const version of versions) {
      const renamed = version.model === name ? '' : `, asked for as ${version.model}`;
      const spills = version.spillsTo === undefined ? '' : `, spills over to ${version.spillsTo}`;
      lines.push(`  version ${version.name}: ${version.share}%${renamed}${spills}`);
      lines.push(...upstreamLines(version.upstream, host, '    '));
    }
  }
  if (upstream) lines.push(...upstreamLines(upstream, host, ''));
  if (told.hint !== undefined) lines.push(told.hint);
  if (answer) lines.push(`answer: ${answer.status}${answer.code === 'ok' ? '' : ` ${answer.code}`}: ${answer.message}`);
  return lines;
}

function requestLine({ method, authority, target, model, fields }: Explanation['request']): string {
  const parts = [`${method} ${authority}${target}`];
  if (model !== undefined) parts.push(`model=${model}`);
  if (fields.length > 0) parts.push(fields.map(([name, value]) => `${name}: ${value}`).join(', '));
  return parts.join('  ');
}

function fieldLines(what: string, changes: ExplainedFields | undefined): string[] {
  if (!changes) return [];
  const list = [
    ...changes.remove.map((name) => `remove ${name}`),
    ...changes.set.map(([name, value]) => `set ${name}: ${value}`),
    ...changes.add.map(([name, value]) => `add ${name}: ${value}`),
  ];
  return [`${what} fields: ${list.join('; ')}`];
}

function upstreamLines(upstream: ExplainedUpstream, rewritten: string | undefined, indent: string): string[] {
  const { name, protocol, balance, host, endpoints } = upstream;
  const sent = host === undefined || host === rewritten ? '' : `, host ${host}`;
  return [
    `${indent}upstream ${name}: ${protocol}, ${balance}${sent}`,
    ...endpoints.map(({ url, weight }) => `${indent}  endpoint ${url}${weight === 1 ? '' : ` (weight ${weight})`}`),
  ];
}
