/** Counts a request and its answer by a tokenizer. Slow: what calls this is a thread of its own. */
import { REASONING, visitAnswer } from './generated.ts';
import type { Operation } from './operation.ts';
import { closeJson, type ProducedText, textOf } from './produced.ts';
import { type PromptFunction, type PromptMessage, promptParts } from './promptparts.ts';

/** A vocabulary, and the template that its models' servers put around a conversation. */
export interface Tokenizer {
  /** Tokens of a text by itself; what looks like a special token is text. */
  count(text: string): number;
  /** Tokens of a conversation, with all that is around it. */
  chat(messages: readonly PromptMessage[], functions: readonly PromptFunction[]): number;
  /** What each call of a tool makes beside its name and arguments. */
  readonly perCall: number;
}

/** What is to be counted; what is left out is not. */
export interface CountOrder {
  readonly operation: Operation;
  /** The request's JSON body. */
  readonly prompt?: Uint8Array | undefined;
  /** What was generated. */
  readonly produced?: ProducedText | undefined;
}

/** Tokens; undefined where nothing was to be counted, or what came could not be read. */
export interface Counted {
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  /** Part of `outputTokens`. */
  readonly reasoningTokens: number;
}

/** See the file's head. Never throws but what the tokenizer throws. */
export function countTokens({ operation, prompt, produced }: CountOrder, by: Tokenizer): Counted {
  const inputTokens = prompt === undefined ? undefined : countPrompt(operation, prompt, by);
  const output = produced === undefined ? undefined : countProduced(operation, produced, by);
  return { inputTokens, outputTokens: output?.tokens, reasoningTokens: output?.reasoning ?? 0 };
}

function countPrompt(operation: Operation, bytes: Uint8Array, by: Tokenizer): number | undefined {
  const body = parse(utf8(bytes));
  if (body === undefined) return undefined;
  const parts = promptParts(operation, body);
  let { tokens } = parts;
  if (parts.chat) tokens += by.chat(parts.messages, parts.functions);
  for (const [name, input] of parts.calls) tokens += by.count(name) + by.count(input) + by.perCall;
  for (const text of parts.texts) tokens += by.count(text);
  return tokens;
}

function countProduced(
  operation: Operation,
  produced: ProducedText,
  by: Tokenizer,
): { tokens: number; reasoning: number } | undefined {
  let reasoning = 0;
  let tokens = 0;
  if (produced.answer === undefined) {
    for (const inside of produced.reasoning) reasoning += by.count(textOf(inside));
    for (const inside of produced.texts) tokens += by.count(textOf(inside));
    return { tokens: tokens + reasoning + produced.calls * by.perCall, reasoning };
  }
  const text = utf8(produced.answer);
  const answer = parse(text) ?? parse(closeJson(text));
  if (answer === undefined) return undefined;
  const calls = new Set<string>();
  visitAnswer(operation, answer, (place, field, one) => {
    const count = by.count(one);
    if (REASONING.has(field)) reasoning += count;
    else tokens += count;
    if (place.includes('.')) calls.add(place);
  });
  return { tokens: tokens + reasoning + calls.size * by.perCall, reasoning };
}

function parse(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const utf8 = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');

/**
 * Letters, spaces or marks that go on for so long that a tokenizer's work, which grows with the square of a run, would hurt:
 * such runs are cut. What people write has none; a cut changes the count by at most one token.
 */
const RUN = 128;
const LONG_RUN = new RegExp(`[\\p{L}\\p{M}]{${RUN}}|\\s{${RUN}}|[^\\s\\p{L}\\p{M}\\p{N}]{${RUN}}|\\p{N}{${RUN}}`, 'gu');

/** Counts by `count` what is not longer than a run, and the parts of what is. */
export function countInRuns(text: string, count: (part: string) => number): number {
  if (text.length < RUN) return count(text);
  let tokens = 0;
  let from = 0;
  for (const { index, 0: run } of text.matchAll(LONG_RUN)) {
    tokens += count(text.slice(from, index + run.length));
    from = index + run.length;
  }
  return tokens + (from === 0 ? count(text) : from < text.length ? count(text.slice(from)) : 0);
}
