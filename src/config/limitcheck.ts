/** Limits that do not do what they look like: two of one name, and keys that nobody has. */
import { type LimitConfig, NEEDS_CALLER } from '../policy/quota/config.ts';
import { BUDGET, rulesOf } from '../policy/quota/quota.ts';
import type { Parts } from './parts.ts';
import type { Path, Report } from './problem.ts';

/** Reports what is wrong with the limits of `parts`. */
export function checkLimits(parts: Parts, report: Report): void {
  const names = new Map<string, string>();
  const check = (path: Path, limits: readonly LimitConfig[], where: string) => {
    const here = path
      .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
      .join('')
      .slice(1);
    for (const [i, { rule }] of rulesOf(limits, where).entries()) {
      const other = names.get(rule.name);
      if (other !== undefined)
        report.at([...path, i], `this limit is named "${rule.name}", as is one of ${other}; give it another name`);
      names.set(rule.name, here);
    }
  };
  check(['limits'], parts.money?.limits ?? [], '');
  for (const [i, { name, limits }] of parts.routes) check(['routes', i, 'limits'], limits, name);
  for (const [name, { limits }] of parts.plans) check(['plans', name, 'limits'], limits, `plan:${name}`);
  for (const [name, { limits }] of parts.tenants) check(['tenants', name, 'limits'], limits, `tenant:${name}`);
  for (const [i, { name }] of (parts.money?.budgets ?? []).entries()) {
    const other = names.get(`${BUDGET}${name}`);
    if (other !== undefined)
      report.at(
        ['budgets', i, 'name'],
        `one of ${other} is named "${BUDGET}${name}", as this budget is among limits; rename it`,
      );
  }
  if (!parts.whole) return;
  for (const [i, { access, limits }] of parts.routes) {
    if (access !== undefined) continue;
    limits.forEach(({ key }, at) => {
      warnOf(['routes', i, 'limits', at, 'key'], key, 'nobody is known on this route', report);
    });
  }
  if (parts.routes.some(([, { access }]) => access !== undefined)) return;
  parts.money?.limits.forEach(({ key }, at) => {
    warnOf(['limits', at, 'key'], key, 'nobody is known on any route', report);
  });
}

function warnOf(path: Path, key: readonly string[], why: string, report: Report): void {
  const part = key.find((one) => NEEDS_CALLER.test(one));
  if (part === undefined) return;
  report.warn(path, `${why}, so all callers share one count by ${part}; add "access" to the route, or count by ip`);
}
