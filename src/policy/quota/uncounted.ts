/** Requests whose tokens nobody can count: where they are refused. */
import { type LimitConfig, type UnknownOperations, unitOf } from './config.ts';
import type { Unit } from './rule.ts';

/** What is used of it depends on what a model reads and generates. */
const BY_TOKENS: ReadonlySet<Unit> = new Set(['tokens', 'inputTokens', 'outputTokens', 'credits']);

/** Whether a limit of this unit counts what a model reads and generates. */
export function countsTokens(unit: Unit): boolean {
  return BY_TOKENS.has(unit);
}

/** What of a route decides. */
interface RouteTerms {
  readonly limits?: readonly LimitConfig[];
  readonly unknownOperations?: UnknownOperations;
  /** Models that it serves, or that decide about it. */
  readonly models?: readonly string[] | undefined;
  readonly match: { readonly model?: readonly string[] | undefined };
  /** Gatehouse itself answers. */
  readonly service?: string | undefined;
}

/**
 * Whether a route refuses operations that are not known, where a limit or budget counts tokens or money. `protocol`: that of its
 * upstream, if it has one. What neither serves models nor has such a limit itself is any HTTP service.
 */
export function refusesUnknown(route: RouteTerms, protocol: string | undefined): boolean {
  const { limits = [], unknownOperations, models, match, service } = route;
  if (service !== undefined) return false;
  if (unknownOperations !== undefined) return unknownOperations === 'refuse';
  if (models !== undefined || match.model !== undefined) return true;
  return (protocol !== undefined && protocol !== 'http') || limits.some((limit) => countsTokens(unitOf(limit)));
}
