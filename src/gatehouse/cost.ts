/** The most that a request may cost, and what it has cost. */
import { costOf, costOfTime, type Price, worstCost, worstOutput } from '../ai/cost.ts';
import type { GatehouseError } from '../kernel/error.ts';
import type { Exchange } from '../kernel/exchange.ts';
import { type Exhausted, refusalFor } from '../policy/quota/quota.ts';

/** A request whose price is known. */
export interface Priced {
  readonly price: Price | undefined;
  /** Where it may go over to. */
  readonly otherPrice: Price | undefined;
  readonly snapshot: { readonly prices: { readonly reserveMs: number } };
  /** Its time, where that is followed while it runs. */
  readonly time: { readonly ms: number } | undefined;
}

/** The most that a request may cost with so many tokens; 0 where it has no price. */
export function creditsFor(passage: Priced, inputTokens: number, outputTokens: number): number {
  const { price: found, otherPrice: other, snapshot } = passage;
  const ms = passage.time?.ms ?? snapshot.prices.reserveMs;
  const here = found === undefined ? 0 : worstCost(found, inputTokens, outputTokens, ms);
  return other === undefined ? here : Math.max(here, worstCost(other, inputTokens, outputTokens, ms));
}

/** The most that more output of a request costs that has its reservation. */
export function moreCredits({ price: found, otherPrice: other }: Priced, outputTokens: number): number {
  const here = found === undefined ? 0 : worstOutput(found, outputTokens);
  return other === undefined ? here : Math.max(here, worstOutput(other, outputTokens));
}

/** What so many milliseconds more of a request cost at most that has its reservation; 0 where time has no price. */
export function timeCredits(
  { price: found, otherPrice: other }: Pick<Priced, 'price' | 'otherPrice'>,
  ms: number,
): number {
  const here = found === undefined ? 0 : costOfTime(found, ms);
  return other === undefined ? here : Math.max(here, costOfTime(other, ms));
}

/** What it has cost: tokens as used; the rest when the server has answered other than by an error. */
export function costOfPassage(passage: Pick<Priced, 'price'>, exchange: Exchange): number {
  const { price: found } = passage;
  if (found === undefined) return 0;
  const { usage, status, forwardedAt, firstByteAt, endedAt } = exchange;
  // Also where the answer was ended here, because its credential was taken back or its money is spent.
  const answered = firstByteAt > 0 && status < 400;
  if (!answered && usage === undefined) return 0;
  return costOf(found, usage, forwardedAt > 0 ? endedAt - forwardedAt : 0);
}

/** The answer to who is over a limit: less output is advised only where that would cost less. */
export const refusalOf = (passage: Priced, exhausted: Exhausted): GatehouseError =>
  refusalFor(exhausted, moreCredits(passage, 1) > 0);
