/** Mistakes of routes: targets that do not exist, names used twice, routes that never get a request. */
import type { RouteConfig } from '../route/config.ts';
import { suggestion } from './nearest.ts';
import type { Parts } from './parts.ts';
import type { Path, Report } from './problem.ts';

/** Fields that Gatehouse writes itself: a wrong one would let two parsers read one message in two ways. */
const OWN_FIELDS = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Reports what is wrong with the routes of `parts`. */
export function checkRoutes(parts: Parts, report: Report): void {
  const names = new Map<string, number>();
  const matches = new Map<string, string>();
  for (const [i, route] of parts.routes) {
    const path: Path = ['routes', i];
    if (names.has(route.name)) {
      report.at([...path, 'name'], `two routes are named "${route.name}"; rename one`);
    }
    names.set(route.name, i);
    checkTarget(path, route, parts, report);
    checkMatch(path, route, report);
    if (parts.partial.has(route)) continue;
    checkRewrite(path, route, report);
    const match = canonical(route.match);
    const first = matches.get(match);
    if (first !== undefined) {
      report.warn(
        [...path, 'match'],
        `never gets a request: route "${first}" before it takes all that match the same; take it out, or match more`,
        'key',
      );
    } else matches.set(match, route.name);
  }
}

function checkTarget(path: Path, route: RouteConfig, parts: Parts, report: Report): void {
  if (route.upstream === undefined && route.models === undefined && !parts.partial.has(route)) {
    report.at(path, 'the route leads nowhere; add "upstream" (for any HTTP service) or "models" (for models)');
  }
  if (route.upstream !== undefined && route.models !== undefined) {
    report.at([...path, 'upstream'], 'a route has either "upstream" or "models", not both; take one out', 'key');
  }
  if (route.upstream !== undefined && !parts.upstreamNames.includes(route.upstream)) {
    report.at(
      [...path, 'upstream'],
      `no upstream is named "${route.upstream}"; ${suggestion(route.upstream, parts.upstreamNames, 'upstreams')}`,
    );
  }
  const seen = new Set<string>();
  route.models?.forEach((model, i) => {
    const here = [...path, 'models', i];
    if (seen.has(model)) report.at(here, `model "${model}" stands twice in this route; take one out`);
    seen.add(model);
    if (model === '*' && parts.modelNames.length === 0) {
      report.at(here, '"*" offers all models, but there are none; add them under "models"');
    } else if (model !== '*' && !parts.modelNames.includes(model)) {
      report.at(here, `no model is named "${model}"; ${suggestion(model, parts.modelNames, 'models')}`);
    }
  });
}

function checkMatch(path: Path, route: RouteConfig, report: Report): void {
  for (const key of ['host', 'path', 'method', 'model'] as const) {
    const seen = new Set<string>();
    route.match[key]?.forEach((value, i) => {
      const same = key === 'host' ? value.toLowerCase() : value;
      // A single value need not stand in a list, and then its place has no index.
      if (seen.has(same))
        report.at([...path, 'match', key, i], `${key} "${value}" stands twice in this match; take one out`);
      seen.add(same);
    });
  }
}

function checkRewrite(path: Path, route: RouteConfig, report: Report): void {
  const rewrite = route.rewrite;
  for (const name of placeholders(rewrite?.path ?? '')) {
    const lacking = route.match.path?.find((pattern) => !placeholders(pattern).includes(name));
    if (lacking === undefined && route.match.path !== undefined) continue;
    const known = route.match.path?.flatMap(placeholders) ?? [];
    report.at(
      [...path, 'rewrite', 'path'],
      `{${name}} is not a segment of ${lacking === undefined ? 'the match, which has no path' : `the match path ${lacking}`}; ${suggestion(name, known, 'segments')}`,
    );
  }
  for (const side of ['requestHeaders', 'responseHeaders'] as const) {
    const changes = rewrite?.[side];
    for (const [verb, fields] of [
      ['set', Object.keys(changes?.set ?? {})],
      ['add', Object.keys(changes?.add ?? {})],
    ] as const) {
      for (const field of fields) {
        if (!OWN_FIELDS.has(field.toLowerCase())) continue;
        const instead =
          field.toLowerCase() === 'host'
            ? 'set "rewrite.host" instead'
            : 'Gatehouse writes this field itself; take it out';
        report.at([...path, 'rewrite', side, verb, field], `${field} cannot be written here: ${instead}`, 'key');
      }
    }
  }
}

function placeholders(pattern: string): string[] {
  return [...pattern.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1] ?? '');
}

/** One text for equal matches: keys sorted, lists as sets, hosts and field names in lower case. */
function canonical(match: RouteConfig['match']): string {
  const lower = (list: string[] | undefined) => list?.map((item) => item.toLowerCase());
  const fields = Object.entries(match.headers ?? {}).map(([key, value]) => [key.toLowerCase(), value] as const);
  return stable({
    ...match,
    host: lower(match.host),
    headers: fields.length > 0 ? Object.fromEntries(fields) : undefined,
  });
}

function stable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stable).sort().join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? '';
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${entries
    .map(([key, item]) => `${JSON.stringify(key)}:${stable(item)}`)
    .sort()
    .join()}}`;
}
