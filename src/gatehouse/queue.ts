/** Waiting for a place at a server. */

import { flushCorked } from '../socket/cork.ts';
import { orderOf } from './order.ts';
import { ANSWERED, type Passage, type Step } from './passage.ts';

/** Waits, where all servers have as many requests as they may. */
export function awaitPlace(passage: Passage): Step {
  const { upstream } = passage;
  if (upstream.queue === undefined || !upstream.full) return undefined;
  wait(passage, 0);
  return ANSWERED;
}

function wait(passage: Passage, waitedMs: number): void {
  const { upstream, exchange, worker } = passage;
  const since = worker.clock.now() - waitedMs;
  const patience = Math.min(upstream.config.timeouts.total, passage.patience) - waitedMs;
  exchange.upstream = upstream.name;
  passage.ticket = upstream.queue?.enter(orderOf(passage, waitedMs, patience), (error) => {
    passage.ticket = undefined;
    if (exchange.outcome !== 'open') return;
    const waited = worker.clock.now() - since;
    if (error !== undefined) passage.refuse(error);
    // The server that had a place has been taken out meanwhile.
    else if (upstream.full) wait(passage, waited);
    else {
      // Time spent here is time of the exchange.
      passage.patience = Math.min(upstream.config.timeouts.total, passage.patience) - waited;
      worker.proceed(passage);
    }
    flushCorked();
  });
}
