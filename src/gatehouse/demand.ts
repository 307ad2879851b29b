/** How much a request may use, told before it is sent, and how much it has used, told at its end. */
import type { Operation, RequestPeek } from '../ai/ai.ts';
import type { ForwardedEvent } from '../kernel/event.ts';
import type { Exchange } from '../kernel/exchange.ts';
import type { Admission, Demand } from '../policy/quota/quota.ts';
import { creditsFor, moreCredits, type Priced } from './cost.ts';
import type { Meter } from './meter.ts';

/** What is known of a request. */
interface Request extends Priced {
  readonly exchange: Exchange;
  readonly operation: Operation | undefined;
  readonly peek: RequestPeek | undefined;
  readonly body: Buffer | undefined;
  readonly meter: Meter | undefined;
}

/** What is reserved for a request. */
export function demandOf(request: Request): Demand {
  const { body, exchange, meter } = request;
  // What nobody knows yet is one at least: who asks for nothing does not hear what others owe.
  const bytes = Math.max(1, body?.length ?? exchange.requestLength);
  const inputTokens = meter?.promptTokens ?? 0;
  const outputTokens = meter?.outputTokens ?? 0;
  const credits = creditsFor(request, inputTokens, outputTokens);
  return { tokens: inputTokens + outputTokens, inputTokens, outputTokens, bytes, credits };
}

/** The same, for the ledger: what it is charged with where nobody can say what it has used. */
export function reservedFor(
  request: Request & { readonly admission: Admission | undefined },
): ReturnType<ForwardedEvent['reserved']> {
  const { inputTokens, outputTokens, credits: cost } = demandOf(request);
  return { inputTokens, outputTokens, cost, charges: request.admission?.charges() };
}

/** What is reserved besides, for more output of a stream. */
export function moreOutput(request: Request, outputTokens: number): Partial<Demand> {
  return { tokens: outputTokens, outputTokens, credits: moreCredits(request, outputTokens) };
}

/** What it has used. */
export function usedBy({ exchange }: { readonly exchange: Exchange }): Demand {
  const bytes = exchange.requestBytes + exchange.responseBytes;
  const { usage, cost: credits } = exchange;
  const { inputTokens, outputTokens } = usage ?? { inputTokens: 0, outputTokens: 0 };
  return { tokens: inputTokens + outputTokens, inputTokens, outputTokens, bytes, credits };
}
