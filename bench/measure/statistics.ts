/** The few statistics that the bench needs. */

/** The middle value, or the mean of the two middle ones; NaN of nothing. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value below or at which a share `q` (0 to 1) of the values lies, by nearest rank; NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))]!;
}

/**
 * How far the values of several rounds lie apart: half their range, relative to their median.
 * 0.1 means that a round was up to about 10 % away. 0 for a single value.
 */
export function spread(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const middle = Math.abs(median(values));
  if (!(middle > 0)) return 0;
  return (Math.max(...values) - Math.min(...values)) / 2 / middle;
}
