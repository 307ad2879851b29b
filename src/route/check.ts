/** Finds what is wrong with a list of routes, before they are compiled. Pure. */
import { type Conditions, compileConditions, type ValueTest } from './condition.ts';
import type { RouteConfig } from './config.ts';
import { describeHost, type HostRule, parseHost } from './order.ts';
import { type PathRule, parsePath } from './pattern.ts';
import { checkFields, compilePathRewrite } from './rewrite.ts';

/** A problem with the route at `index` in the list. */
export interface RouteIssue {
  readonly index: number;
  /** Keys that lead from the route to what is wrong. */
  readonly at: readonly (string | number)[];
  /** `shadowed`: it works, but another route takes its requests. */
  readonly kind: 'wrong' | 'shadowed';
  readonly message: string;
}

/** Routes on the same host and path that are compared each with each; beyond, only equal ones are found. */
const COMPARED_MAX = 200;

interface Spot {
  readonly index: number;
  readonly host: HostRule;
  readonly path: PathRule;
  readonly conditions: Conditions;
}

/** Every problem of a list of routes: wrong patterns, rewrites and field changes, repeated names, routes never reached. */
export function checkRoutes(routes: readonly RouteConfig[]): RouteIssue[] {
  const issues: RouteIssue[] = [];
  const names = new Map<string, number>();
  const spots = new Map<string, Spot[]>();
  for (const [index, route] of routes.entries()) {
    const say = (at: RouteIssue['at'], message: string) => issues.push({ index, at, kind: 'wrong', message });
    const earlier = names.get(route.name);
    if (earlier !== undefined)
      say(['name'], `the name ${route.name} is already taken by route ${earlier + 1}; names must differ`);
    else names.set(route.name, index);
    const conditions = compileConditions(route.match);
    for (const pattern of route.match.model ?? []) {
      if (pattern.slice(0, -1).includes('*'))
        say(['match', 'model'], `model ${pattern}: * may only stand at the end, as in gpt-*`);
    }
    for (const header of conditions.headers) {
      if (header.name === 'host') say(['match', 'headers'], 'match the Host field with match.host');
    }
    for (const text of route.match.path ?? [undefined]) {
      const path = parsePath(text);
      if (typeof path === 'string') {
        say(['match', 'path'], path);
        continue;
      }
      const rewrite = route.rewrite?.path === undefined ? '' : compilePathRewrite(route.rewrite.path, path);
      if (typeof rewrite === 'string' && rewrite !== '') say(['rewrite', 'path'], rewrite);
      for (const name of route.match.host ?? [undefined]) {
        const host = parseHost(name);
        const key = `${describeHost(host)} ${path.shape}`;
        const list = spots.get(key);
        if (list) list.push({ index, host, path, conditions });
        else spots.set(key, [{ index, host, path, conditions }]);
      }
    }
    for (const side of ['requestHeaders', 'responseHeaders'] as const) {
      for (const { at, message } of checkFields(route.rewrite?.[side])) say(['rewrite', side, ...at], message);
    }
    const host = route.rewrite?.host;
    if (host !== undefined && !/^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/.test(host)) {
      say(
        ['rewrite', 'host'],
        `rewrite.host ${JSON.stringify(host)} is no host; write a name such as api.example.com, or NAME:PORT`,
      );
    }
  }
  return [...issues, ...findUnreachable(routes, spots)].sort((a, b) => a.index - b.index);
}

/**
 * Only routes on the same host and path can hide one another: everything else that matches more comes later in the
 * order. There, one hides another when it comes first and asks for no more.
 */
function findUnreachable(routes: readonly RouteConfig[], spots: Map<string, Spot[]>): RouteIssue[] {
  const ways = new Array<number>(routes.length).fill(0);
  const hidden: { spot: Spot; by: number }[] = [];
  for (const list of spots.values()) {
    for (const spot of list) ways[spot.index] = (ways[spot.index] ?? 0) + 1;
    const exhaustive = list.length <= COMPARED_MAX;
    const seen = new Map<string, Spot>();
    for (const spot of list) {
      const key = exhaustive ? '' : keyOf(spot.conditions);
      const by = exhaustive ? list.find((other) => hides(other, spot)) : seen.get(key);
      if (by) hidden.push({ spot, by: by.index });
      else if (!exhaustive) seen.set(key, spot);
    }
  }
  const lost = new Map<number, { by: number; where: string }[]>();
  for (const { spot, by } of hidden) {
    const where = `host ${describeHost(spot.host)}, path ${spot.path.text}`;
    lost.set(spot.index, [...(lost.get(spot.index) ?? []), { by, where }]);
  }
  return [...lost].map(([index, list]) => {
    const whole = list.length === ways[index];
    const blame = [...new Set(list.map(({ by }) => `route ${by + 1} (${routes[by]?.name})`))].join(', ');
    const where = list.map((item) => item.where).join('; ');
    return {
      index,
      at: ['match'],
      kind: 'shadowed',
      message: whole
        ? `never reached: ${blame} comes first and matches everything that this one does; make one of them more specific`
        : `never reached by ${where}: ${blame} comes first; take it out here or make it more specific`,
    };
  });
}

function hides(a: Spot, b: Spot): boolean {
  if (a === b || a.conditions.count !== b.conditions.count) return false;
  const { modelLength } = a.conditions;
  const first = modelLength === b.conditions.modelLength ? a.index < b.index : modelLength > b.conditions.modelLength;
  if (!first) return false;
  const methods = a.conditions.methods;
  if (methods && !(b.conditions.methods?.every((method) => methods.includes(method)) ?? false)) return false;
  return (
    coversTests(a.conditions.headers, b.conditions.headers) &&
    coversTests(a.conditions.query, b.conditions.query) &&
    coversModels(a.conditions.model, b.conditions.model)
  );
}

function coversTests(wide: readonly ValueTest[], narrow: readonly ValueTest[]): boolean {
  return wide.every((a) => narrow.some((b) => a.name === b.name && coversTest(a, b)));
}

function coversTest(a: ValueTest, b: ValueTest): boolean {
  if (a.kind === 'absent' || b.kind === 'absent') return a.kind === b.kind;
  if (a.kind === 'present') return true;
  if (b.kind === 'present') return false;
  if (b.kind === 'prefix') return a.kind === 'prefix' && b.value.startsWith(a.value);
  const values = b.kind === 'exact' ? [b.value] : [...b.values];
  return values.every((value) =>
    a.kind === 'exact' ? value === a.value : a.kind === 'prefix' ? value.startsWith(a.value) : a.values.has(value),
  );
}

function coversModels(a: Conditions['model'], b: Conditions['model']): boolean {
  if (!a) return true;
  if (!b) return false;
  const covers = (text: string) => a.prefixes.some((prefix) => text.startsWith(prefix));
  return b.prefixes.every(covers) && [...b.exact].every((model) => a.exact.has(model) || covers(model));
}

function keyOf(conditions: Conditions): string {
  const test = (value: ValueTest) => [value.name, value.kind, value.value, [...value.values].sort()];
  return JSON.stringify([
    conditions.methods && [...conditions.methods].sort(),
    conditions.headers.map(test).sort(),
    conditions.query.map(test).sort(),
    conditions.model && [[...conditions.model.exact].sort(), [...conditions.model.prefixes].sort()],
  ]);
}
