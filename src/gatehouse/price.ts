/** What a request costs: the price that holds when it comes in, the most it may cost, and what it has cost. */
import { costOf, worstCost } from '../ai/cost.ts';
import { GatehouseError } from '../kernel/error.ts';
import type { Exchange } from '../kernel/exchange.ts';
import type { Passage, Step } from './passage.ts';

/** Looks the price up, when model, version and upstream are known. */
export function price(passage: Passage): Step {
  const { exchange, destination, worker, snapshot } = passage;
  const { prices } = snapshot;
  if (
    snapshot.input.config.ledger?.required === true &&
    passage.operation !== undefined &&
    worker.ledgerTrouble !== ''
  ) {
    const message = 'what requests use cannot be written down at the moment, and then none may pass; try again later';
    return new GatehouseError('ledger_unavailable', message, { retryAfterMs: 1000 });
  }
  if (prices.none) return undefined;
  passage.price = prices.of(exchange.model, exchange.version, destination?.name ?? '', worker.clock.wall());
  return undefined;
}

/** The most that a request may cost with so many tokens; 0 where it has no price. */
export function creditsFor(
  passage: Pick<Passage, 'price' | 'snapshot'>,
  inputTokens: number,
  outputTokens: number,
): number {
  const { price: found, snapshot } = passage;
  return found === undefined ? 0 : worstCost(found, inputTokens, outputTokens, snapshot.prices.reserveMs);
}

/** What it has cost: tokens as used; the rest when the server has answered other than by an error. */
export function costOfPassage(passage: Pick<Passage, 'price'>, exchange: Exchange): number {
  const { price: found } = passage;
  if (found === undefined) return 0;
  const { usage, status, forwardedAt, firstByteAt, endedAt, outcome } = exchange;
  const answered = outcome !== 'denied' && firstByteAt > 0 && status < 400;
  if (!answered && usage === undefined) return 0;
  return costOf(found, usage, forwardedAt > 0 ? endedAt - forwardedAt : 0);
}
