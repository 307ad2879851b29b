/** Which operations generate tokens, and what bounds them. */
import type { Operation, OperationName } from './operation.ts';
import type { RequestPeek } from './peek.ts';

/** The field that bounds what an operation generates; those that are not here generate no tokens. */
const BOUNDS: Partial<Record<OperationName, string>> = {
  // Reasoning models refuse `max_tokens`; what does not know this name (yet) is bounded by what is counted.
  chat: 'max_completion_tokens',
  text_completion: 'max_tokens',
  messages: 'max_tokens',
  responses: 'max_output_tokens',
};
/** What only counts or lists costs no tokens. */
const FREE: ReadonlySet<OperationName> = new Set([
  'count_tokens',
  'response_tokens',
  'tokenize',
  'detokenize',
  'models',
  'model',
]);

/** The operation has a prompt that costs tokens. */
export function costsTokens({ name }: Operation): boolean {
  return !FREE.has(name);
}

/** The field that bounds what this operation generates; undefined: it generates nothing. */
export function boundOf({ name }: Operation): string | undefined {
  return BOUNDS[name];
}

/**
 * What a request lets be generated, by the field that servers of its API read: a bound under the name of another API is none.
 * Undefined: it names no bound. Without an operation any field counts.
 */
export function outputBound(operation: Operation | undefined, peek: RequestPeek): number | undefined {
  if (operation === undefined) return peek.maxTokens;
  let bound = Number.NaN;
  const { name } = operation;
  if (name === 'responses') bound = peek.maxOutputTokens;
  else if (name !== 'chat' || Number.isNaN(peek.maxCompletionTokens)) bound = peek.maxTokensGiven;
  else bound = Math.max(peek.maxCompletionTokens, peek.maxTokensGiven || 0);
  // Where it is no bound it may still be read before one.
  return Number.isNaN(bound) ? undefined : Math.max(bound, peek.predict || 0);
}

/** Whether servers of this API read this field as the bound. */
export function bounds(operation: Operation | undefined, field: string): boolean {
  if (operation === undefined) return true;
  if (operation.name === 'responses') return field === 'max_output_tokens';
  return field === 'max_tokens' || (field === 'max_completion_tokens' && operation.name === 'chat');
}

/** How many answers a request asks for. Of completions each prompt of a list gets its own. */
export function answersOf({ name }: Operation, peek: RequestPeek, body: Buffer): number {
  const choices = Math.max(1, Math.ceil(peek.choices));
  return name === 'text_completion' ? choices * promptsOf(body) : choices;
}

function promptsOf(body: Buffer): number {
  try {
    const { prompt } = JSON.parse(body.toString('utf8')) as { prompt?: unknown };
    // A list of numbers is one prompt, as token ids.
    return Array.isArray(prompt) ? Math.max(1, prompt.filter((one) => typeof one !== 'number').length) : 1;
  } catch {
    return 1;
  }
}
