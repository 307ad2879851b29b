/** From the turns of a run of pairs to what one side costs more than another. */
import type { Slice } from '../load/channel.ts';

/**
 * CPU per request of each side, bout by bout. A bout is two turns of every side, taken together: in the order A B B A a
 * drift of the machine weighs the same on both. Bouts in which a side has answered nothing are left out.
 */
export function costs(slices: readonly Slice[], sides: number): number[][] {
  const bouts: number[][] = [];
  for (let at = 0; at + 2 * sides <= slices.length; at += 2 * sides) {
    const bout = slices.slice(at, at + 2 * sides);
    const cost = Array.from({ length: sides }, (_, side) => {
      const own = bout.filter((slice) => slice.side === side);
      const sum = (key: 'cpu' | 'requests') => own.reduce((all, slice) => all + slice[key], 0);
      return sum('cpu') / sum('requests');
    });
    if (cost.every(Number.isFinite)) bouts.push(cost);
  }
  return bouts;
}

/** What side `a` costs more than side `b`, bout by bout. */
export function differences(bouts: readonly number[][], a: number, b: number): number[] {
  return bouts.map((cost) => (cost[a] as number) - (cost[b] as number));
}

/** How many times as dear as side `b` side `a` is, bout by bout. */
export function ratios(bouts: readonly number[][], a: number, b: number): number[] {
  return bouts.map((cost) => (cost[a] as number) / (cost[b] as number));
}

/**
 * The interval that holds the median of what the values were drawn from with 95 % confidence, whatever its distribution
 * (Thompson 1936): from the k-th lowest to the k-th highest value, k such that a fair coin thrown so often shows fewer
 * than k heads in at most 2.5 % of all cases. Of fewer than six values: all of them.
 */
export function medianInterval(values: readonly number[]): [low: number, high: number] {
  if (values.length === 0) return [Number.NaN, Number.NaN];
  const sorted = [...values].sort((a, b) => a - b);
  const count = sorted.length;
  let chance = 0.5 ** count;
  let below = 0;
  let rank = 0;
  while (rank < (count - 1) >> 1) {
    below += chance;
    if (below > 0.025) break;
    rank++;
    chance *= (count - rank + 1) / rank;
  }
  const skipped = Math.max(0, rank - 1);
  return [sorted[skipped]!, sorted[count - 1 - skipped]!];
}
