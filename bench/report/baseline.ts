/**
 * Comparison with an earlier run. What is compared are the ratios to HAProxy: absolute times belong to a machine and
 * its mood, ratios from one run say what the program costs.
 */
import { MEASURES, type Measure, type MeasureKey, REFERENCE } from '../measure/figures.ts';
import type { ScenarioResult } from './table.ts';

/** What is kept of a run: scenario → peer → measure → ratio to HAProxy, with its spread and HAProxy's own figure. */
export interface Baseline {
  version: 1;
  /** When and on what it was taken, for people. */
  about: string;
  ratios: Record<string, Record<string, Partial<Record<MeasureKey, BaselineFigure>>>>;
}

/** One kept figure. */
export interface BaselineFigure {
  ratio: number;
  spread: number;
  /** HAProxy's own figure, so that a reader can see what the ratio was of. */
  reference: number;
}

/** One figure that moved beyond its band, or could not be compared. */
export interface Change {
  scenario: string;
  peer: string;
  measure: MeasureKey;
  kind: 'dearer' | 'cheaper';
  before: number;
  after: number;
  /** The band within which it would have been noise, as a share of the ratio before. */
  band: number;
}

/** Keeps what later runs are compared with. Figures of runs with errors are left out. */
export function toBaseline(results: readonly ScenarioResult[], about: string): Baseline {
  const ratios: Baseline['ratios'] = {};
  for (const { scenario, peers } of results) {
    const reference = peers.find(({ peer }) => peer === REFERENCE);
    for (const { peer, figures, errors } of peers) {
      if (peer === REFERENCE || Object.keys(errors).length > 0) continue;
      const kept: Partial<Record<MeasureKey, BaselineFigure>> = {};
      for (const { key, band } of MEASURES) {
        const { ratio, spread } = figures[key] ?? {};
        const against = reference?.figures[key]?.value;
        if (band === undefined || ratio === undefined || spread === undefined || against === undefined) continue;
        kept[key] = { ratio: round(ratio), spread: round(spread), reference: round(against) };
      }
      if (Object.keys(kept).length === 0) continue;
      ratios[scenario] ??= {};
      ratios[scenario][peer] = kept;
    }
  }
  return { version: 1, about, ratios };
}

/** Lays the figures of this run over an older baseline, so that a run of one scenario does not throw away the others. */
export function merge(older: Baseline | undefined, newer: Baseline): Baseline {
  const ratios: Baseline['ratios'] = { ...older?.ratios };
  for (const [scenario, peers] of Object.entries(newer.ratios)) ratios[scenario] = { ...ratios[scenario], ...peers };
  return { ...newer, ratios };
}

/** What of Gatehouse's moved beyond noise. Peers that are not ours cannot get dearer by our doing and are left out. */
export function compare(results: readonly ScenarioResult[], baseline: Baseline): Change[] {
  const changes: Change[] = [];
  for (const { scenario, peers } of results) {
    const reference = peers.find(({ peer }) => peer === REFERENCE);
    for (const { peer, figures } of peers) {
      if (!peer.startsWith('gatehouse')) continue;
      const before = baseline.ratios[scenario]?.[peer];
      for (const measure of MEASURES) {
        const { key } = measure;
        const [old, now, against] = [before?.[key], figures[key], reference?.figures[key]?.value];
        if (!old || now?.ratio === undefined || against === undefined) continue;
        const band = bandOf(measure, old.spread, now.spread);
        const moved = now.ratio - old.ratio;
        if (Math.abs(moved) <= band * old.ratio || Math.abs(moved) * against <= (measure.floor ?? 0)) continue;
        const kind = moved > 0 !== (measure.moreIsBetter ?? false) ? 'dearer' : 'cheaper';
        changes.push({ scenario, peer, measure: key, kind, before: old.ratio, after: now.ratio, band });
      }
    }
  }
  return changes;
}

/** Gatehouse's figures of this run that the baseline does not hold, as `scenario/peer`; they are said, not passed over. */
export function notCompared(results: readonly ScenarioResult[], baseline: Baseline): string[] {
  return results.flatMap(({ scenario, peers }) =>
    peers
      .filter(({ peer, skipped }) => peer.startsWith('gatehouse') && skipped === undefined)
      .filter(({ peer, figures }) => {
        const ratios = Object.values(figures).some(({ ratio }) => ratio !== undefined);
        return !ratios || baseline.ratios[scenario]?.[peer] === undefined;
      })
      .map(({ peer }) => `${scenario}/${peer}`),
  );
}

/** The wider of the measure's own band and the spread that the rounds of either run have shown. */
function bandOf({ band = 0 }: Measure, before: number, now: number): number {
  return Math.max(band, before, now);
}

const round = (value: number) => Number(value.toPrecision(4));
