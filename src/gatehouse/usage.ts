/**
 * The usage of a request that has ended: what its server has reported; where it has not, what a tokenizer counts, or else an
 * estimate.
 */
import { boundOf, costsTokens, type Operation, type Produced, type StreamGuard, type UsageProgress } from '../ai/ai.ts';
import type { Counted, CountOrder } from '../ai/count.ts';
import type { Exchange, Outcome, Usage } from '../kernel/exchange.ts';
import type { Meter } from './meter.ts';

/** Bytes of an answer that make a token, where nothing else is known; and those that are around them. */
const BYTES_PER_TOKEN = 4;
const ENVELOPE_BYTES = 300;
/** A prompt larger than this is not counted: by its estimate and what was learnt of the model. */
const PROMPT_MAX = 1024 * 1024;

/** What is known of a request when it ends. */
export interface Ended {
  readonly exchange: Exchange;
  readonly operation: Operation | undefined;
  readonly body: Buffer | undefined;
  /** What its body says; undefined: not read. */
  readonly peek: { readonly background: boolean } | undefined;
  readonly meter: Meter | undefined;
  /** The same where no limit has asked for it, but somebody wants to know; undefined: nobody, or nothing can be told. */
  estimated(): Meter | undefined;
  readonly progress: UsageProgress | undefined;
  readonly guard: StreamGuard | undefined;
  /** Who counts its tokens; undefined: nobody. */
  readonly tokenizer: string | undefined;
  readonly produced: Produced | undefined;
}

/** What is known of its usage. */
export interface Known {
  /** The best that can be told now; undefined: nothing, or nothing was used. */
  readonly usage: Usage | undefined;
  /** These were reported. */
  readonly input: boolean;
  readonly output: boolean;
}

/** The usage as far as it is known at the end, the rest by estimate. */
export function knownUsage(request: Ended, outcome: Outcome): Known {
  const { progress, guard, operation } = request;
  const said = progress?.usage;
  const free = operation === undefined || !costsTokens(operation);
  // Some servers fill in nothing but zeros.
  const input = said !== undefined && (said.inputTokens > 0 || free);
  const whole = said !== undefined && outcome === 'completed' && guard?.done !== true;
  const none = said?.outputTokens === 0 && (progress?.tokens !== 0 || (!input && generates(request)));
  const output = whole && !none;
  if (said !== undefined && input && output) return { usage: said, input, output };
  const meter = request.meter ?? (reached(request, outcome) ? request.estimated() : undefined);
  // Of a stream that was ended here, what the client has got and was told; the server may have been further.
  const pieces = guard?.done === true ? guard.tokens : Math.max(progress?.tokens ?? 0, guard?.tokens ?? 0);
  const outputTokens = output
    ? said.outputTokens
    : Math.max(said?.outputTokens ?? 0, pieces, meter === undefined ? 0 : unseen(request, meter, outcome));
  const inputTokens = input
    ? said.inputTokens
    : meter !== undefined && reached(request, outcome)
      ? meter.promptTokens
      : 0;
  if (outputTokens === 0 && inputTokens === 0) return { usage: said, input, output };
  const { cachedInputTokens = 0, reasoningTokens = 0 } = said ?? {};
  return { usage: { inputTokens, outputTokens, cachedInputTokens, reasoningTokens }, input, output };
}

/** What a tokenizer should count of it; undefined: nothing, or nobody can. */
export function orderOf(request: Ended, known: Known, outcome: Outcome): CountOrder | undefined {
  const { operation, body, produced, exchange, guard } = request;
  if (operation === undefined || (known.input && known.output) || !reached(request, outcome)) return undefined;
  if (!costsTokens(operation)) return undefined;
  const prompt = known.input || body === undefined || body.length > PROMPT_MAX ? undefined : body;
  // Of an answer that is no stream a part says nothing: the server has generated all of it.
  const whole = exchange.stream || outcome === 'completed';
  const told = known.output || guard?.done === true;
  const text = told || !whole || produced === undefined || produced.kept === 0 ? undefined : produced.text();
  return prompt === undefined && text === undefined ? undefined : { operation, prompt, produced: text };
}

/** The usage with what was counted in place of what was estimated, and whether that is all of it. */
export function withCount(request: Ended, known: Known, counted: Counted): { usage: Usage; all: boolean } {
  const { usage } = known;
  const { produced } = request;
  const beyond = produced === undefined || produced.beyond === 0 ? 1 : 1 + produced.beyond / produced.kept;
  const output =
    counted.outputTokens === undefined
      ? undefined
      : Math.max(request.progress?.usage?.outputTokens ?? 0, Math.ceil(counted.outputTokens * beyond));
  const nothing = !generates(request) || request.exchange.firstByteAt === 0;
  return {
    usage: {
      inputTokens: known.input ? (usage?.inputTokens ?? 0) : (counted.inputTokens ?? usage?.inputTokens ?? 0),
      outputTokens: known.output ? (usage?.outputTokens ?? 0) : (output ?? usage?.outputTokens ?? 0),
      cachedInputTokens: usage?.cachedInputTokens ?? 0,
      reasoningTokens: Math.max(usage?.reasoningTokens ?? 0, Math.ceil(counted.reasoningTokens * beyond)),
    },
    all: (known.input || counted.inputTokens !== undefined) && (known.output || output !== undefined || nothing),
  };
}

function generates({ operation }: Ended): boolean {
  return operation !== undefined && boundOf(operation) !== undefined;
}

/** The server has worked on the prompt: it has begun to answer, or the client has not waited for it. */
function reached({ exchange }: Ended, outcome: Outcome): boolean {
  if (exchange.firstByteAt > 0) return exchange.status < 400;
  return outcome === 'client_aborted' && exchange.tries > 0;
}

/** Output that nobody has counted: of answers that are no streams, or could not be read. */
function unseen(request: Ended, meter: Meter, outcome: Outcome): number {
  const { exchange, progress } = request;
  if (!generates(request) || !reached(request, outcome)) return 0;
  const reserved = meter.outputTokens;
  // Nobody could read it, such as a server's answer that is compressed although it was told not to.
  if (progress === undefined && exchange.firstByteAt > 0)
    return Math.max(reserved, Math.ceil(exchange.responseBytes / BYTES_PER_TOKEN));
  if (exchange.stream || (progress?.usage?.outputTokens ?? 0) > 0) return 0;
  // Nobody knows how far it was, or what is made of it later: what was reserved for it is the most.
  if (outcome !== 'completed' || request.peek?.background === true) return reserved;
  return Math.min(reserved, Math.ceil(Math.max(1, exchange.responseBytes - ENVELOPE_BYTES) / BYTES_PER_TOKEN));
}
