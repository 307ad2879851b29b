/** Reads OpenAI's `usage` objects: chat, completions, embeddings, responses, images, rerank. */
import type { Usage } from '../../kernel/exchange.ts';
import { number, record } from '../value.ts';

/** Turns `usage` objects into one count; the last one wins. */
export class UsageReader {
  usage: Usage | undefined = undefined;

  /** Takes a parsed `usage` value; anything that is not one changes nothing. */
  read(value: unknown): void {
    const usage = record(value);
    if (usage === undefined) return;
    // Chat calls them prompt and completion, Responses and images input and output; rerank gives the total only.
    const input = number(usage.prompt_tokens) ?? number(usage.input_tokens);
    const output = number(usage.completion_tokens) ?? number(usage.output_tokens);
    const total = number(usage.total_tokens);
    if (input === undefined && output === undefined && total === undefined) return;
    const inputDetails = record(usage.prompt_tokens_details) ?? record(usage.input_tokens_details);
    const outputDetails = record(usage.completion_tokens_details) ?? record(usage.output_tokens_details);
    const outputTokens = output ?? 0;
    this.usage = {
      inputTokens: input ?? Math.max(0, (total ?? 0) - outputTokens),
      outputTokens,
      // DeepSeek reports cache hits in a field of its own.
      cachedInputTokens: number(inputDetails?.cached_tokens) ?? number(usage.prompt_cache_hit_tokens) ?? 0,
      reasoningTokens: number(outputDetails?.reasoning_tokens) ?? 0,
    };
  }
}
