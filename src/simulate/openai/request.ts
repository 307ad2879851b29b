/** What the endpoints of the OpenAI API share when they read a request. */
import type { Circumstances, Refusal } from '../answer.ts';
import type { Json } from '../json.ts';
import { isJson, textOf } from '../json.ts';
import type { Tool } from '../reply.ts';
import { countTokens, TOKENS_PER_MESSAGE } from '../token.ts';
import { invalid, noModel } from './error.ts';

/** A whole number of at least `least` under one of `names`, else `fallback`. */
export function wholeNumber(body: Json, names: readonly string[], fallback: number, least = 1): number {
  for (const name of names) {
    const value = body[name];
    if (typeof value === 'number' && Number.isInteger(value) && value >= least) return value;
  }
  return fallback;
}

/** The refusal for a bound below `least` under one of `names`, as the service words it. */
export function badBound(body: Json, names: readonly string[], least: number): Refusal | undefined {
  for (const name of names) {
    const value = body[name];
    if (typeof value !== 'number' || value >= least) continue;
    const message = `Invalid '${name}': integer below minimum value. Expected a value >= ${least}, but got ${value} instead.`;
    return invalid(message, name, 'integer_below_min_value');
  }
  return undefined;
}

/** The refusal for a body without a model that is served here. */
export function checkModel(body: Json, about: Circumstances): Refusal | undefined {
  if (typeof body.model !== 'string' || body.model === '') {
    return invalid('you must provide a model parameter');
  }
  return about.serves(body.model) ? undefined : noModel(body.model);
}

/** `stop`: a string, a list of them, or nothing. */
export function stops(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((stop) => typeof stop === 'string') : [];
}

/** Declared functions, in the shape of chat (`function` inside) or of responses (flat). */
export function tools(value: unknown): Tool[] {
  if (!Array.isArray(value)) return [];
  const found: Tool[] = [];
  for (const tool of value) {
    if (!isJson(tool)) continue;
    const inner = isJson(tool.function) ? tool.function : tool;
    if (typeof inner.name === 'string') found.push({ name: inner.name, schema: inner.parameters });
  }
  return found;
}

/** `tool_choice` → a name, true (any), false (none) or undefined (the model decides). */
export function toolChoice(value: unknown): string | boolean | undefined {
  if (value === 'required') return true;
  if (value === 'none') return false;
  if (!isJson(value)) return undefined;
  const inner = isJson(value.function) ? value.function : value;
  return typeof inner.name === 'string' ? inner.name : undefined;
}

/** A conversation as one text, its tokens, and what the user said last (nothing if another role spoke last). */
export interface Conversation {
  text: string;
  tokens: number;
  lastUserText: string;
}

/** Reads a list of messages. Each costs its text and 4 tokens; declared tools cost their JSON. */
export function conversation(messages: readonly unknown[], declaredTools: unknown): Conversation {
  let text = '';
  let count = 0;
  let lastUserText = '';
  for (const message of messages) {
    if (!isJson(message)) continue;
    const said = textOf(message.content ?? message.output);
    count += countTokens(said) + TOKENS_PER_MESSAGE;
    text += `\n${String(message.role ?? message.type)}: ${said}`;
    lastUserText = message.role === 'user' ? said : '';
  }
  if (Array.isArray(declaredTools) && declaredTools.length > 0) count += countTokens(JSON.stringify(declaredTools));
  return { text, tokens: count, lastUserText };
}
