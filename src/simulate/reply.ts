/** What the pretended model says, before any protocol gives it a shape. */
import type { Json } from './json.ts';
import { fromSchema } from './json.ts';
import { Dice, hash, prose, splitTokens } from './token.ts';

/** A function that the reply may call. */
export interface Tool {
  name: string;
  /** JSON Schema of its arguments. */
  schema: unknown;
}

/** Everything the words depend on: same values, same words. */
export interface ReplyRequest {
  prompt: string;
  seed: number;
  /** Which of `n` choices. */
  choice: number;
  /** Length wished, in tokens, where nothing else ends the text. */
  tokens: number;
  /** Most tokens allowed by the request. */
  maxTokens: number;
  stops: readonly string[];
  /** Answer by calling this. */
  tool: Tool | undefined;
  /** Answer with JSON; `{}` stands for "any object". */
  json: Json | undefined;
}

/** The model's words. */
export interface Reply {
  /** Pieces as they are streamed; their number is the usage. */
  tokens: string[];
  text: string;
  /** `stop`: at its end or at a stop sequence; `length`: cut at the limit; `tool`: called a tool. */
  finish: 'stop' | 'length' | 'tool';
  /** The stop sequence that ended it. */
  stop: string | undefined;
  tool: Tool | undefined;
}

/** Replies that are kept, since load tests ask the same thing again and again; longer prompts are not kept. */
const KEPT_REPLIES = 64;
const KEPT_PROMPT_LENGTH = 4096;
const kept = new Map<string, Reply>();

/** Says something. The result may be shared between calls: do not change it. */
export function reply(request: ReplyRequest): Reply {
  if (request.tool || request.json || request.prompt.length > KEPT_PROMPT_LENGTH) return speak(request);
  const { seed, choice, tokens, maxTokens, stops, prompt } = request;
  const key = JSON.stringify([seed, choice, tokens, `${maxTokens}`, stops, prompt]);
  let found = kept.get(key);
  if (!found) {
    found = speak(request);
    if (kept.size >= KEPT_REPLIES) kept.delete(kept.keys().next().value as string);
    kept.set(key, found);
  }
  return found;
}

function speak(request: ReplyRequest): Reply {
  const dice = new Dice(hash(request.prompt, request.seed + request.choice * 7919));
  let text: string;
  if (request.tool) {
    text = JSON.stringify(fromSchema(request.tool.schema ?? {}, dice));
  } else if (request.json) {
    const free = Object.keys(request.json).length === 0;
    text = JSON.stringify(free ? { answer: prose(8, dice), ok: true } : fromSchema(request.json, dice));
  } else {
    text = prose(request.tokens, dice);
  }
  let stop: string | undefined;
  let end = text.length;
  for (const candidate of request.tool ? [] : request.stops) {
    const at = candidate === '' ? -1 : text.indexOf(candidate);
    if (at >= 0 && at < end) {
      end = at;
      stop = candidate;
    }
  }
  if (stop !== undefined) text = text.slice(0, end);
  let tokens = splitTokens(text);
  let finish: Reply['finish'] = request.tool ? 'tool' : 'stop';
  if (tokens.length > request.maxTokens) {
    tokens = tokens.slice(0, request.maxTokens);
    text = tokens.join('');
    finish = 'length';
    stop = undefined;
  }
  return { tokens, text, finish, stop, tool: request.tool };
}

/**
 * The tool to call, if any: the one that `choice` names or requires; with `auto` the first one, when the last message is
 * the user's and says "use the tool".
 */
export function pickTool(
  tools: readonly Tool[],
  must: string | boolean | undefined,
  lastUserText: string,
): Tool | undefined {
  if (typeof must === 'string') return tools.find((tool) => tool.name === must);
  if (must === false) return undefined;
  return must || /use the tool/i.test(lastUserText) ? tools[0] : undefined;
}
