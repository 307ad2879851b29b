/** How a stream of messages ends when it has reached its length. */
import type { StreamEnding } from '../guard.ts';
import { eventJson, mentions } from '../sse.ts';

const START = Buffer.from('content_block_start');
const STOP = Buffer.from('content_block_stop');
const BEGIN = Buffer.from('message_start');
const DELTA = Buffer.from('message_delta');
/** The type of an event stands near its beginning. */
const NEAR = 96;

/** See the file's head. */
export class MessageEnding implements StreamEnding {
  #begun = false;
  #over = false;
  /** The content block that is open, or -1. */
  #open = -1;

  saw(buffer: Buffer, start: number, end: number): void {
    const near = Math.min(end, start + NEAR);
    if (mentions(buffer, start, near, START)) {
      const index = eventJson(buffer, start, end)?.index;
      this.#open = typeof index === 'number' ? index : 0;
    } else if (mentions(buffer, start, near, STOP)) this.#open = -1;
    else if (mentions(buffer, start, near, BEGIN)) this.#begun = true;
    else if (mentions(buffer, start, near, DELTA)) this.#over = true;
  }

  close(tokens: number): string {
    if (!this.#begun || this.#over) return '';
    const stop = this.#open < 0 ? '' : event('content_block_stop', { index: this.#open });
    const delta = { stop_reason: 'max_tokens', stop_sequence: null };
    return `${stop}${event('message_delta', { delta, usage: { output_tokens: tokens } })}${event('message_stop', {})}`;
  }
}

function event(type: string, fields: Record<string, unknown>): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}
