/** How much a request may use, told before it is sent, and how much it has used, told at its end. */
import type { Operation, RequestPeek } from '../ai/ai.ts';
import type { ForwardedEvent } from '../kernel/event.ts';
import { type Exchange, LENGTH_CHUNKED } from '../kernel/exchange.ts';
import type { Admission, Demand, Flexible } from '../policy/quota/quota.ts';
import { creditsFor, moreCredits, type Priced } from './cost.ts';
import { Meter, type Metered } from './meter.ts';

/** What is known of a request. */
interface Request extends Priced {
  readonly exchange: Exchange;
  readonly operation: Operation | undefined;
  readonly peek: RequestPeek | undefined;
  readonly body: Buffer | undefined;
  readonly meter: Meter | undefined;
}

/** What is reserved for a request. */
export function demandOf(request: Request, outputTokens = request.meter?.outputTokens ?? 0): Demand {
  const { body, exchange, meter } = request;
  // What nobody knows yet is one at least: who asks for nothing does not hear what others owe.
  const bytes = Math.max(1, body?.length ?? exchange.requestLength);
  const unknown = body === undefined && exchange.requestLength === LENGTH_CHUNKED;
  const bytesMost = unknown ? Math.min(exchange.bodyLimit, exchange.bodyMost) : bytes;
  const inputTokens = meter?.promptTokens ?? 0;
  const credits = creditsFor(request, inputTokens, outputTokens);
  return { tokens: inputTokens + outputTokens, inputTokens, outputTokens, bytes, bytesMost, credits };
}

/** What a request could do with that does not say how much it wants; undefined: it needs what it asks for. */
export function flexibilityOf(request: Request): Flexible | undefined {
  const { meter } = request;
  if (meter === undefined || meter.leastOutput === 0) return undefined;
  return {
    least: demandOf(request, meter.leastOutput),
    shrink: (share) => {
      meter.shrink(share);
      return demandOf(request);
    },
  };
}

/** A request whose tokens may be estimated without a limit that counts them. */
interface Estimated extends Metered {
  meter: Meter | undefined;
  readonly price: object | undefined;
  /** Its answer is read for usage. */
  readonly reads: boolean;
}

/** What is known by its body alone; undefined where there is none, or nobody reads what it uses. */
function meterOf(request: Estimated): Meter | undefined {
  return request.reads && request.body !== undefined ? new Meter(request, [], NOTHING) : undefined;
}

const NOTHING = () => ({});

/** The tokens of a request that nobody has counted so far, where it has a price or stands in the ledger. */
export function estimatedFor(request: Estimated): Meter | undefined {
  if (request.price === undefined && request.exchange.entry === 0) return undefined;
  request.meter ??= meterOf(request);
  return request.meter;
}

/** What is reserved for it, as the ledger has it: what it is charged with where nobody can say what it has used. */
export function reservedFor(
  request: Request & Estimated & { readonly admission: Admission | undefined },
): ReturnType<ForwardedEvent['reserved']> {
  request.meter ??= meterOf(request);
  const { inputTokens, outputTokens, credits: cost } = demandOf(request);
  return { inputTokens, outputTokens, cost, charges: request.admission?.charges() };
}

/** What is reserved besides, for more output of a stream. */
export function moreOutput(request: Request, outputTokens: number): Partial<Demand> {
  return { tokens: outputTokens, outputTokens, credits: moreCredits(request, outputTokens) };
}

/** What it has used. */
export function usedBy({ exchange }: { readonly exchange: Exchange }): Demand {
  const { responseBytes: answerBytes, outcome } = exchange;
  const bytes = exchange.requestBytes + answerBytes;
  const { usage, cost: credits } = exchange;
  const { inputTokens, outputTokens } = usage ?? { inputTokens: 0, outputTokens: 0 };
  const answerWhole = outcome === 'completed';
  return { tokens: inputTokens + outputTokens, inputTokens, outputTokens, bytes, credits, answerBytes, answerWhole };
}
