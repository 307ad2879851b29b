/** What a queue has done with those who waited: in which order they went, and how fairly tenants were served. Pure. */
import type { Call } from '../load/channel.ts';
import { CLASSES, type Crowd, rankOf } from './crowd.ts';

/**
 * How many requests went to the server while a more important one was waiting, in percent of those that went between `from`
 * and `until`. A request waits from when it was due until it reached the server or ended, less `slackMs` on both sides: for
 * so long it may be on its way. `begun`: number → when it reached the server. Times in milliseconds of one clock.
 */
export function overtaken(
  calls: readonly Call[],
  begun: ReadonlyMap<string, number>,
  { callers }: Crowd,
  { from, until, slackMs }: { from: number; until: number; slackMs: number },
): number {
  const steps: { at: number; rank: number; change: -1 | 0 | 1 }[] = [];
  for (const { number, caller, dueAt, endedAt } of calls) {
    const one = callers[caller];
    if (one === undefined) continue;
    const rank = rankOf(one);
    const at = begun.get(number);
    const [comes, goes] = [dueAt + slackMs, (at ?? endedAt) - slackMs];
    if (goes > comes) steps.push({ at: comes, rank, change: 1 }, { at: goes, rank, change: -1 });
    if (at !== undefined && at >= from && at <= until) steps.push({ at, rank, change: 0 });
  }
  steps.sort((a, b) => a.at - b.at || a.change - b.change);
  const waiting = CLASSES.map(() => 0);
  let went = 0;
  let wrong = 0;
  for (const { rank, change } of steps) {
    waiting[rank] = (waiting[rank] ?? 0) + change;
    if (change !== 0) continue;
    went++;
    if (waiting.slice(0, rank).some((count) => count > 0)) wrong++;
  }
  return (wrong * 100) / Math.max(1, went);
}

/**
 * Jain's index over what each tenant got by what it could have had: 1 when all were served alike, 1/n when one got everything.
 * What each could have had is the max-min fair part of what they got together: nobody more than it asked for.
 */
export function fairness(served: readonly number[], asked: readonly number[]): number {
  const parts = maxMin(
    served.reduce((sum, count) => sum + count, 0),
    asked,
  );
  const ratios = served.map((count, i) => count / Math.max(1e-9, parts[i] ?? 0));
  const sum = ratios.reduce((all, one) => all + one, 0);
  const squares = ratios.reduce((all, one) => all + one * one, 0);
  return squares === 0 ? Number.NaN : sum ** 2 / (ratios.length * squares);
}

/** Splits `all` so that nobody gets more than it asked for, and else everybody the same. */
export function maxMin(all: number, asked: readonly number[]): number[] {
  const parts = asked.map(() => 0);
  const order = asked.map((_, i) => i).sort((a, b) => (asked[a] ?? 0) - (asked[b] ?? 0));
  let left = all;
  for (const [done, i] of order.entries()) {
    const part = Math.min(asked[i] ?? 0, left / (asked.length - done));
    parts[i] = part;
    left -= part;
  }
  return parts;
}

/** Right answers and requests of each tenant of a class, among the calls that were due between `from` and `until`. */
export function byTenant(calls: readonly Call[], { callers }: Crowd, rank: number, from: number, until: number) {
  const served = callers.map(() => 0);
  const asked = callers.map(() => 0);
  for (const { caller, dueAt, outcome } of calls) {
    if (dueAt < from || dueAt > until) continue;
    asked[caller] = (asked[caller] ?? 0) + 1;
    if (outcome === 'right') served[caller] = (served[caller] ?? 0) + 1;
  }
  const mine = callers.flatMap((caller, i) => (rankOf(caller) === rank ? [i] : []));
  return { served: mine.map((i) => served[i] ?? 0), asked: mine.map((i) => asked[i] ?? 0) };
}
