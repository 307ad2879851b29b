/** Money that nobody can count: budgets, and limits on credits, where a model has no price. */
import type { LimitConfig } from '../policy/quota/config.ts';
import { suggestion } from './nearest.ts';
import type { Parts } from './parts.ts';
import type { Path, Report } from './problem.ts';

/** Reports models without a price under a limit on money, and prices of models that there are not. */
export function checkPrices(parts: Parts, report: Report): void {
  if (parts.money === undefined) return;
  const { prices, limits, budgets } = parts.money;
  for (const name of Object.keys(prices.models)) {
    if (parts.modelNames.includes(name) || parts.routes.some(([, { upstream }]) => upstream !== undefined)) continue;
    const remedy = suggestion(name, parts.modelNames, 'models');
    report.at(['prices', 'models', name], `no model is named "${name}"; ${remedy}`, 'key');
  }
  for (const [name, { when }] of Object.entries(prices.models))
    checkExceptions(['prices', 'models', name], name, when, parts, report);
  if (prices.default !== undefined)
    checkExceptions(['prices', 'default'], undefined, prices.default.when, parts, report);
  const names = new Set<string>();
  budgets.forEach(({ name }, i) => {
    if (names.has(name)) report.at(['budgets', i, 'name'], `two budgets are named "${name}"; rename one`);
    names.add(name);
  });
  checkNodes(parts, report);
  const place = firstOf(parts, budgets.length, limits);
  if (place === undefined || prices.default !== undefined) return;
  const unpriced = parts.models.map(([name]) => name).filter((name) => !Object.hasOwn(prices.models, name));
  const open = parts.routes.some(([, { upstream, models }]) => upstream !== undefined && models === undefined);
  if (unpriced.length > 0) {
    report.at(
      place,
      `money is limited here, and ${unpriced.join(', ')} has no price; add it to prices.models, or prices.default`,
    );
  } else if (Object.keys(prices.models).length === 0 && (open || parts.models.length === 0)) {
    report.at(place, 'money is limited here, and nothing has a price; add prices.default or prices.models');
  } else if (open) {
    report.warn(
      place,
      'money is limited here, and on a route without "models" callers name any model: those without a price are free; add prices.default',
    );
  }
}

/** Several nodes keep a budget exactly only where they have both in common: what counts it, and what remembers it. */
function checkNodes({ money, redis }: Parts, report: Report): void {
  if (money === undefined || !money.budgets.some(({ mode }) => mode === 'enforce')) return;
  const postgres = money.store.driver === 'postgres';
  if (postgres && !redis)
    report.warn(
      ['budgets'],
      'several nodes on this store may go over a budget by what they spend within a second; with redis they never do',
      'key',
    );
  if (redis && !postgres)
    report.warn(
      ['budgets'],
      'what other nodes have spent is forgotten when redis loses its data; a store with driver: postgres remembers it for all of them',
      'key',
    );
}

/** Versions and upstreams that there are not: their price would never hold. `model`: undefined for all of them. */
function checkExceptions(
  path: Path,
  model: string | undefined,
  when: readonly { version?: string | undefined; upstream?: string | undefined }[],
  parts: Parts,
  report: Report,
): void {
  const known = parts.models.filter(([name]) => model === undefined || name === model);
  const versions = [...new Set(known.flatMap(([, { versions: all }]) => all.map(({ name }) => name)))];
  for (const [i, { version, upstream }] of when.entries()) {
    const here = [...path, 'when', i];
    if (version !== undefined && known.length > 0 && !versions.includes(version))
      report.at([...here, 'version'], `no version is named "${version}"; ${suggestion(version, versions, 'versions')}`);
    if (upstream !== undefined && !parts.upstreamNames.includes(upstream))
      report.at(
        [...here, 'upstream'],
        `no upstream is named "${upstream}"; ${suggestion(upstream, parts.upstreamNames, 'upstreams')}`,
      );
  }
}

/** Where money is limited first. */
function firstOf(parts: Parts, budgets: number, limits: readonly LimitConfig[]): Path | undefined {
  if (budgets > 0) return ['budgets', 0];
  const at = limits.findIndex(({ credits }) => credits !== undefined);
  if (at >= 0) return ['limits', at];
  for (const [i, route] of parts.routes) {
    const own = route.limits.findIndex(({ credits }) => credits !== undefined);
    if (own >= 0) return ['routes', i, 'limits', own];
  }
  for (const kind of ['plans', 'tenants'] as const)
    for (const [name, { limits: own }] of parts[kind]) {
      const found = own.findIndex(({ credits }) => credits !== undefined);
      if (found >= 0) return [kind, name, 'limits', found];
    }
  return undefined;
}
