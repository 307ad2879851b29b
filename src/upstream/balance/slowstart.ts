/** Slow start: an endpoint that has come back is given its load little by little. Pure. */

/** Smallest share of the weight while it grows, HAProxy's finest step (BE_WEIGHT_SCALE is 16). */
const LEAST = 1 / 16;

/**
 * The weight an endpoint counts with at `now`: it grows in a straight line from the moment of recovery over
 * `slowStartMs`, as HAProxy's `slowstart`, and is never less than a sixteenth, so that even a light endpoint is asked.
 * `recoveredAt`: monotonic milliseconds; -Infinity for an endpoint that never failed (it begins at full weight).
 */
export function effectiveWeight(weight: number, recoveredAt: number, slowStartMs: number, now: number): number {
  const elapsed = now - recoveredAt;
  if (slowStartMs <= 0 || elapsed >= slowStartMs) return weight;
  return weight * Math.max(LEAST, elapsed / slowStartMs);
}
