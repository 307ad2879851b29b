/** Which path speaks which protocol, and the headers and errors that go with it. */

import type { Answer, Circumstances } from './answer.ts';
import { Refusal } from './answer.ts';
import { anthropicError } from './anthropic/error.ts';
import { countMessageTokens, messages } from './anthropic/messages.ts';
import type { Json } from './json.ts';
import { isJson } from './json.ts';
import { chat } from './openai/chat.ts';
import { completions } from './openai/completions.ts';
import { embeddings } from './openai/embeddings.ts';
import { invalid, openaiError, openaiErrorFor } from './openai/error.ts';
import { responses } from './openai/responses.ts';

/** One endpoint that takes a JSON body by POST. */
export interface Operation {
  anthropic: boolean;
  /** An answer that takes time and tokens, a body that is there at once, or a refusal. */
  answer(body: Json, about: Circumstances, requestId: string): Answer | Json | Refusal;
}

/** Path → operation. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['/v1/chat/completions', { anthropic: false, answer: chat }],
  ['/v1/completions', { anthropic: false, answer: completions }],
  ['/v1/responses', { anthropic: false, answer: responses }],
  ['/v1/embeddings', { anthropic: false, answer: embeddings }],
  ['/v1/messages', { anthropic: true, answer: messages }],
  ['/v1/messages/count_tokens', { anthropic: true, answer: countMessageTokens }],
]);

/** True for an answer that is paced, false for a plain body. */
export function isAnswer(value: Answer | Json): value is Answer {
  return typeof value.steps === 'number' && typeof value.whole === 'function';
}

/** Parses a body; a refusal in the words of the protocol when it is no JSON object. */
export function parseBody(text: string, operation: Operation, requestId: string): Json | Refusal {
  try {
    const body: unknown = JSON.parse(text);
    if (isJson(body)) return body;
  } catch {
    // Said below, for every kind of wrong body alike.
  }
  if (operation.anthropic) {
    return new Refusal(400, anthropicError(400, 'The request body is not valid JSON.', requestId));
  }
  return invalid(
    'We could not parse the JSON body of your request. (HINT: This likely means you are not sending a JSON object ' +
      'with the right content-length and encoding.)',
  );
}

/** The error body that goes with `status` when one is asked for. */
export function errorBody(anthropic: boolean, status: number, requestId: string): Json {
  return anthropic ? anthropicError(status, `Simulated error ${status}.`, requestId) : openaiErrorFor(status);
}

/** 404 for a path that is not served, in the shape of the protocol that the path suggests. */
export function noPath(method: string, path: string, requestId: string): Refusal {
  if (path.startsWith('/v1/messages')) return new Refusal(404, anthropicError(404, 'Not found', requestId));
  const message = `Invalid URL (${method} ${path})`;
  return new Refusal(404, openaiError(message, 'invalid_request_error', null, null));
}

/** 405 for a path that takes POST. */
export function noMethod(method: string, operation: Operation, requestId: string): Refusal {
  const message = `Not allowed to ${method} on this endpoint; use POST.`;
  const body = operation.anthropic
    ? anthropicError(405, message, requestId)
    : openaiError(message, 'invalid_request_error', null, 'method_not_supported');
  return new Refusal(405, body);
}

/** `/v1/models` or `/v1/models/ID`, in the shape of OpenAI or (with an `anthropic-version` header) of Anthropic. */
export function modelsBody(models: readonly string[], id: string | undefined, anthropic: boolean): Json | undefined {
  if (id !== undefined && !models.includes(id)) return undefined;
  const card = (model: string): Json =>
    anthropic
      ? { type: 'model', id: model, display_name: model, created_at: '2026-01-31T00:00:00Z' }
      : { id: model, object: 'model', created: 1_769_817_600, owned_by: 'simulate' };
  if (id !== undefined) return card(id);
  const data = models.map(card);
  if (!anthropic) return { object: 'list', data };
  return { data, has_more: false, first_id: models[0] ?? null, last_id: models.at(-1) ?? null };
}

/** Rate-limit headers of the protocol with `remaining` requests of 1,000 left. */
export function rateLimitHeaders(anthropic: boolean, remaining: number, wallMs: number): string[] {
  if (anthropic) {
    const reset = new Date(wallMs + 60_000).toISOString();
    const name = 'anthropic-ratelimit-requests';
    return [`${name}-limit`, '1000', `${name}-remaining`, `${remaining}`, `${name}-reset`, reset];
  }
  const name = 'x-ratelimit';
  return [
    ...[`${name}-limit-requests`, '1000', `${name}-limit-tokens`, '100000'],
    ...[`${name}-remaining-requests`, `${remaining}`, `${name}-remaining-tokens`, `${remaining * 100}`],
    ...[`${name}-reset-requests`, '60ms', `${name}-reset-tokens`, '6ms'],
  ];
}
