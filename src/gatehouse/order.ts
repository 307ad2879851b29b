/** Who a request is in a queue. */
import type { Operation, RequestPeek } from '../ai/ai.ts';
import type { Exchange } from '../kernel/exchange.ts';
import type { Order } from '../upstream/queue/queue.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { callerOf } from './caller.ts';
import type { Meter } from './meter.ts';

/** What is known of it. */
interface Queued {
  readonly exchange: Exchange;
  readonly destination: Upstream | undefined;
  /** Not negative: it may go over to another upstream. */
  readonly spillStep: number;
  readonly operation: Operation | undefined;
  readonly peek: RequestPeek | undefined;
  readonly body: Buffer | undefined;
  readonly meter: Meter | undefined;
}

/** More than this nobody needs; what a client writes must not become infinite. */
const MOST_TOKENS = 1e9;
/** Roughly: bytes of a prompt that make a token, and tokens of an answer that has no bound. */
const BYTES_PER_TOKEN = 4;
const OUTPUT_TOKENS = 1024;

/** About the tokens of a request: as limits have them, or by its size. */
function tokensOf({ operation, peek, body, meter }: Queued): number {
  if (meter !== undefined) return meter.promptTokens + meter.outputTokens;
  if (operation === undefined || body === undefined) return 0;
  return body.length / BYTES_PER_TOKEN + (peek?.maxTokens ?? OUTPUT_TOKENS);
}

/** How a request stands in a queue: by its class, its tenant (else its caller, else its address) and what it is expected to cost. */
export function orderOf(
  request: Queued,
  waitedMs: number,
  patienceMs: number,
  upstream: Upstream | undefined = request.destination,
): Order {
  const { exchange, spillStep } = request;
  const { identity, priority } = exchange;
  const weights = upstream?.queue?.weights;
  return {
    priority,
    tenant: callerOf(exchange),
    weight: (identity === undefined ? undefined : weights?.[identity.plan]) ?? 1,
    cost: Math.max(1, Math.min(MOST_TOKENS, Math.ceil(tokensOf(request)))),
    patienceMs,
    waitedMs,
    movable: spillStep >= 0,
  };
}
