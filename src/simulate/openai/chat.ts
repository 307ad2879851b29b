/** `POST /v1/chat/completions`. */
import type { Answer, Circumstances } from '../answer.ts';
import { identity, type Refusal } from '../answer.ts';
import type { Json } from '../json.ts';
import { isJson } from '../json.ts';
import type { Reply } from '../reply.ts';
import { pickTool, reply } from '../reply.ts';
import { invalid, STREAM_FAILURE } from './error.ts';
import { badBound, checkModel, conversation, stops, toolChoice, tools, wholeNumber } from './request.ts';

/** What bounds the output; the first that is given counts. */
const BOUNDS = ['max_completion_tokens', 'max_tokens'];

/** Answers a chat request, or says what is wrong with it. */
export function chat(body: Json, about: Circumstances): Answer | Refusal {
  const wrong = checkModel(body, about);
  if (wrong) return wrong;
  const messages = body.messages;
  if (!Array.isArray(messages)) {
    return invalid("Missing required parameter: 'messages'.", 'messages', 'missing_required_parameter');
  }
  if (messages.length === 0) {
    return invalid("Invalid 'messages': empty array.", 'messages', 'empty_array');
  }
  const low = badBound(body, BOUNDS, 1);
  if (low) return low;
  const n = wholeNumber(body, ['n'], 1);
  if (n > 128) return invalid("Invalid 'n': integer above maximum value. Expected a value <= 128.", 'n');
  const talk = conversation(messages, body.tools);
  const tool = pickTool(tools(body.tools), toolChoice(body.tool_choice), talk.lastUserText);
  const replies: Reply[] = [];
  for (let choice = 0; choice < n; choice++) {
    replies.push(
      reply({
        prompt: talk.text,
        seed: about.seed,
        choice,
        tokens: about.tokens,
        maxTokens: wholeNumber(body, BOUNDS, Number.POSITIVE_INFINITY),
        stops: stops(body.stop),
        tool,
        json: jsonWanted(body.response_format),
      }),
    );
  }
  return new ChatAnswer(body, about, replies, talk.tokens);
}

function jsonWanted(format: unknown): Json | undefined {
  if (!isJson(format)) return undefined;
  if (format.type === 'json_object') return {};
  if (format.type !== 'json_schema' || !isJson(format.json_schema)) return undefined;
  return isJson(format.json_schema.schema) ? format.json_schema.schema : {};
}

const FINISH = { stop: 'stop', length: 'length', tool: 'tool_calls' } as const;

/** `usage` of chat and completions. */
export function openaiUsage(promptTokens: number, completionTokens: number, about: Circumstances): Json {
  const completion = completionTokens + about.reasoningTokens;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completion,
    total_tokens: promptTokens + completion,
    prompt_tokens_details: { cached_tokens: Math.min(about.cachedTokens, promptTokens), audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: about.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

class ChatAnswer implements Answer {
  readonly model: string;
  readonly stream: boolean;
  readonly promptTokens: number;
  readonly steps: number;
  readonly cut: boolean;
  readonly #replies: Reply[];
  readonly #about: Circumstances;
  readonly #usage: boolean;
  readonly #start: string;
  readonly #end: string;
  readonly #id: string;

  constructor(body: Json, about: Circumstances, replies: Reply[], promptTokens: number) {
    this.model = body.model as string;
    this.stream = body.stream === true;
    this.cut = replies.some((one) => one.finish === 'length');
    this.promptTokens = promptTokens;
    this.#replies = replies;
    this.#about = about;
    this.#usage = isJson(body.stream_options) && body.stream_options.include_usage === true;
    this.#id = identity('chatcmpl-', about.serial, about.seed, 29);
    this.steps = replies.reduce((most, one) => Math.max(most, one.tokens.length), 0);
    this.#start = `data: {"id":"${this.#id}","object":"chat.completion.chunk","created":${about.createdSeconds},"model":${JSON.stringify(this.model)},"service_tier":"default","system_fingerprint":"fp_simulate","choices":[`;
    this.#end = this.#usage ? '],"usage":null}\n\n' : ']}\n\n';
  }

  generated(steps: number): number {
    let count = this.#about.reasoningTokens;
    for (const one of this.#replies) count += Math.min(steps, one.tokens.length);
    return count;
  }

  whole(): string {
    return JSON.stringify({
      id: this.#id,
      object: 'chat.completion',
      created: this.#about.createdSeconds,
      model: this.model,
      choices: this.#replies.map((one, index) => ({
        index,
        message: this.#message(one, index),
        logprobs: null,
        finish_reason: FINISH[one.finish],
      })),
      usage: openaiUsage(this.promptTokens, this.#total(), this.#about),
      service_tier: 'default',
      system_fingerprint: 'fp_simulate',
    });
  }

  opening(): string {
    let events = '';
    for (let i = 0; i < this.#replies.length; i++) {
      const tool = this.#replies[i]?.tool;
      const call = tool
        ? `"content":null,"tool_calls":[{"index":0,"id":"${this.#callId(i)}","type":"function","function":{"name":${JSON.stringify(tool.name)},"arguments":""}}]`
        : '"content":""';
      events += this.#chunk(i, `{"role":"assistant",${call},"refusal":null}`, 'null');
    }
    return events;
  }

  step(index: number): string {
    let events = '';
    for (let i = 0; i < this.#replies.length; i++) {
      const one = this.#replies[i] as Reply;
      const token = one.tokens[index];
      if (token === undefined) continue;
      const text = JSON.stringify(token);
      events += this.#chunk(
        i,
        one.tool ? `{"tool_calls":[{"index":0,"function":{"arguments":${text}}}]}` : `{"content":${text}}`,
        'null',
      );
    }
    return events;
  }

  closing(): string {
    let events = '';
    for (let i = 0; i < this.#replies.length; i++) {
      events += this.#chunk(i, '{}', `"${FINISH[(this.#replies[i] as Reply).finish]}"`);
    }
    if (this.#usage) {
      const usage = JSON.stringify(openaiUsage(this.promptTokens, this.#total(), this.#about));
      events += `${this.#start}],"usage":${usage}}\n\n`;
    }
    return `${events}data: [DONE]\n\n`;
  }

  failure(): string {
    return STREAM_FAILURE;
  }

  #chunk(index: number, delta: string, finish: string): string {
    return `${this.#start}{"index":${index},"delta":${delta},"logprobs":null,"finish_reason":${finish}}${this.#end}`;
  }

  #total(): number {
    return this.#replies.reduce((sum, one) => sum + one.tokens.length, 0);
  }

  #callId(choice: number): string {
    return identity('call_', this.#about.serial * 131 + choice, this.#about.seed);
  }

  #message(one: Reply, choice: number): Json {
    if (!one.tool) return { role: 'assistant', content: one.text, refusal: null, annotations: [] };
    const call = {
      id: this.#callId(choice),
      type: 'function',
      function: { name: one.tool.name, arguments: one.text },
    };
    return { role: 'assistant', content: null, tool_calls: [call], refusal: null, annotations: [] };
  }
}
