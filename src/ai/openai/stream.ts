/** How OpenAI's streams look: which keys carry generated content, and how an error is told inside a stream. */
import type { GatehouseError } from '../../kernel/error.ts';
import type { Operation } from '../operation.ts';
import { errorObject } from './error.ts';

const keys = (...names: string[]) => names.map((name) => Buffer.from(name));

/** Deltas of a chat: text, tool calls, refusals, audio, and reasoning as DeepSeek, vLLM and others name it. */
const chat = keys('content', 'reasoning_content', 'tool_calls', 'refusal', 'reasoning', 'function_call', 'audio');
const completion = keys('text');
/** Every delta event of a Responses stream carries its content as `delta`. */
const responses = keys('delta');

/** Keys whose non-empty value is generated content in a stream of this operation. */
export function contentKeys(operation: Operation): readonly Buffer[] {
  if (operation.name === 'responses') return responses;
  return operation.name === 'text_completion' ? completion : chat;
}

/**
 * The event that tells a client inside its stream that it failed. A Responses stream has an event of its own for that; the
 * client library raises only where it finds `error`, others read the fields beside it.
 */
export function streamError(operation: Operation, error: GatehouseError): string {
  const body = errorObject(error, undefined);
  if (operation.name !== 'responses') return `data: ${JSON.stringify({ error: body })}\n\n`;
  const event = {
    type: 'error',
    code: body.code,
    message: body.message,
    param: body.param,
    sequence_number: 0,
    error: body,
  };
  return `event: error\ndata: ${JSON.stringify(event)}\n\n`;
}
