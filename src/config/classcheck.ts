/** Mistakes of classes and spill-over: requests that no version serves, versions that go over to none. */
import { CLASSES, type ClassName, classOf, USUAL_PRIORITY } from '../kernel/priority.ts';
import type { ModelConfig } from '../route/config.ts';
import { suggestion } from './nearest.ts';
import type { Parts } from './parts.ts';
import type { Path, Report } from './problem.ts';

/** Reports what the versions of a model get wrong about classes. What stands in the store is not seen here. */
export function checkClasses(path: Path, name: string, model: ModelConfig, parts: Parts, report: Report): void {
  const { versions } = model;
  const names = versions.map((version) => version.name);
  for (const [i, version] of versions.entries()) {
    const { spillover } = version;
    if (spillover === undefined) continue;
    const here = [...path, 'versions', i, 'spillover', 'to'];
    if (spillover.to === version.name) report.at(here, 'a version cannot spill over to itself; name another one');
    else if (!names.includes(spillover.to)) {
      const others = names.filter((one) => one !== version.name);
      report.at(
        here,
        `no version of this model is named "${spillover.to}"; ${suggestion(spillover.to, others, 'versions')}`,
      );
    }
  }
  const served = (wanted: ClassName) =>
    versions.some(({ weight, classes }) => weight > 0 && (classes === undefined || classes.includes(wanted)));
  const missing = [...comingTo(name, parts)].filter((wanted) => !served(wanted));
  if (missing.length === 0 || parts.partial.has(model)) return;
  const which = missing.length === 1 ? `class ${missing[0]}` : `classes ${missing.join(' and ')}`;
  report.warn(
    [...path, 'versions'],
    `requests of ${which} may come here, and no version with a weight serves them (503); add it to "classes" of one`,
    'key',
  );
}

/** Classes of the requests that may ask for a model, the most important first. */
function comingTo(name: string, { routes, plans, tenants, access }: Parts): Set<ClassName> {
  const found = new Set<number>();
  const planned = plans.map(([, { priority }]) => priority);
  const bounds = [...tenants.map(([, tenant]) => tenant.priority), ...(access?.keys ?? []).map((key) => key.priority)];
  for (const [, route] of routes) {
    if (!route.models?.includes(name) && !route.models?.includes('*')) continue;
    const known = route.access !== undefined;
    const given = (known ? [undefined, ...planned] : [undefined]).map((plan) => {
      return Math.min(route.priority ?? Number.POSITIVE_INFINITY, plan ?? Number.POSITIVE_INFINITY);
    });
    for (const one of given) {
      const priority = one === Number.POSITIVE_INFINITY ? USUAL_PRIORITY : one;
      for (const bound of known ? [undefined, ...bounds] : [undefined])
        found.add(classOf(Math.min(priority, bound ?? priority)));
    }
    // A client may say less.
    if (route.priorityHeader !== undefined) for (let at = Math.min(...found); at < CLASSES.length; at++) found.add(at);
  }
  return new Set(CLASSES.filter((_, at) => found.has(at)));
}
