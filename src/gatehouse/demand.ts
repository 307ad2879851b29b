/** How much a request may use, told before it is sent, and how much it has used, told at its end. */
import { boundOf, type Operation, type RequestPeek, type StreamGuard, type UsageProgress } from '../ai/ai.ts';
import type { ForwardedEvent } from '../kernel/event.ts';
import type { Exchange, Outcome, Usage } from '../kernel/exchange.ts';
import type { Admission, Demand } from '../policy/quota/quota.ts';
import { creditsFor, moreCredits, type Priced } from './cost.ts';
import type { Meter } from './meter.ts';

/** Bytes of an answer that make a token, where its server reports none; and those that are around them. */
const BYTES_PER_TOKEN = 4;
const ENVELOPE_BYTES = 300;

/** What is known of a request. */
interface Request extends Priced {
  readonly exchange: Exchange;
  readonly operation: Operation | undefined;
  readonly peek: RequestPeek | undefined;
  readonly body: Buffer | undefined;
  readonly meter: Meter | undefined;
}

/** What is known of it when it ends. */
interface Ended extends Request {
  readonly progress: UsageProgress | undefined;
  readonly guard: StreamGuard | undefined;
  readonly worker: { readonly ratios: { learn(model: string, estimated: number, real: number): void } };
}

/** What is reserved for a request. */
export function demandOf(request: Request): Demand {
  const { body, exchange, meter } = request;
  const bytes = Math.max(0, body?.length ?? exchange.requestLength);
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

/**
 * The usage of a request that has ended. As its server has reported it; of a stream that was cut, what was generated so far, by
 * its pieces; under limits, where nothing was reported, by estimate. Undefined: nothing is known, or nothing was used.
 */
export function usageOf(request: Ended, outcome: Outcome): Usage | undefined {
  const { progress, guard, meter, exchange, worker } = request;
  const reported = progress?.usage;
  if (outcome === 'completed' && guard?.done !== true && reported !== undefined) {
    if (meter !== undefined) worker.ratios.learn(exchange.model, meter.estimate, reported.inputTokens);
    return reported;
  }
  // Of a stream that was ended here, what the client has got and was told; the server may have been further.
  const pieces = guard?.done === true ? guard.tokens : Math.max(progress?.tokens ?? 0, guard?.tokens ?? 0);
  const outputTokens = Math.max(
    reported?.outputTokens ?? 0,
    pieces,
    meter === undefined ? 0 : unseen(request, outcome),
  );
  if (reported !== undefined) return outputTokens === reported.outputTokens ? reported : { ...reported, outputTokens };
  const inputTokens = meter !== undefined && reached(request, outcome) ? meter.promptTokens : 0;
  if (outputTokens === 0 && inputTokens === 0) return undefined;
  return { inputTokens, outputTokens, cachedInputTokens: 0, reasoningTokens: 0 };
}

/** The server has worked on the prompt: it has begun to answer, or the client has not waited for it. */
function reached({ exchange }: Request, outcome: Outcome): boolean {
  if (exchange.firstByteAt > 0) return exchange.status < 400;
  return outcome === 'client_aborted' && exchange.tries > 0;
}

/** Output that nobody has counted, of answers that are no streams. */
function unseen(request: Request, outcome: Outcome): number {
  const { exchange, operation, progress, meter } = request as Ended;
  if (operation === undefined || boundOf(operation) === undefined || !reached(request, outcome)) return 0;
  if (progress?.usage !== undefined || exchange.stream) return 0;
  const reserved = meter?.outputTokens ?? 0;
  // Nobody knows how far it was: what was reserved for it is the most.
  if (outcome !== 'completed') return reserved;
  return Math.min(reserved, Math.ceil(Math.max(1, exchange.responseBytes - ENVELOPE_BYTES) / BYTES_PER_TOKEN));
}
