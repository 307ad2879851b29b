/** Chooses, by the head of the answer, what watches or changes its body. */
import { type Operation, type UsageProgress, usageHider, usageTap } from '../ai/ai.ts';
import { KNOWN } from '../http/known.ts';
import type { Response } from '../http/response.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Exchange, ResponseHead } from '../kernel/exchange.ts';
import type { ResponseShape } from '../upstream/plan.ts';

/** What is known of a request whose answer comes. */
export interface Shaped {
  readonly exchange: Exchange;
  readonly worker: { readonly clock: Clock };
  readonly operation: Operation | undefined;
  /** Gatehouse asked the upstream for usage that the client did not ask for. */
  readonly asksUsage: boolean;
  /** What is learnt from the answer; set here. */
  progress: UsageProgress | undefined;
}

/** Undefined: the body passes unseen. */
export function shapeResponse(passage: Shaped, head: ResponseHead): ResponseShape | undefined {
  const { operation, exchange, worker } = passage;
  const response = head as Response;
  if (operation === undefined || (response.seen & KNOWN['content-encoding']) !== 0) return undefined;
  const type = response.known(KNOWN['content-type']) ?? '';
  const sse = type.startsWith('text/event-stream');
  if (!sse && !type.startsWith('application/json')) return undefined;
  exchange.stream = sse;
  if (sse && passage.asksUsage) {
    const hider = usageHider(operation);
    passage.progress = hider;
    hider.onFirstToken = () => {
      exchange.firstTokenAt = worker.clock.now();
    };
    return { tap: undefined, rewrite: hider };
  }
  const tap = usageTap(operation, sse ? 'sse' : 'json');
  passage.progress = tap;
  if (sse) {
    tap.onFirstToken = () => {
      exchange.firstTokenAt = worker.clock.now();
    };
  }
  return { tap, rewrite: undefined };
}
