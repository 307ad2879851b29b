/** From the rounds of a scenario to one figure per measure and peer, and its ratio to HAProxy. */
import type { Outcome } from '../load/outcome.ts';
import { medianInterval } from './pairs.ts';
import { median, spread } from './statistics.ts';

/** What is measured, and how it is written and compared. */
export interface Measure {
  key: MeasureKey;
  /** Column title; `%` stands for the scenario's unit, `@` for the scenario that it is compared to. */
  title: string;
  unit: 'µs' | 'ms' | 'KiB' | 'MiB' | '/s' | '%' | 'tenth' | 'share' | 'count' | 'index' | '×';
  /**
   * How the rounds become one figure: their median unless said; what was lost in one round must not vanish in it; of
   * pairs all count alike, in whatever round they were.
   */
  over?: 'sum' | 'mean' | 'pairs';
  /** Whether more of it is better; else less is. */
  moreIsBetter?: boolean;
  /** Band within which a changed ratio counts as noise; undefined when the figure is not compared with a baseline. */
  band?: number;
  /** Differences smaller than this, in the unit, are never called dearer: below it, it is the clock that is measured. */
  floor?: number;
}

/**
 * Names of the measures; `cpu`, `p50` and `p99` are in µs, `memory` in MiB, `perStream` in KiB, `busy` in percent. Of trials:
 * requests `sent` and how they ended, right ones as a `share` in percent, `lost` ones per unit, `goodput` in percent of
 * the capacity, `wasted` work in percent, times to right answers and until a reload has `effect` in ms. Of queues:
 * right answers of each class in percent, Jain's index over its tenants (`fair…`), requests that went before a more important one
 * that waited (`order`, in percent), and the time to right answers of the realtime class.
 */
export type MeasureKey =
  | ('cpu' | 'added' | 'carried' | 'beside' | 'rate' | 'busy' | 'p50' | 'p99' | 'memory' | 'perStream')
  | ('rightRealtime' | 'rightBatch' | 'rightTest' | 'fairRealtime' | 'fairBatch' | 'fairTest' | 'order' | 'live99')
  | ('sent' | Outcome | 'share' | 'lost' | 'goodput' | 'wasted' | 'answer50' | 'answer99' | 'effect');

/** Every measure, in the order of the table's columns. */
export const MEASURES: readonly Measure[] = [
  { key: 'cpu', title: 'CPU/%', unit: 'µs', band: 0.1, floor: 0.5 },
  { key: 'added', title: 'adds to @', unit: 'µs', over: 'pairs' },
  { key: 'beside', title: 'in turns with HAProxy', unit: '×', over: 'pairs' },
  { key: 'carried', title: 'so does the field alone', unit: 'µs', over: 'pairs' },
  { key: 'rate', title: '%/s', unit: '/s' },
  { key: 'busy', title: 'busy', unit: '%' },
  { key: 'p50', title: 'added p50', unit: 'µs', band: 0.3, floor: 50 },
  { key: 'p99', title: 'added p99', unit: 'µs', band: 0.5, floor: 300 },
  { key: 'perStream', title: 'memory/stream', unit: 'KiB', band: 0.1, floor: 0.5 },
  { key: 'memory', title: 'memory', unit: 'MiB', band: 0.15, floor: 4 },
  { key: 'sent', title: 'requests', unit: 'count', over: 'sum' },
  { key: 'goodput', title: 'goodput', unit: '%', band: 0.05, moreIsBetter: true },
  { key: 'lost', title: 'lost/%', unit: 'count', over: 'mean' },
  { key: 'share', title: 'right share', unit: 'share', band: 0.0002, moreIsBetter: true },
  { key: 'right', title: 'right', unit: 'count', over: 'sum' },
  { key: 'wrong', title: 'wrong', unit: 'count', over: 'sum' },
  { key: 'declined', title: '503/429', unit: 'count', over: 'sum' },
  { key: 'failed', title: 'other status', unit: 'count', over: 'sum' },
  { key: 'refused', title: 'refused', unit: 'count', over: 'sum' },
  { key: 'reset', title: 'reset', unit: 'count', over: 'sum' },
  { key: 'timeout', title: 'timeout', unit: 'count', over: 'sum' },
  { key: 'wasted', title: 'wasted work', unit: '%' },
  { key: 'rightRealtime', title: 'realtime right', unit: '%' },
  { key: 'rightBatch', title: 'batch right', unit: '%' },
  { key: 'rightTest', title: 'test right', unit: '%' },
  { key: 'order', title: 'overtaken', unit: 'tenth' },
  { key: 'fairRealtime', title: 'fairness realtime', unit: 'index' },
  { key: 'fairBatch', title: 'batch', unit: 'index' },
  { key: 'fairTest', title: 'test', unit: 'index' },
  { key: 'live99', title: 'realtime p99', unit: 'ms' },
  { key: 'answer50', title: 'p50', unit: 'ms' },
  { key: 'answer99', title: 'p99', unit: 'ms' },
  { key: 'effect', title: 'in effect after', unit: 'ms' },
];

/** What one round of one peer gave; measures that the scenario does not take are missing. */
export interface Round {
  figures: Partial<Record<MeasureKey, number>>;
  /** Differences of pairs, bout by bout. */
  pairs?: Partial<Record<MeasureKey, readonly number[]>>;
  errors: Record<string, number>;
}

/** One figure over all rounds. */
export interface Figure {
  value: number;
  /** Half the range over the median, over the rounds; of the ratios where there is one, else of the values. */
  spread: number;
  /** Median of the rounds' ratios to HAProxy in the same round; missing without HAProxy. */
  ratio?: number;
  /** Of pairs: holds the median with 95 % confidence. */
  interval?: [low: number, high: number];
}

/** One peer's line in a scenario's table. */
export interface PeerResult {
  peer: string;
  version: string;
  figures: Partial<Record<MeasureKey, Figure>>;
  errors: Record<string, number>;
  /** Why there are no figures. */
  skipped?: string;
}

/** The peer that every ratio refers to. */
export const REFERENCE = 'haproxy';

/**
 * Sums up one peer's rounds. A ratio is taken round by round, so that what slows the whole machine for a while slows
 * both sides of it; the median over the rounds is shown.
 */
export function summarise(rounds: readonly Round[], reference: readonly Round[] | undefined): PeerResult['figures'] {
  const figures: PeerResult['figures'] = {};
  for (const { key, over } of MEASURES) {
    if (over === 'pairs') {
      const all = rounds.flatMap(({ pairs }) => pairs?.[key] ?? []);
      if (all.length > 0) figures[key] = { value: median(all), spread: 0, interval: medianInterval(all) };
      continue;
    }
    const values = rounds.flatMap(({ figures }) => figures[key] ?? []);
    if (values.length === 0) continue;
    if (over) {
      const sum = values.reduce((all, value) => all + value, 0);
      figures[key] = { value: over === 'sum' ? sum : sum / values.length, spread: 0 };
      continue;
    }
    const ratios = rounds.flatMap(({ figures }, round) => {
      const value = figures[key];
      const against = reference?.[round]?.figures[key];
      return value !== undefined && against !== undefined && against > 0 ? value / against : [];
    });
    const figure: Figure = {
      value: median(values),
      spread: spread(ratios.length > 0 && rounds !== reference ? ratios : values),
    };
    if (ratios.length > 0) figure.ratio = median(ratios);
    figures[key] = figure;
  }
  return figures;
}

/** Adds up what went wrong in several rounds. */
export function sumErrors(rounds: readonly Round[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const { errors } of rounds) {
    for (const [what, count] of Object.entries(errors)) sum[what] = (sum[what] ?? 0) + count;
  }
  return sum;
}
