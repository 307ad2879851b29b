/** The total order of routes: which of several that match wins. Pure. */
import type { CompiledRoute } from './compiled.ts';
import { comparePaths, type PathRule } from './pattern.ts';

/** A host rule: exact name, `.suffix` of a wildcard, or any. */
export interface HostRule {
  readonly kind: 'exact' | 'wildcard' | 'any';
  /** Exact: the name in lower case; wildcard: the suffix with its dot; any: ''. */
  readonly value: string;
}

/** One way into a route: one of its hosts with one of its paths. */
export interface Entry {
  readonly route: CompiledRoute;
  readonly host: HostRule;
  readonly path: PathRule;
  /** Place in the total order; smaller is more specific. */
  rank: number;
}

/** A host rule from its text; undefined and `*` mean any. A final dot is the root and says nothing. */
export function parseHost(text: string | undefined): HostRule {
  if (text === undefined || text === '*') return { kind: 'any', value: '' };
  const lower = text.toLowerCase().replace(/\.$/, '');
  return lower.startsWith('*.') ? { kind: 'wildcard', value: lower.slice(1) } : { kind: 'exact', value: lower };
}

/** Whether a host (lower case) falls under a rule. `*.example.com` covers names of any depth, not `example.com`. */
export function hostMatches(rule: HostRule, host: string): boolean {
  if (rule.kind === 'any') return true;
  if (rule.kind === 'exact') return host === rule.value;
  return host.length > rule.value.length && host.endsWith(rule.value);
}

const HOSTS = ['exact', 'wildcard', 'any'];

/** Orders host rules, most specific first: exact, longest wildcard, any. */
export function compareHosts(a: HostRule, b: HostRule): number {
  return HOSTS.indexOf(a.kind) - HOSTS.indexOf(b.kind) || b.value.length - a.value.length;
}

/**
 * Orders entries, most specific first: host, path (see `comparePaths`), number of method, field, query and model
 * conditions, models named exactly before patterns (longer before shorter), and at last the order in the file.
 */
export function compareEntries(a: Entry, b: Entry): number {
  const conditionsA = a.route.conditions;
  const conditionsB = b.route.conditions;
  return (
    compareHosts(a.host, b.host) ||
    comparePaths(a.path, b.path) ||
    conditionsB.count - conditionsA.count ||
    (conditionsA.modelLength === conditionsB.modelLength ? 0 : conditionsB.modelLength - conditionsA.modelLength) ||
    a.route.index - b.route.index
  );
}

/** Why `winner` comes before `loser`, as a phrase. */
export function describeOrder(winner: Entry, loser: Entry): string {
  if (compareHosts(winner.host, loser.host) !== 0) {
    return `host ${describeHost(loser.host)} is less specific than ${describeHost(winner.host)}`;
  }
  if (comparePaths(winner.path, loser.path) !== 0) {
    return `path ${loser.path.text} is less specific than ${winner.path.text}`;
  }
  const { count, modelLength } = loser.route.conditions;
  const better = winner.route.conditions;
  if (count !== better.count) return `it has ${count} further conditions, the winner ${better.count}`;
  if (modelLength !== better.modelLength) return 'its model pattern is less specific';
  return 'it comes later in the file';
}

/** A host rule as it would be written. */
export function describeHost(host: HostRule): string {
  if (host.kind === 'any') return 'any';
  return host.kind === 'wildcard' ? `*${host.value}` : host.value;
}
