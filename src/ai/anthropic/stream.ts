/** How Anthropic's streams look: which keys carry generated content, and how an error is told inside a stream. */
import type { GatehouseError } from '../../kernel/error.ts';
import { errorBody } from './error.ts';

/** Deltas of text, of tool input and of thinking; signatures are no content. */
const deltas = ['text', 'partial_json', 'thinking'].map((name) => Buffer.from(name));

/** Keys whose non-empty value is generated content in a stream. */
export function contentKeys(): readonly Buffer[] {
  return deltas;
}

/** The event that tells a client inside its stream that it failed. */
export function streamError(error: GatehouseError): string {
  return `event: error\ndata: ${errorBody(error, undefined)}\n\n`;
}
