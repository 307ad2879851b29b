/** `POST /v1/responses`: typed events, each with its `sequence_number`. */
import type { Answer, Circumstances } from '../answer.ts';
import { identity, type Refusal } from '../answer.ts';
import type { Json } from '../json.ts';
import { isJson } from '../json.ts';
import { pickTool, type Reply, reply } from '../reply.ts';
import { invalid } from './error.ts';
import { badBound, checkModel, conversation, toolChoice, tools, wholeNumber } from './request.ts';

/** Answers a responses request, or says what is wrong with it. */
export function responses(body: Json, about: Circumstances): Answer | Refusal {
  const wrong = checkModel(body, about);
  if (wrong) return wrong;
  const input = typeof body.input === 'string' ? [{ role: 'user', content: body.input }] : body.input;
  if (!Array.isArray(input)) {
    return invalid("Missing required parameter: 'input'.", 'input', 'missing_required_parameter');
  }
  const low = badBound(body, ['max_output_tokens'], 1);
  if (low) return low;
  const first = typeof body.instructions === 'string' ? [{ role: 'system', content: body.instructions }] : [];
  const talk = conversation([...first, ...input], body.tools);
  const said = reply({
    prompt: talk.text,
    seed: about.seed,
    choice: 0,
    tokens: about.tokens,
    maxTokens: wholeNumber(body, ['max_output_tokens'], Number.POSITIVE_INFINITY),
    stops: [],
    tool: pickTool(tools(body.tools), toolChoice(body.tool_choice), talk.lastUserText),
    json: jsonWanted(body.text),
  });
  return new ResponseAnswer(body, about, said, talk.tokens);
}

function jsonWanted(text: unknown): Json | undefined {
  const format = isJson(text) ? text.format : undefined;
  if (!isJson(format)) return undefined;
  if (format.type === 'json_object') return {};
  if (format.type !== 'json_schema') return undefined;
  return isJson(format.schema) ? format.schema : {};
}

class ResponseAnswer implements Answer {
  readonly model: string;
  readonly stream: boolean;
  readonly promptTokens: number;
  readonly steps: number;
  readonly cut: boolean;
  readonly #body: Json;
  readonly #reply: Reply;
  readonly #about: Circumstances;
  readonly #id: string;
  readonly #itemId: string;
  readonly #delta: string;
  /** Sequence number of the first step's event; each step is one event. */
  readonly #firstStep: number;

  constructor(body: Json, about: Circumstances, said: Reply, promptTokens: number) {
    this.model = body.model as string;
    this.stream = body.stream === true;
    this.cut = said.finish === 'length';
    this.promptTokens = promptTokens;
    this.steps = said.tokens.length;
    this.#body = body;
    this.#reply = said;
    this.#about = about;
    this.#id = identity('resp_', about.serial, about.seed, 48);
    this.#itemId = identity(said.tool ? 'fc_' : 'msg_', about.serial, about.seed, 48);
    this.#firstStep = said.tool ? 3 : 4;
    this.#delta = said.tool ? 'response.function_call_arguments.delta' : 'response.output_text.delta';
  }

  generated(steps: number): number {
    return Math.min(steps, this.steps) + this.#about.reasoningTokens;
  }

  whole(): string {
    return JSON.stringify(this.#response(this.#finalStatus()));
  }

  opening(): string {
    const item = this.#item('in_progress');
    let events =
      event('response.created', 0, { response: this.#response('in_progress') }) +
      event('response.in_progress', 1, { response: this.#response('in_progress') }) +
      event('response.output_item.added', 2, { output_index: 0, item });
    if (!this.#reply.tool) {
      events += event('response.content_part.added', 3, { ...this.#place(), content_index: 0, part: textPart('') });
    }
    return events;
  }

  step(index: number): string {
    const delta = JSON.stringify(this.#reply.tokens[index] ?? '');
    const sequence = this.#firstStep + index;
    const start = `event: ${this.#delta}\ndata: {"type":"${this.#delta}","sequence_number":${sequence},"item_id":"${this.#itemId}","output_index":0,`;
    return this.#reply.tool
      ? `${start}"delta":${delta}}\n\n`
      : `${start}"content_index":0,"delta":${delta},"logprobs":[]}\n\n`;
  }

  closing(): string {
    const text = this.#reply.text;
    let sequence = this.#firstStep + this.steps;
    let events: string;
    if (this.#reply.tool) {
      const done = { ...this.#place(), name: this.#reply.tool.name, arguments: text };
      events = event('response.function_call_arguments.done', sequence++, done);
    } else {
      const at = { ...this.#place(), content_index: 0 };
      events =
        event('response.output_text.done', sequence++, { ...at, text, logprobs: [] }) +
        event('response.content_part.done', sequence++, { ...at, part: textPart(text) });
    }
    const status = this.#finalStatus();
    events += event('response.output_item.done', sequence++, { output_index: 0, item: this.#item(status) });
    return events + event(`response.${status}`, sequence, { response: this.#response(status) });
  }

  failure(): string {
    const error = { code: 'server_error', message: 'The server had an error while processing your request.' };
    const response = { ...this.#response('failed'), error };
    return event('response.failed', this.#firstStep + this.steps, { response });
  }

  #finalStatus(): 'completed' | 'incomplete' {
    return this.#reply.finish === 'length' ? 'incomplete' : 'completed';
  }

  #place(): Json {
    return { item_id: this.#itemId, output_index: 0 };
  }

  #item(status: string): Json {
    const started = status === 'in_progress';
    const text = started ? '' : this.#reply.text;
    if (this.#reply.tool) {
      const callId = identity('call_', this.#about.serial, this.#about.seed);
      const name = this.#reply.tool.name;
      return { id: this.#itemId, type: 'function_call', status, arguments: text, call_id: callId, name };
    }
    const content = started ? [] : [textPart(text)];
    return { id: this.#itemId, type: 'message', status, content, role: 'assistant' };
  }

  #response(status: 'in_progress' | 'completed' | 'incomplete' | 'failed'): Json {
    const body = this.#body;
    const done = status === 'completed' || status === 'incomplete';
    const output = this.steps + this.#about.reasoningTokens;
    return {
      id: this.#id,
      object: 'response',
      created_at: this.#about.createdSeconds,
      status,
      background: false,
      error: null,
      incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
      instructions: body.instructions ?? null,
      max_output_tokens: body.max_output_tokens ?? null,
      model: this.model,
      output: done ? [this.#item(status)] : [],
      parallel_tool_calls: body.parallel_tool_calls ?? true,
      previous_response_id: body.previous_response_id ?? null,
      reasoning: { effort: null, summary: null },
      service_tier: 'default',
      store: body.store ?? true,
      temperature: body.temperature ?? 1,
      text: body.text ?? { format: { type: 'text' } },
      tool_choice: body.tool_choice ?? 'auto',
      tools: body.tools ?? [],
      top_p: body.top_p ?? 1,
      truncation: 'disabled',
      usage: done
        ? {
            input_tokens: this.promptTokens,
            input_tokens_details: { cached_tokens: Math.min(this.#about.cachedTokens, this.promptTokens) },
            output_tokens: output,
            output_tokens_details: { reasoning_tokens: this.#about.reasoningTokens },
            total_tokens: this.promptTokens + output,
          }
        : null,
      user: body.user ?? null,
      metadata: body.metadata ?? {},
    };
  }
}

function textPart(text: string): Json {
  return { type: 'output_text', annotations: [], logprobs: [], text };
}

function event(type: string, sequence: number, fields: Json): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence, ...fields })}\n\n`;
}
