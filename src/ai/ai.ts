/**
 * The door of what Gatehouse knows about model APIs: recognising calls, peeking into and patching their bodies, reading
 * usage off their answers, and speaking their shapes of errors and lists. Pure: bytes in, bytes out. No other room names a
 * vendor's API.
 */
import type { GatehouseError } from '../kernel/error.ts';
import type { Protocol } from '../kernel/exchange.ts';
import type { Allowances } from './allowance.ts';
import * as anthropicAllowance from './anthropic/allowance.ts';
import { MessageEnding } from './anthropic/ending.ts';
import * as anthropicError from './anthropic/error.ts';
import * as anthropicModels from './anthropic/models.ts';
import * as anthropicStream from './anthropic/stream.ts';
import { UsageReader as AnthropicUsage } from './anthropic/usage.ts';
import { type StreamEnding, StreamGuard, type TokenAllowance } from './guard.ts';
import { ChunkUsageHider, type UsageHider } from './hide.ts';
import * as openaiAllowance from './openai/allowance.ts';
import { ChunkEnding } from './openai/ending.ts';
import * as openaiError from './openai/error.ts';
import { ResponseEnding } from './openai/incomplete.ts';
import * as openaiModels from './openai/models.ts';
import * as openaiStream from './openai/stream.ts';
import { UsageReader as OpenAiUsage } from './openai/usage.ts';
import type { ModelEntry, Operation } from './operation.ts';
import { problemBody } from './problem.ts';
import { type Produced, ProducedAnswer, ProducedStream, type TextRoom } from './produced.ts';
import { JsonTap, SseTap, type UsageReader, type UsageTap } from './tap.ts';

export { clampTokens } from './clamp.ts';
export type { StreamGuard, TokenAllowance } from './guard.ts';
export type { UsageHider } from './hide.ts';
export type { ModelEntry, Operation, OperationName } from './operation.ts';
export { answersOf, boundOf, costsTokens, outputBound } from './output.ts';
export { PeekFault, peekRequest, RequestPeek } from './peek.ts';
export type { Produced, ProducedText, TextRoom } from './produced.ts';
export { promptTokens } from './prompt.ts';
export { TokenRatios } from './ratio.ts';
export { modelIdOf, recognize, recognizeSpelled } from './recognize.ts';
export { type RequestChange, rewriteRequest } from './rewrite.ts';
export type { UsageProgress, UsageTap } from './tap.ts';
export { toolNames } from './tools.ts';
export { mayGenerate, spokenProtocol } from './unknown.ts';

/**
 * A tap that reads usage off an answer of `operation`. `kind`: how the answer comes, by its content type. The answer must
 * not be compressed. Never throws; keeps at most one incomplete event of 64 KiB.
 */
export function usageTap(operation: Operation, kind: 'json' | 'sse', produced?: Produced): UsageTap {
  const reader = usageReader(operation);
  if (kind === 'json') return new JsonTap(reader, produced instanceof ProducedAnswer ? produced : undefined);
  return new SseTap(reader, contentKeys(operation), produced instanceof ProducedStream ? produced : undefined);
}

/** Keeps what an answer of `operation` has generated, for a tokenizer. `answers`: how many were asked for. */
export function producedBy(operation: Operation, kind: 'json' | 'sse', answers: number, room: TextRoom): Produced {
  if (kind === 'json') return new ProducedAnswer(room);
  return new ProducedStream(operation, contentKeys(operation), answers, room);
}

/**
 * A rewrite that reads usage off a stream and takes it out: for operations with `asksUsage` where `rewriteRequest` asked
 * and the client had not.
 */
export function usageHider(operation: Operation, produced?: Produced): UsageHider {
  return new ChunkUsageHider(
    usageReader(operation),
    contentKeys(operation),
    produced instanceof ProducedStream ? produced : undefined,
  );
}

/**
 * A rewrite that ends a stream in its protocol when its tokens are not allowed any more. `wantsUsage`: the client has asked for
 * usage in the stream. `next`: what rewrites the events that pass.
 */
export function streamGuard(
  operation: Operation,
  wantsUsage: boolean,
  allowance: TokenAllowance,
  next: UsageHider | undefined,
  produced?: Produced,
): StreamGuard {
  return new StreamGuard(
    allowance,
    streamEnding(operation, wantsUsage, allowance),
    contentKeys(operation),
    next,
    produced instanceof ProducedStream ? produced : undefined,
  );
}

function streamEnding({ protocol, name }: Operation, wantsUsage: boolean, about: TokenAllowance): StreamEnding {
  if (protocol === 'anthropic') return new MessageEnding();
  if (name === 'responses') return new ResponseEnding(about.promptTokens);
  return new ChunkEnding(name === 'chat', about.promptTokens, about.answers, wantsUsage);
}

/** The body of an error answer in the client's protocol; its content type is `errorContentType`. */
export function errorBody(protocol: Protocol, error: GatehouseError, requestId: string): string {
  if (protocol === 'openai') return openaiError.errorBody(error, requestId);
  if (protocol === 'anthropic') return anthropicError.errorBody(error, requestId);
  return problemBody(error, requestId);
}

/** Field lines with CRLF that tell a client what it has left. `wall`: now, in milliseconds since 1970. */
export function allowanceLines(protocol: Protocol, allowances: Allowances, wall: number): string {
  return protocol === 'anthropic'
    ? anthropicAllowance.allowanceLines(allowances, wall)
    : openaiAllowance.allowanceLines(allowances);
}

/** Content type of `errorBody`. */
export function errorContentType(protocol: Protocol): string {
  return protocol === 'http' ? 'application/problem+json' : 'application/json';
}

/**
 * The event that tells a streaming client that its answer failed, to be sent before the abort. Send it only at the boundary
 * of an event (`UsageProgress.atBoundary`).
 */
export function streamError(operation: Operation, error: GatehouseError): string {
  return operation.protocol === 'openai'
    ? openaiStream.streamError(operation, error)
    : anthropicStream.streamError(error);
}

/** The answer to `models`. */
export function modelsBody(protocol: Operation['protocol'], models: readonly ModelEntry[]): string {
  return protocol === 'openai' ? openaiModels.modelsBody(models) : anthropicModels.modelsBody(models);
}

/** The answer to `model`. */
export function modelBody(protocol: Operation['protocol'], model: ModelEntry): string {
  return protocol === 'openai' ? openaiModels.modelBody(model) : anthropicModels.modelBody(model);
}

function usageReader(operation: Operation): UsageReader {
  return operation.protocol === 'openai' ? new OpenAiUsage() : new AnthropicUsage();
}

function contentKeys(operation: Operation): readonly Buffer[] {
  return operation.protocol === 'openai' ? openaiStream.contentKeys(operation) : anthropicStream.contentKeys();
}
