/**
 * The metrics registry of one process. Labels are resolved once, to a handle; after that counting is one addition into
 * a typed array. The number of series is bounded: what does not fit goes to the series whose labels are all `other`.
 */
import {
  type FamilySnapshot,
  familyOf,
  MAX_SERIES,
  type MetricDefinition,
  type MetricKind,
  OVERFLOW,
  type Snapshot,
  seriesKey,
  strideOf,
} from './definition.ts';

/** Storage of one family; `values` is replaced when it grows, so handles keep this object and not the array. */
class Cells {
  values: Float64Array;
  readonly bounds: Float64Array;

  constructor(stride: number, bounds: readonly number[]) {
    this.values = new Float64Array(stride * 8);
    this.bounds = Float64Array.from(bounds);
  }
}

/** What every handle has: a place in its family's storage. Slot 0 is the bin that removed series write into. */
class Handle {
  protected readonly cells: Cells;
  protected at: number;

  constructor(cells: Cells, at: number) {
    this.cells = cells;
    this.at = at;
  }

  /** Sends later writes to the bin; called by the family when the series is removed. */
  detach(): void {
    this.at = 0;
  }
}

/** A number that only grows. */
export class Counter extends Handle {
  /** Adds `n`; what is not a positive finite number is ignored, so a counter can never fall. */
  inc(n = 1): void {
    if (n > 0 && n < Number.POSITIVE_INFINITY) this.cells.values[this.at]! += n;
  }
}

/** A number that goes up and down. Values that are not finite are ignored. */
export class Gauge extends Handle {
  set(value: number): void {
    if (Number.isFinite(value)) this.cells.values[this.at] = value;
  }

  add(n: number): void {
    if (Number.isFinite(n)) this.cells.values[this.at]! += n;
  }
}

/** A distribution: counts per bucket, and the sum. */
export class Histogram extends Handle {
  /** Counts one value, in the metric's base unit; negative and not finite ones are ignored. */
  observe(value: number): void {
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) return;
    const { bounds, values } = this.cells;
    const n = bounds.length;
    let i = 0;
    while (i < n && value > bounds[i]!) i++;
    values[this.at + i]! += 1;
    values[this.at + n + 1]! += value;
  }
}

interface Series<H> {
  readonly labels: readonly string[];
  readonly slot: number;
  readonly handle: H;
}

/** One metric with all its series. */
export class Family<H extends Handle> {
  readonly definition: MetricDefinition;
  readonly #cells: Cells;
  readonly #stride: number;
  readonly #make: (cells: Cells, at: number) => H;
  readonly #onFold: (metric: string) => void;
  readonly #series = new Map<string, Series<H>>();
  readonly #free: number[] = [];
  #slots = 1;

  constructor(definition: MetricDefinition, make: (cells: Cells, at: number) => H, onFold: (metric: string) => void) {
    this.definition = definition;
    this.#stride = strideOf(definition.kind, definition.bounds ?? []);
    this.#cells = new Cells(this.#stride, definition.bounds ?? []);
    this.#make = make;
    this.#onFold = onFold;
    // A metric without labels shows 0 from the start, so that rates and alerts have something to stand on.
    if (definition.labels.length === 0) this.with();
  }

  /**
   * The handle of one label set, made when it is new; keep it. `labels` in the order of the definition.
   * When the metric is full the handle of the `other` series comes back and the fold is counted.
   */
  with(...labels: string[]): H {
    const wanted = this.definition.labels.length;
    if (labels.length !== wanted) {
      throw new TypeError(`metric ${this.definition.name} has ${wanted} labels, ${labels.length} values were given`);
    }
    const key = seriesKey(labels);
    const known = this.#series.get(key);
    if (known) return known.handle;
    if (this.#series.size < (this.definition.maxSeries ?? MAX_SERIES)) return this.#add(key, labels);
    this.#onFold(this.definition.name);
    const other = labels.map(() => OVERFLOW);
    const otherKey = seriesKey(other);
    return this.#series.get(otherKey)?.handle ?? this.#add(otherKey, other);
  }

  /** Takes a series out (an endpoint that is no longer configured). Handles of it may be used still, without effect. */
  remove(...labels: string[]): void {
    const key = seriesKey(labels);
    const series = this.#series.get(key);
    if (!series) return;
    series.handle.detach();
    this.#series.delete(key);
    const at = series.slot * this.#stride;
    this.#cells.values.fill(0, at, at + this.#stride);
    this.#free.push(series.slot);
  }

  /** This family's part of a snapshot. */
  snapshot(): FamilySnapshot {
    const series: (readonly string[])[] = [];
    const values: number[] = [];
    for (const one of this.#series.values()) {
      series.push(one.labels);
      const at = one.slot * this.#stride;
      for (let i = 0; i < this.#stride; i++) values.push(this.#cells.values[at + i]!);
    }
    return familyOf(this.definition, series, values);
  }

  #add(key: string, labels: readonly string[]): H {
    const slot = this.#free.pop() ?? this.#slots++;
    const end = (slot + 1) * this.#stride;
    if (end > this.#cells.values.length) {
      const grown = new Float64Array(Math.max(end, this.#cells.values.length * 2));
      grown.set(this.#cells.values);
      this.#cells.values = grown;
    }
    const handle = this.#make(this.#cells, slot * this.#stride);
    this.#series.set(key, { labels: [...labels], slot, handle });
    return handle;
  }
}

/** Counts what did not fit; itself bounded by the number of metrics. */
export const SERIES_FOLDED: MetricDefinition = {
  name: 'gatehouse_metric_series_folded_total',
  kind: 'counter',
  help: 'Look-ups of a label set that no longer fitted and was counted under `other`. Above zero: too many distinct values, most likely of `model` or `rule`.',
  labels: ['metric'],
};

/** All metrics of one process. */
export class Registry {
  readonly #families: { readonly definition: MetricDefinition; snapshot(): FamilySnapshot }[] = [];
  readonly #fold: (metric: string) => void;
  #sequence = 0;

  constructor() {
    const folded = new Family<Counter>(SERIES_FOLDED, make.counter, () => {});
    this.#fold = (metric) => folded.with(metric).inc();
    this.#families.push(folded);
  }

  /** Registers a counter. Throws a TypeError when the name is taken or the definition is of another kind. */
  counter(definition: MetricDefinition): Family<Counter> {
    return this.#register('counter', definition, make.counter);
  }

  /** Registers a gauge; throws as `counter` does. */
  gauge(definition: MetricDefinition): Family<Gauge> {
    return this.#register('gauge', definition, make.gauge);
  }

  /** Registers a histogram; throws as `counter` does. */
  histogram(definition: MetricDefinition): Family<Histogram> {
    return this.#register('histogram', definition, make.histogram);
  }

  /** All values of this moment, for the channel to the supervisor. */
  snapshot(): Snapshot {
    return { sequence: ++this.#sequence, families: this.#families.map((family) => family.snapshot()) };
  }

  #register<H extends Handle>(
    kind: MetricKind,
    definition: MetricDefinition,
    create: (cells: Cells, at: number) => H,
  ): Family<H> {
    if (definition.kind !== kind)
      throw new TypeError(`metric ${definition.name} is a ${definition.kind}, not a ${kind}`);
    if (this.#families.some((family) => family.definition.name === definition.name)) {
      throw new TypeError(`metric ${definition.name} is registered twice`);
    }
    const family = new Family(definition, create, this.#fold);
    this.#families.push(family);
    return family;
  }
}

const make = {
  counter: (cells: Cells, at: number) => new Counter(cells, at),
  gauge: (cells: Cells, at: number) => new Gauge(cells, at),
  histogram: (cells: Cells, at: number) => new Histogram(cells, at),
};
