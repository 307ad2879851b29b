/** `POST /v1/completions`. */
import type { Answer, Circumstances } from '../answer.ts';
import { identity, type Refusal } from '../answer.ts';
import type { Json } from '../json.ts';
import { isJson } from '../json.ts';
import type { Reply } from '../reply.ts';
import { reply } from '../reply.ts';
import { countTokens } from '../token.ts';
import { openaiUsage } from './chat.ts';
import { invalid, STREAM_FAILURE } from './error.ts';
import { badBound, checkModel, stops, wholeNumber } from './request.ts';

/** The old endpoint's own default for `max_tokens`. */
const DEFAULT_MAX_TOKENS = 16;

/** Answers a completion request, or says what is wrong with it. `prompt`: string, list of strings, or token ids. */
export function completions(body: Json, about: Circumstances): Answer | Refusal {
  const wrong = checkModel(body, about);
  if (wrong) return wrong;
  if (body.prompt === undefined) {
    return invalid("Missing required parameter: 'prompt'.", 'prompt', 'missing_required_parameter');
  }
  const low = badBound(body, ['max_tokens'], 0);
  if (low) return low;
  const prompts = promptsOf(body.prompt);
  const n = Math.min(wholeNumber(body, ['n'], 1), 128);
  const replies: Reply[] = [];
  let promptTokens = 0;
  for (const prompt of prompts) {
    promptTokens += prompt.tokens;
    for (let i = 0; i < n; i++) {
      replies.push(
        reply({
          prompt: prompt.text,
          seed: about.seed,
          choice: i,
          tokens: about.tokens,
          maxTokens: wholeNumber(body, ['max_tokens'], DEFAULT_MAX_TOKENS, 0),
          stops: stops(body.stop),
          tool: undefined,
          json: undefined,
        }),
      );
    }
  }
  return new CompletionAnswer(body, about, replies, promptTokens);
}

function promptsOf(prompt: unknown): { text: string; tokens: number }[] {
  if (typeof prompt === 'string') return [{ text: prompt, tokens: countTokens(prompt) }];
  if (!Array.isArray(prompt)) return [{ text: '', tokens: 0 }];
  if (typeof prompt[0] === 'number') return [{ text: prompt.join(' '), tokens: prompt.length }];
  return prompt.slice(0, 128).flatMap(promptsOf);
}

class CompletionAnswer implements Answer {
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
    this.#id = identity('cmpl-', about.serial, about.seed, 29);
    this.steps = replies.reduce((most, one) => Math.max(most, one.tokens.length), 0);
    this.#start = `data: {"id":"${this.#id}","object":"text_completion","created":${about.createdSeconds},"choices":[`;
    this.#end = `],"model":${JSON.stringify(this.model)}`;
  }

  generated(steps: number): number {
    let count = this.#about.reasoningTokens;
    for (const one of this.#replies) count += Math.min(steps, one.tokens.length);
    return count;
  }

  whole(): string {
    return JSON.stringify({
      id: this.#id,
      object: 'text_completion',
      created: this.#about.createdSeconds,
      model: this.model,
      choices: this.#replies.map((one, index) => ({
        text: one.text,
        index,
        logprobs: null,
        finish_reason: one.finish,
      })),
      usage: this.#usageNow(),
      system_fingerprint: 'fp_simulate',
    });
  }

  opening(): string {
    return '';
  }

  step(index: number): string {
    let events = '';
    for (let i = 0; i < this.#replies.length; i++) {
      const token = this.#replies[i]?.tokens[index];
      if (token !== undefined) events += this.#chunk(i, JSON.stringify(token), 'null');
    }
    return events;
  }

  closing(): string {
    let events = '';
    for (let i = 0; i < this.#replies.length; i++) {
      events += this.#chunk(i, '""', `"${(this.#replies[i] as Reply).finish}"`);
    }
    if (this.#usage) events += `${this.#start}${this.#end},"usage":${JSON.stringify(this.#usageNow())}}\n\n`;
    return `${events}data: [DONE]\n\n`;
  }

  failure(): string {
    return STREAM_FAILURE;
  }

  #usageNow(): Json {
    const total = this.#replies.reduce((sum, one) => sum + one.tokens.length, 0);
    return openaiUsage(this.promptTokens, total, this.#about);
  }

  #chunk(index: number, text: string, finish: string): string {
    const usage = this.#usage ? ',"usage":null}\n\n' : '}\n\n';
    return `${this.#start}{"text":${text},"index":${index},"logprobs":null,"finish_reason":${finish}}${this.#end}${usage}`;
  }
}
