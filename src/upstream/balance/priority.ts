/** Envoy's arithmetic of priority levels: shares of the requests out of healthy shares. Pure. */

/** Fractions nearer than this are the same. */
export const EPSILON = 1e-9;

/** What a level with this healthy share can carry of the whole load, from 0 to 1. */
export const healthOf = (share: number, overprovisioning: number): number => Math.min(1, share * overprovisioning);

/** Envoy's priority load: share of the requests for each level out of the healthy shares. Sums to 1, or to 0 when nothing is healthy. */
export function levelLoads(shares: ArrayLike<number>, overprovisioning: number): number[] {
  let total = 0;
  const healths = Array.from(shares, (share) => healthOf(share, overprovisioning));
  for (const health of healths) total += health;
  total = Math.min(1, total);
  let left = 1;
  return healths.map((health) => {
    if (total <= 0) return 0;
    // Rounding must not send one request in a billion to the other end of the world.
    const load = left - health / total < EPSILON ? left : health / total;
    left -= load;
    return load;
  });
}

/** When every level is in panic, health says nothing any more: load goes by the number of endpoints (`recalculateLoadInTotalPanic`). */
export function panicLoads(endpoints: readonly number[]): number[] {
  const total = endpoints.reduce((sum, count) => sum + count, 0);
  return endpoints.map((count) => (total === 0 ? 0 : count / total));
}
