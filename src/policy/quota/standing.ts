/** How a limit stands for one key, for operators. */
import type { Counter } from './counter.ts';
import type { Rule, Unit } from './rule.ts';

/** State of one rule for one key. */
export interface Standing {
  rule: string;
  unit: Unit;
  key: string;
  /** For this key, whatever has raised it. */
  limit: number;
  free: number;
  /** Milliseconds until all of it is free again, if nothing more is used. */
  resetMs: number;
}

/** The standing of a key; undefined when nothing is held or counted. */
export function standingOf(
  rule: Rule,
  key: string,
  counter: Counter,
  extra: number,
  now: number,
): Standing | undefined {
  if (counter.empty(now)) return undefined;
  const limit = rule.limit + extra;
  return {
    rule: rule.name,
    unit: rule.unit,
    key,
    limit,
    free: counter.free(now) + extra,
    resetMs: counter.resetMs(now),
  };
}

/** Those with the smallest share free first. */
export const nearestFirst = (all: Standing[], most: number): Standing[] =>
  all.sort((a, b) => a.free / Math.max(1, a.limit) - b.free / Math.max(1, b.limit)).slice(0, most);
