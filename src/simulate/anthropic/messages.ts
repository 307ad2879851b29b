/** `POST /v1/messages` and `/v1/messages/count_tokens`. */
import type { Answer, Circumstances } from '../answer.ts';
import { identity, type Refusal } from '../answer.ts';
import type { Json } from '../json.ts';
import { isJson, textOf } from '../json.ts';
import type { Reply, Tool } from '../reply.ts';
import { pickTool, reply } from '../reply.ts';
import { countTokens, TOKENS_PER_MESSAGE } from '../token.ts';
import { refuse } from './error.ts';

interface Prompt {
  text: string;
  tokens: number;
  lastUserText: string;
}

function promptOf(body: Json): Prompt {
  const system = textOf(body.system);
  const prompt: Prompt = { text: system, tokens: countTokens(system), lastUserText: '' };
  for (const message of Array.isArray(body.messages) ? body.messages : []) {
    if (!isJson(message)) continue;
    const said = textOf(message.content);
    const afterTool =
      Array.isArray(message.content) && message.content.some((p) => isJson(p) && p.type === 'tool_result');
    prompt.tokens += countTokens(said) + TOKENS_PER_MESSAGE;
    prompt.text += `\n${String(message.role)}: ${said}`;
    prompt.lastUserText = message.role === 'user' && !afterTool ? said : '';
  }
  if (Array.isArray(body.tools) && body.tools.length > 0) prompt.tokens += countTokens(JSON.stringify(body.tools));
  return prompt;
}

function check(body: Json, about: Circumstances, requestId: string): Refusal | undefined {
  if (typeof body.model !== 'string') return refuse(400, 'model: Field required', requestId);
  if (!about.serves(body.model)) return refuse(404, `model: ${body.model}`, requestId);
  if (!Array.isArray(body.messages)) return refuse(400, 'messages: Field required', requestId);
  if (body.messages.length === 0) return refuse(400, 'messages: at least one message is required', requestId);
  return undefined;
}

/** Answers a messages request, or says what is wrong with it. */
export function messages(body: Json, about: Circumstances, requestId: string): Answer | Refusal {
  const wrong = check(body, about, requestId);
  if (wrong) return wrong;
  const most = body.max_tokens;
  if (most === undefined) return refuse(400, 'max_tokens: Field required', requestId);
  if (typeof most !== 'number' || !Number.isInteger(most) || most < 1) {
    return refuse(400, 'max_tokens: Input should be greater than or equal to 1', requestId);
  }
  const prompt = promptOf(body);
  const stops = Array.isArray(body.stop_sequences) ? body.stop_sequences.filter((s) => typeof s === 'string') : [];
  const said = reply({
    prompt: prompt.text,
    seed: about.seed,
    choice: 0,
    tokens: about.tokens,
    maxTokens: most,
    stops,
    tool: pickTool(toolsOf(body.tools), choiceOf(body.tool_choice), prompt.lastUserText),
    json: jsonWanted(body),
  });
  return new MessageAnswer(body, about, said, prompt.tokens, requestId);
}

/** Counts without answering: the body of `count_tokens`, or a refusal. */
export function countMessageTokens(body: Json, about: Circumstances, requestId: string): Json | Refusal {
  return check(body, about, requestId) ?? { input_tokens: promptOf(body).tokens };
}

function toolsOf(value: unknown): Tool[] {
  const found: Tool[] = [];
  for (const tool of Array.isArray(value) ? value : []) {
    if (isJson(tool) && typeof tool.name === 'string') found.push({ name: tool.name, schema: tool.input_schema });
  }
  return found;
}

function choiceOf(value: unknown): string | boolean | undefined {
  if (!isJson(value)) return undefined;
  if (value.type === 'tool' && typeof value.name === 'string') return value.name;
  return value.type === 'any' ? true : value.type === 'none' ? false : undefined;
}

function jsonWanted(body: Json): Json | undefined {
  const format = isJson(body.output_config) ? body.output_config.format : body.output_format;
  return isJson(format) && format.type === 'json_schema' && isJson(format.schema) ? format.schema : undefined;
}

class MessageAnswer implements Answer {
  readonly model: string;
  readonly stream: boolean;
  readonly promptTokens: number;
  readonly steps: number;
  readonly cut: boolean;
  readonly #reply: Reply;
  readonly #about: Circumstances;
  readonly #requestId: string;
  readonly #id: string;

  constructor(body: Json, about: Circumstances, said: Reply, promptTokens: number, requestId: string) {
    this.model = body.model as string;
    this.stream = body.stream === true;
    this.cut = said.finish === 'length';
    this.promptTokens = promptTokens;
    this.steps = said.tokens.length;
    this.#reply = said;
    this.#about = about;
    this.#requestId = requestId;
    this.#id = identity('msg_01', about.serial, about.seed, 22);
  }

  generated(steps: number): number {
    return Math.min(steps, this.steps) + this.#about.reasoningTokens;
  }

  whole(): string {
    return JSON.stringify({ ...this.#message([this.#content()], this.generated(this.steps)), ...this.#ending() });
  }

  opening(): string {
    const block = this.#reply.tool
      ? { type: 'tool_use', id: this.#toolId(), name: this.#reply.tool.name, input: {} }
      : { type: 'text', text: '' };
    return (
      event('message_start', { message: this.#message([], 1) }) +
      event('content_block_start', { index: 0, content_block: block }) +
      event('ping', {})
    );
  }

  step(index: number): string {
    const token = JSON.stringify(this.#reply.tokens[index] ?? '');
    const delta = this.#reply.tool ? `"input_json_delta","partial_json":${token}` : `"text_delta","text":${token}`;
    return `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":${delta}}}\n\n`;
  }

  closing(): string {
    return (
      event('content_block_stop', { index: 0 }) +
      event('message_delta', { delta: this.#ending(), usage: this.#usage(this.generated(this.steps)) }) +
      event('message_stop', {})
    );
  }

  failure(): string {
    const error = { type: 'overloaded_error', message: 'Overloaded' };
    return event('error', { error, request_id: this.#requestId });
  }

  #toolId(): string {
    return identity('toolu_01', this.#about.serial, this.#about.seed, 22);
  }

  #ending(): { stop_reason: string; stop_sequence: string | null } {
    const { finish, stop } = this.#reply;
    const reason =
      finish === 'tool'
        ? 'tool_use'
        : finish === 'length'
          ? 'max_tokens'
          : stop !== undefined
            ? 'stop_sequence'
            : 'end_turn';
    return { stop_reason: reason, stop_sequence: stop ?? null };
  }

  #content(): Json {
    if (!this.#reply.tool) return { type: 'text', text: this.#reply.text };
    let input: unknown = {};
    try {
      input = JSON.parse(this.#reply.text);
    } catch {
      // Arguments cut at max_tokens are no JSON; the service, too, then shows what it could read.
    }
    return { type: 'tool_use', id: this.#toolId(), name: this.#reply.tool.name, input };
  }

  #usage(outputTokens: number): Json {
    // The service counts prompt tokens read from the cache apart from `input_tokens`.
    const cached = Math.min(this.#about.cachedTokens, this.promptTokens);
    return {
      input_tokens: this.promptTokens - cached,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: cached,
      output_tokens: outputTokens,
    };
  }

  #message(content: Json[], outputTokens: number): Json {
    return {
      model: this.model,
      id: this.#id,
      type: 'message',
      role: 'assistant',
      content,
      stop_reason: null,
      stop_sequence: null,
      usage: { ...this.#usage(outputTokens), service_tier: 'standard' },
    };
  }
}

function event(type: string, fields: Json): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}
