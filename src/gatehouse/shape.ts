/** Chooses, by the head of the answer, what watches or changes its body. */
import {
  answersOf,
  boundOf,
  type Operation,
  type Produced,
  producedBy,
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
import type { Counting } from './counting.ts';
import type { Meter } from './meter.ts';

/** What is known of a request whose answer comes. */
export interface Shaped {
  readonly exchange: Exchange;
  readonly worker: { readonly clock: Clock; readonly counting: Counting };
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
  readonly body: Buffer | undefined;
  /** Who counts its tokens where the server does not say. */
  readonly tokenizer: string | undefined;
  /** What it counts; set here. */
  produced: Produced | undefined;
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
  const produced = producedOf(passage, operation, sse);
  // What ends a stream decides what of it counts.
  const ends = sse && passage.meter?.guards === true;
  const read = ends ? undefined : produced;
  if (sse && passage.asksUsage) {
    const hider = usageHider(operation, read);
    passage.progress = hider;
    hider.onFirstToken = () => {
      exchange.firstTokenAt = worker.clock.now();
    };
    return { tap: undefined, rewrite: guardOf(passage, operation, hider) ?? hider };
  }
  const tap = usageTap(operation, sse ? 'sse' : 'json', read);
  passage.progress = tap;
  if (!sse) return { tap, rewrite: undefined };
  tap.onFirstToken = () => {
    exchange.firstTokenAt = worker.clock.now();
  };
  return { tap, rewrite: guardOf(passage, operation, undefined) };
}

/** Keeps what is generated, where somebody counts it should the server say nothing. */
function producedOf(passage: Shaped, operation: Operation, sse: boolean): Produced | undefined {
  const { tokenizer, peek, body, worker } = passage;
  if (tokenizer === undefined || boundOf(operation) === undefined) return undefined;
  const answers = peek === undefined || body === undefined ? 1 : answersOf(operation, peek, body);
  passage.produced = producedBy(operation, sse ? 'sse' : 'json', answers, worker.counting.room);
  return passage.produced;
}

function guardOf(passage: Shaped, operation: Operation, next: UsageHider | undefined): StreamGuard | undefined {
  const { meter, peek } = passage;
  if (meter === undefined || !meter.guards) return undefined;
  passage.guard = streamGuard(operation, peek?.includeUsage === true, meter, next, passage.produced);
  return passage.guard;
}
