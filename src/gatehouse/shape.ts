/** Chooses, by the head of the answer, what watches or changes its body. */
import {
  type Operation,
  type RequestPeek,
  type StreamGuard,
  streamGuard,
  type UsageHider,
  type UsageProgress,
  usageHider,
  usageTap,
} from '../ai/ai.ts';
import { KNOWN } from '../http/known.ts';
import type { Response } from '../http/response.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Exchange, ResponseHead } from '../kernel/exchange.ts';
import type { ResponseShape } from '../upstream/plan.ts';
import type { Meter } from './meter.ts';

/** What is known of a request whose answer comes. */
export interface Shaped {
  readonly exchange: Exchange;
  readonly worker: { readonly clock: Clock };
  readonly operation: Operation | undefined;
  /** Gatehouse asked the upstream for usage that the client did not ask for. */
  readonly asksUsage: boolean;
  readonly peek: RequestPeek | undefined;
  /** Its tokens, where limits count them. */
  readonly meter: Meter | undefined;
  /** Ends the stream when they are used up; set here. */
  guard: StreamGuard | undefined;
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
    return { tap: undefined, rewrite: guardOf(passage, operation, hider) ?? hider };
  }
  const tap = usageTap(operation, sse ? 'sse' : 'json');
  passage.progress = tap;
  if (!sse) return { tap, rewrite: undefined };
  tap.onFirstToken = () => {
    exchange.firstTokenAt = worker.clock.now();
  };
  return { tap, rewrite: guardOf(passage, operation, undefined) };
}

function guardOf(passage: Shaped, operation: Operation, next: UsageHider | undefined): StreamGuard | undefined {
  const { meter, peek } = passage;
  if (meter === undefined || !meter.guards) return undefined;
  passage.guard = streamGuard(operation, peek?.includeUsage === true, meter, next);
  return passage.guard;
}
