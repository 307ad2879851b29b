/**
 * Many workers' metrics as one. Counters and histograms sum, gauges follow their rule, and nothing that was ever shown
 * falls when a worker dies: its last totals stay in the base.
 */
import {
  type FamilySnapshot,
  familyOf,
  type MetricDefinition,
  OVERFLOW,
  type Snapshot,
  seriesKey,
  strideOf,
} from './definition.ts';
import { renderPrometheus } from './prometheus.ts';

/** Shows when the workers together have more series than one metric may have. */
export const MERGE_FOLDED: MetricDefinition = {
  name: 'gatehouse_metric_series_merged_into_other',
  kind: 'gauge',
  help: 'Series of workers that this page shows under `other`, because the workers together have too many.',
  labels: [],
};

/** A family under addition. */
interface Sum {
  readonly shape: FamilySnapshot;
  readonly stride: number;
  readonly index: Map<string, number>;
  readonly series: (readonly string[])[];
  readonly values: number[];
}

/** Adds snapshots up. */
class Accumulator {
  readonly #families = new Map<string, Sum>();
  /** Series that were added to `other` because their family was full. */
  folded = 0;

  /** Adds a snapshot; `zero` adds its series without their values, to keep their places. */
  add(snapshot: Snapshot, gauges: boolean, zero = false): void {
    for (const family of snapshot.families) {
      if (family.kind !== 'gauge') this.#addFamily(family, zero);
      else if (gauges) this.#addFamily(family, false);
    }
  }

  /** What has been added so far, as a snapshot again. */
  result(): Snapshot {
    const families: FamilySnapshot[] = [];
    for (const { shape, series, values } of this.#families.values()) families.push({ ...shape, series, values });
    return { sequence: 0, families };
  }

  #addFamily(family: FamilySnapshot, zero: boolean): void {
    const sum = this.#sumOf(family);
    // Two builds side by side may disagree about a metric's shape; adding apples to pears would be worse than a gap.
    if (!sameShape(sum.shape, family)) return;
    const { stride, values } = sum;
    for (let i = 0; i < family.series.length; i++) {
      const known = values.length;
      const at = this.#placeOf(sum, family.series[i]!);
      if (zero) continue;
      const fresh = at >= known;
      for (let j = 0; j < stride; j++) {
        const value = family.values[i * stride + j]!;
        values[at + j] = fresh ? value : combine(family, values[at + j]!, value);
      }
    }
  }

  #sumOf(family: FamilySnapshot): Sum {
    let sum = this.#families.get(family.name);
    if (!sum) {
      const stride = strideOf(family.kind, family.bounds);
      sum = { shape: { ...family, series: [], values: [] }, stride, index: new Map(), series: [], values: [] };
      this.#families.set(family.name, sum);
    }
    return sum;
  }

  #placeOf(sum: Sum, labels: readonly string[]): number {
    const key = seriesKey(labels);
    let at = sum.index.get(key);
    if (at !== undefined) return at;
    const other = labels.map(() => OVERFLOW);
    const otherKey = seriesKey(other);
    if (sum.index.size >= sum.shape.maxSeries && key !== otherKey) {
      this.folded++;
      at = sum.index.get(otherKey);
      return at ?? this.#place(sum, otherKey, other);
    }
    return this.#place(sum, key, labels);
  }

  #place(sum: Sum, key: string, labels: readonly string[]): number {
    const at = sum.values.length;
    sum.index.set(key, at);
    sum.series.push(labels);
    for (let i = 0; i < sum.stride; i++) sum.values.push(0);
    return at;
  }
}

function combine(family: FamilySnapshot, a: number, b: number): number {
  if (family.kind !== 'gauge' || family.merge === 'sum') return a + b;
  if (family.merge === 'max') return Math.max(a, b);
  return family.merge === 'min' ? Math.min(a, b) : b;
}

function sameShape(a: FamilySnapshot, b: FamilySnapshot): boolean {
  return (
    a.kind === b.kind &&
    a.labels.length === b.labels.length &&
    a.labels.every((label, i) => label === b.labels[i]) &&
    a.bounds.length === b.bounds.length &&
    a.bounds.every((bound, i) => bound === b.bounds[i])
  );
}

/**
 * Several snapshots as one: counters and histograms are summed, gauges follow their own rule (`last` takes the later in
 * the list). The result can be merged again and rendered.
 */
export function merge(snapshots: Iterable<Snapshot>): Snapshot {
  const sum = new Accumulator();
  for (const snapshot of snapshots) sum.add(snapshot, true);
  return sum.result();
}

/** The supervisor's view of all workers, dead ones included. */
export class Rollup {
  readonly #live = new Map<string, Snapshot>();
  /** Totals of the dead, and a place for every series that was ever shown. */
  readonly #base = new Accumulator();

  /** Takes a worker's newest snapshot. A sequence that went back means a new process under an old id: its past is kept. */
  update(workerId: string, snapshot: Snapshot): void {
    const last = this.#live.get(workerId);
    if (last && snapshot.sequence <= last.sequence) this.retire(workerId);
    this.#live.set(workerId, snapshot);
  }

  /** Sum of one of a living worker's gauges, as of its last report, perhaps only of what has this label; 0 when there is none. */
  gauge(workerId: string, name: string, label?: string): number {
    const family = this.#live.get(workerId)?.families.find((one) => one.name === name);
    if (family === undefined) return 0;
    const { series, values } = family;
    return values.reduce((sum, value, i) => (label === undefined || series[i]?.includes(label) ? sum + value : sum), 0);
  }

  /** The worker is gone: what it has counted stays, its gauges go. An unknown id does nothing. */
  retire(workerId: string): void {
    const last = this.#live.get(workerId);
    if (!last) return;
    this.#live.delete(workerId);
    this.#base.add(last, false);
  }

  /** Everything counted so far, by the living and the dead. */
  merged(): Snapshot {
    // A series once shown keeps its place in the base: it can never vanish into `other` because a newer one came first.
    for (const snapshot of this.#live.values()) this.#base.add(snapshot, false, true);
    const sum = new Accumulator();
    sum.add(this.#base.result(), false);
    for (const snapshot of this.#live.values()) sum.add(snapshot, true);
    const { sequence, families } = sum.result();
    return { sequence, families: [...families, familyOf(MERGE_FOLDED, [[]], [sum.folded])] };
  }

  /** The exposition text: Prometheus 0.0.4, or OpenMetrics 1.0. */
  render(openMetrics = false): string {
    return renderPrometheus(this.merged(), openMetrics);
  }
}
