/** How much a request may use, told before it is sent, and how much it has used, told at its end. */
import type { Operation, RequestPeek } from '../ai/ai.ts';
import type { Exchange } from '../kernel/exchange.ts';
import type { Demand } from '../policy/quota/quota.ts';
import { creditsFor, type Priced } from './cost.ts';

/** Bytes of JSON that make a token of the prompt, at least: what is reserved too much comes back. */
const BYTES_PER_TOKEN = 3;
/** Output that is reserved when the request does not bound it. */
const OUTPUT_TOKENS = 1024;

const NOTHING: Demand = { tokens: 0, inputTokens: 0, outputTokens: 0, bytes: 0, credits: 0 };

/** What is known of a request. */
interface Request extends Priced {
  readonly exchange: Exchange;
  readonly operation: Operation | undefined;
  readonly peek: RequestPeek | undefined;
  readonly body: Buffer | undefined;
}

/** What is reserved for a request. */
export function demandOf(request: Request): Demand {
  const { body, peek, exchange, operation } = request;
  const bytes = Math.max(0, body?.length ?? exchange.requestLength);
  if (operation === undefined || body === undefined) return { ...NOTHING, bytes, credits: creditsFor(request, 0, 0) };
  const inputTokens = Math.ceil(body.length / BYTES_PER_TOKEN);
  const outputTokens = peek?.maxTokens ?? OUTPUT_TOKENS;
  const credits = creditsFor(request, inputTokens, outputTokens);
  return { tokens: inputTokens + outputTokens, inputTokens, outputTokens, bytes, credits };
}

/** What it has used. */
export function usedBy({ exchange }: Pick<Request, 'exchange'>): Demand {
  const bytes = exchange.requestBytes + exchange.responseBytes;
  const { usage, cost: credits } = exchange;
  if (usage === undefined) return { ...NOTHING, bytes, credits };
  const { inputTokens, outputTokens } = usage;
  return { tokens: inputTokens + outputTokens, inputTokens, outputTokens, bytes, credits };
}
