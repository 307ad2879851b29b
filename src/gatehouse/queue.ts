/** Waiting for a place at a server: who a request is in the queue, and the stage in which it waits. */

import { flushCorked } from '../socket/wire.ts';
import type { Order } from '../upstream/queue/upstreamqueue.ts';
import { demandOf } from './demand.ts';
import { ANSWERED, type Passage, type Step } from './passage.ts';

/** More than this nobody needs; what a client writes must not become infinite. */
const MOST_TOKENS = 1e9;

/** How a request stands in a queue: by its class, its tenant (else its caller, else its address) and what it is expected to cost. */
export function orderOf(passage: Passage, waitedMs: number, patienceMs: number): Order {
  const { exchange, priority, destination } = passage;
  const { identity } = exchange;
  const weights = destination?.queue?.weights;
  const caller = identity === undefined ? exchange.inbound.clientAddress : identity.tenant || identity.principal;
  return {
    priority,
    tenant: caller,
    weight: (identity === undefined ? undefined : weights?.[identity.plan]) ?? 1,
    cost: Math.max(1, Math.min(MOST_TOKENS, demandOf(passage).tokens)),
    patienceMs,
    waitedMs,
  };
}

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
