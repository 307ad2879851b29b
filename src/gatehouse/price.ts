/** What a request will cost: the price that holds when it comes in. */
import { GatehouseError } from '../kernel/error.ts';
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
