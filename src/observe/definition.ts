/** What a metric is, and the shape in which its values travel from a worker to the supervisor. */

/** The three kinds we use of the Prometheus data model. */
export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** How a gauge of several workers becomes one: counters and histograms always sum. */
export type MergeRule = 'sum' | 'max' | 'min' | 'last';

/** One metric, declared once: registry, exposition and reference documentation all come from it. */
export interface MetricDefinition {
  /** Name as exposed in the Prometheus text format; counters end in `_total`, values in base units (seconds, bytes). */
  readonly name: string;
  readonly kind: MetricKind;
  /** One sentence or two for `# HELP` and the reference page. */
  readonly help: string;
  /** Base unit; the name (without `_total`) must end in it, as OpenMetrics demands. */
  readonly unit?: 'seconds' | 'bytes' | 'ratio';
  readonly labels: readonly string[];
  /** Upper bounds of histogram buckets, ascending, without +Inf. */
  readonly bounds?: readonly number[];
  /** For gauges; `sum` when left out. */
  readonly merge?: MergeRule;
  /** Most series; further label sets are folded into one whose labels are all `other`. 2000 when left out. */
  readonly maxSeries?: number;
  /** The OpenTelemetry semantic-convention metric that measures the same, where there is one. */
  readonly otel?: string;
}

/** Series per metric when its definition says nothing. */
export const MAX_SERIES = 2000;

/** Label value of the series that takes what no longer fits. */
export const OVERFLOW = 'other';

/**
 * All series of one metric. `values` holds `stride` numbers per series: one for counters and gauges; for histograms the
 * count of each bucket (not cumulative, +Inf last) and then the sum.
 */
export interface FamilySnapshot {
  readonly name: string;
  readonly kind: MetricKind;
  readonly help: string;
  readonly unit: string;
  readonly labels: readonly string[];
  readonly bounds: readonly number[];
  readonly merge: MergeRule;
  readonly maxSeries: number;
  /** Label values of each series, in the order of `labels`. */
  readonly series: readonly (readonly string[])[];
  readonly values: readonly number[];
}

/** Everything a registry holds at one moment: totals, not differences. Survives JSON and structured clone unchanged. */
export interface Snapshot {
  /** 1 for the first snapshot of a process, then rising by one: a smaller number tells a new process. */
  readonly sequence: number;
  readonly families: readonly FamilySnapshot[];
}

/** Numbers per series in `values`. */
export function strideOf(kind: MetricKind, bounds: readonly number[]): number {
  return kind === 'histogram' ? bounds.length + 2 : 1;
}

/** One string that only equal label sets share. */
export function seriesKey(values: readonly string[]): string {
  return values.length === 1 ? (values[0] as string) : JSON.stringify(values);
}

/** A definition with its values, as it travels. */
export function familyOf(
  definition: MetricDefinition,
  series: readonly (readonly string[])[],
  values: readonly number[],
): FamilySnapshot {
  const { name, kind, help, unit, labels, bounds, merge, maxSeries } = definition;
  return {
    name,
    kind,
    help,
    unit: unit ?? '',
    labels,
    bounds: bounds ?? [],
    merge: merge ?? 'sum',
    maxSeries: maxSeries ?? MAX_SERIES,
    series,
    values,
  };
}

/** One definition. */
export function metric(
  kind: MetricKind,
  name: string,
  labels: readonly string[],
  help: string,
  more: Partial<MetricDefinition> = {},
): MetricDefinition {
  return { kind, name, labels, help, ...more };
}
