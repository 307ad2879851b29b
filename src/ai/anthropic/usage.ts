/** Reads Anthropic's `usage` objects: whole in an answer; begun by message_start and updated by message_delta in a stream. */
import type { Usage } from '../../kernel/exchange.ts';
import { number, record } from '../value.ts';

/** Merges `usage` objects: counts are cumulative, a field that is left out keeps its last value. */
export class UsageReader {
  usage: Usage | undefined = undefined;
  #input = 0;
  #cacheCreation = 0;
  #cacheRead = 0;
  #output = 0;
  #thinking = 0;

  /** Takes a parsed `usage` value; anything that is not one changes nothing. */
  read(value: unknown): void {
    const usage = record(value);
    if (usage === undefined) return;
    const input = number(usage.input_tokens);
    const output = number(usage.output_tokens);
    if (input === undefined && output === undefined && this.usage === undefined) return;
    this.#input = input ?? this.#input;
    this.#output = output ?? this.#output;
    this.#cacheCreation = number(usage.cache_creation_input_tokens) ?? this.#cacheCreation;
    this.#cacheRead = number(usage.cache_read_input_tokens) ?? this.#cacheRead;
    this.#thinking = number(record(usage.output_tokens_details)?.thinking_tokens) ?? this.#thinking;
    this.usage = {
      // `input_tokens` counts only what was neither read from nor written to the cache.
      inputTokens: this.#input + this.#cacheCreation + this.#cacheRead,
      outputTokens: this.#output,
      cachedInputTokens: this.#cacheRead,
      reasoningTokens: this.#thinking,
    };
  }
}
