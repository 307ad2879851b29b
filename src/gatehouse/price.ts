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
  // Who has gone over to another version comes here again, later than it came in.
  const { clock } = worker;
  const came = passage.given === undefined ? clock.wall() : clock.wall() - (clock.now() - exchange.startedAt);
  passage.price = prices.of(exchange.model, exchange.version, destination?.name ?? '', came);
  const other = passage.version?.spillover?.to;
  if (other !== undefined) passage.otherPrice = prices.of(exchange.model, other.name, other.upstream, came);
  return undefined;
}
