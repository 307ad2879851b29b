/** How a Responses stream ends when it has reached its length: what is open is closed, then `response.incomplete`. */
import type { StreamEnding } from '../guard.ts';
import { eventJson } from '../sse.ts';
import { record } from '../value.ts';

type Json = Record<string, unknown>;

/** See the file's head. Clients build their answer from the last event, so what has passed is kept here: its text once. */
export class ResponseEnding implements StreamEnding {
  readonly #promptTokens: number;
  #response: Json | undefined = undefined;
  #sequence = -1;
  /** Items of the output, as far as they have come, by their place. */
  readonly #items: Json[] = [];
  /** Text of what is open, and where. */
  #text = '';
  #part: Json | undefined = undefined;
  #at: Json | undefined = undefined;
  #over = false;

  constructor(promptTokens: number) {
    this.#promptTokens = promptTokens;
  }

  saw(buffer: Buffer, start: number, end: number): void {
    const event = eventJson(buffer, start, end);
    if (event === undefined) return;
    const { type } = event;
    if (typeof event.sequence_number === 'number') this.#sequence = event.sequence_number;
    const place = typeof event.output_index === 'number' ? event.output_index : this.#items.length;
    switch (type) {
      case 'response.created':
      case 'response.in_progress':
        this.#response = record(event.response);
        return;
      case 'response.output_item.added':
      case 'response.output_item.done':
        this.#items[place] = record(event.item) ?? {};
        this.#part = undefined;
        this.#at = type === 'response.output_item.added' ? event : undefined;
        this.#text = '';
        return;
      case 'response.content_part.added':
        this.#part = record(event.part);
        this.#at = event;
        this.#text = '';
        return;
      case 'response.output_text.delta':
      case 'response.function_call_arguments.delta':
        if (typeof event.delta === 'string') this.#text += event.delta;
        return;
      case 'response.content_part.done': {
        const item = this.#items[place];
        if (item !== undefined) item.content = [...contentOf(item), event.part];
        this.#part = undefined;
        return;
      }
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        this.#over = true;
        return;
    }
  }

  close(tokens: number): string {
    const response = this.#response;
    if (response === undefined || this.#over) return '';
    let events = '';
    const at = this.#at;
    const place = typeof at?.output_index === 'number' ? at.output_index : -1;
    const item = this.#items[place];
    if (at !== undefined && item !== undefined) {
      const where = { item_id: item.id, output_index: place };
      if (this.#part !== undefined) {
        const inside = { ...where, content_index: at.content_index };
        const part = { ...this.#part, text: this.#text };
        if (this.#part.type === 'output_text')
          events += this.#event('response.output_text.done', { ...inside, text: this.#text, logprobs: [] });
        events += this.#event('response.content_part.done', { ...inside, part });
        item.content = [...contentOf(item), part];
      } else if (item.type === 'function_call') {
        item.arguments = this.#text;
        events += this.#event('response.function_call_arguments.done', {
          ...where,
          name: item.name,
          arguments: this.#text,
        });
      }
      item.status = 'incomplete';
      events += this.#event('response.output_item.done', { output_index: place, item });
    }
    const input = this.#promptTokens;
    const usage = {
      input_tokens: input,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: tokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: input + tokens,
    };
    const incomplete_details = { reason: 'max_output_tokens' };
    const ended = { ...response, status: 'incomplete', incomplete_details, output: this.#items.filter(Boolean), usage };
    return events + this.#event('response.incomplete', { response: ended });
  }

  #event(type: string, fields: Json): string {
    return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: ++this.#sequence, ...fields })}\n\n`;
  }
}

function contentOf(item: Json): unknown[] {
  return Array.isArray(item.content) ? item.content : [];
}
