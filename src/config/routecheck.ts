/** Mistakes of routes: targets that do not exist, names used twice, routes that never get a request. */
import type { RouteConfig } from '../route/config.ts';
import { checkRoutes as checkOwn } from '../route/route.ts';
import { suggestion } from './nearest.ts';
import type { Parts } from './parts.ts';
import type { Path, Report } from './problem.ts';

/** Reports what is wrong with the routes of `parts`. */
export function checkRoutes(parts: Parts, report: Report): void {
  const names = new Set<string>();
  for (const [i, route] of parts.routes) {
    const path: Path = ['routes', i];
    if (names.has(route.name)) report.at([...path, 'name'], `two routes are named "${route.name}"; rename one`);
    names.add(route.name);
    checkTarget(path, route, parts, report);
    checkMatch(path, route, report);
  }
  const routes = parts.routes.map(([, route]) => route);
  for (const { index, at, kind, message } of checkOwn(routes)) {
    const [place = 0, route] = parts.routes[index] ?? [];
    const path: Path = ['routes', place, ...at];
    // Repeated names are told above. A rewrite leans on the match, of which a part may have been taken out.
    if (at[0] === 'name' || (at[0] === 'rewrite' && route !== undefined && parts.partial.has(route))) continue;
    if (kind === 'wrong') report.at(path, message);
    else if (parts.whole) report.warn(path, message, 'key');
  }
}

function checkTarget(path: Path, route: RouteConfig, parts: Parts, report: Report): void {
  const { service, upstream, models } = route;
  if ((upstream ?? models ?? service) === undefined && !parts.partial.has(route)) {
    report.at(path, 'the route leads nowhere; add "upstream" (for any HTTP service) or "models" (for models)');
  }
  if (service !== undefined && (upstream ?? models) !== undefined) {
    report.at([...path, 'service'], 'Gatehouse itself answers here; take "upstream" and "models" out', 'key');
  }
  if (service === 'tokens' && parts.whole && parts.tokens === undefined) {
    report.at([...path, 'service'], 'the token service has no settings; add "tokens" at the top, with an "issuer"');
  }
  if (service === 'signup' && parts.whole && parts.signup === undefined) {
    report.at([...path, 'service'], 'nothing says what a trial is; add "signup" at the top, with a "plan"');
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
