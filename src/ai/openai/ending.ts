/** How a stream of chat completions or completions ends when it has reached its length. */
import type { StreamEnding } from '../guard.ts';
import { behind, eventJson, mentions } from '../sse.ts';
import { record } from '../value.ts';

const REASON = Buffer.from('finish_reason":');
const QUOTE = 34;
const DONE = Buffer.from('[DONE]');

/** See the file's head. */
export class ChunkEnding implements StreamEnding {
  readonly #chat: boolean;
  readonly #promptTokens: number;
  readonly #choices: number;
  readonly #usage: boolean;
  /** What all chunks have alike; undefined before the first one. */
  #like: Record<string, unknown> | undefined = undefined;
  #finished = new Set<unknown>();
  #over = false;

  /** `choices`: answers that were asked for; `usage`: the client has asked for usage. */
  constructor(chat: boolean, promptTokens: number, choices: number, usage: boolean) {
    this.#chat = chat;
    this.#promptTokens = promptTokens;
    this.#choices = choices;
    this.#usage = usage;
  }

  saw(buffer: Buffer, start: number, end: number): void {
    if (this.#like === undefined) {
      const chunk = eventJson(buffer, start, end);
      if (chunk === undefined) return;
      const { id, object, created, model, system_fingerprint } = chunk;
      this.#like = { id, object, created, model, system_fingerprint };
    }
    // A chunk names its reason with the last piece of each answer, so this is seldom more than once or twice.
    if (this.#names(buffer, start, end)) {
      const chunk = eventJson(buffer, start, end);
      for (const choice of Array.isArray(chunk?.choices) ? chunk.choices : []) {
        const one = record(choice);
        if (typeof one?.finish_reason === 'string') this.#finished.add(one.index);
      }
    } else if (end - start < 32 && mentions(buffer, start, end, DONE)) this.#over = true;
  }

  /** Some reason is no null. */
  #names(buffer: Buffer, start: number, end: number): boolean {
    for (let at = behind(buffer, start, end, REASON); at >= 0; at = behind(buffer, at, end, REASON)) {
      if (buffer[at] === QUOTE || (buffer[at] === 32 && buffer[at + 1] === QUOTE)) return true;
    }
    return false;
  }

  close(tokens: number): string {
    if (this.#over) return '';
    const like = this.#like ?? { id: 'chatcmpl-0', object: this.#chat ? 'chat.completion.chunk' : 'text_completion' };
    let events = '';
    const more = this.#usage ? { usage: null } : {};
    for (let index = 0; index < this.#choices; index++) {
      if (this.#finished.has(index)) continue;
      const choice = this.#chat
        ? { index, delta: {}, logprobs: null, finish_reason: 'length' }
        : { index, text: '', logprobs: null, finish_reason: 'length' };
      events += line({ ...like, choices: [choice], ...more });
    }
    if (this.#usage) {
      const prompt = this.#promptTokens;
      const usage = { prompt_tokens: prompt, completion_tokens: tokens, total_tokens: prompt + tokens };
      events += line({ ...like, choices: [], usage });
    }
    return `${events}data: [DONE]\n\n`;
  }
}

function line(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}
