/** Takes a request's prompt apart, for a tokenizer: messages, tools, calls of them, and texts that stand alone. */
import { MEDIA_PARTS, type MediaKind, mediaTokens } from './media.ts';
import type { Operation } from './operation.ts';

import { list, record } from './value.ts';

/** A message, its text in one piece. */
export interface PromptMessage {
  role: string;
  content: string;
  name?: string;
}

/** A tool that the model may call; `parameters` as JSON Schema. */
export interface PromptFunction {
  name: string;
  description?: string;
  parameters?: unknown;
}

/** What a prompt consists of. */
export interface PromptParts {
  /** It is a conversation, which the server puts into a template. */
  chat: boolean;
  messages: PromptMessage[];
  functions: PromptFunction[];
  /** Calls of tools that messages tell of: name, and arguments as they are written. */
  calls: (readonly [string, string])[];
  /** Texts that stand alone. */
  texts: string[];
  /** Tokens that are known: prompts given as token ids, and media by rule of thumb. */
  tokens: number;
}

const MEDIA: ReadonlySet<unknown> = new Set(MEDIA_PARTS);
/** Where the texts of what is no conversation stand. */
const TEXT_KEYS = ['prompt', 'suffix', 'input', 'query', 'queries', 'documents', 'text_1', 'text_2', 'instructions'];

/** The parts of a parsed request body of `operation`. */
export function promptParts({ name }: Operation, value: unknown): PromptParts {
  const body = record(value) ?? {};
  const parts: PromptParts = { chat: false, messages: [], functions: [], calls: [], texts: [], tokens: 0 };
  if (Array.isArray(body.messages) || name === 'responses') {
    parts.chat = true;
    if (body.system !== undefined) message({ role: 'system', content: body.system }, parts);
    if (typeof body.instructions === 'string') message({ role: 'system', content: body.instructions }, parts);
    if (typeof body.input === 'string') message({ role: 'user', content: body.input }, parts);
    for (const one of [...list(body.messages), ...list(body.input)]) message(one, parts);
    for (const tool of [...list(body.tools), ...list(body.functions)]) define(tool, parts);
  } else {
    for (const key of TEXT_KEYS) alone(body[key], parts);
  }
  return parts;
}

/** A message, or another item of a Responses input. */
function message(value: unknown, parts: PromptParts): void {
  const one = record(value);
  if (one === undefined) return;
  if (typeof one.type === 'string' && one.type.endsWith('_call')) {
    called(one.name, one.arguments ?? one.input, parts);
    return;
  }
  const content = textIn(one.content ?? one.output ?? one.summary, parts);
  for (const call of list(one.tool_calls)) {
    const made = record(record(call)?.function) ?? record(record(call)?.custom);
    called(made?.name, made?.arguments ?? made?.input, parts);
  }
  const made = record(one.function_call);
  if (made !== undefined) called(made.name, made.arguments, parts);
  const role = typeof one.role === 'string' ? one.role : 'tool';
  parts.messages.push({ role, content, ...(typeof one.name === 'string' && one.name !== '' && { name: one.name }) });
}

/** The text of a message's content; what it holds besides goes to where it belongs. */
function textIn(content: unknown, parts: PromptParts): string {
  if (typeof content === 'string') return content;
  let text = '';
  for (const value of list(content)) {
    const part = record(value);
    if (part === undefined) continue;
    if (typeof part.text === 'string') text += part.text;
    else if (typeof part.thinking === 'string') text += part.thinking;
    else if (typeof part.refusal === 'string') text += part.refusal;
    else if (part.type === 'tool_use') called(part.name, part.input, parts);
    else if (part.type === 'tool_result') text += textIn(part.content, parts);
    else if (MEDIA.has(part.type)) text += textOrTokens(part, parts);
  }
  return text;
}

function called(name: unknown, input: unknown, parts: PromptParts): void {
  const written = typeof input === 'string' ? input : input === undefined ? '' : JSON.stringify(input);
  parts.calls.push([typeof name === 'string' ? name : '', written]);
}

function define(value: unknown, parts: PromptParts): void {
  const tool = record(value);
  const made = record(tool?.function) ?? record(tool?.custom) ?? tool;
  if (typeof made?.name !== 'string') return;
  const { name, description } = made;
  const parameters = made.parameters ?? made.input_schema;
  parts.functions.push({
    name,
    ...(typeof description === 'string' && { description }),
    ...(parameters !== undefined && { parameters }),
  });
}

/** A text, a list of them, or token ids. */
function alone(value: unknown, parts: PromptParts): void {
  if (typeof value === 'string') parts.texts.push(value);
  else if (typeof value === 'number') parts.tokens++;
  else if (Array.isArray(value)) for (const one of value) alone(one, parts);
  else if (record(value) !== undefined) {
    const part = record(value) as Record<string, unknown>;
    if (typeof part.text === 'string') parts.texts.push(part.text);
    else if (Array.isArray(part.content)) alone(part.content, parts);
    else if (MEDIA.has(part.type)) parts.texts.push(textOrTokens(part, parts));
  }
}

/** The text of a document that is given as text; of all else the tokens, by the same rule of thumb as before sending. */
function textOrTokens(part: Record<string, unknown>, parts: PromptParts): string {
  const source = record(part.source);
  if (source?.type === 'text') return typeof source.data === 'string' ? source.data : '';
  if (source?.type === 'content') return textIn(source.content, parts);
  let bytes = 0;
  const walk = (value: unknown): void => {
    if (typeof value === 'string' && value.length > 64) bytes += value.length;
    else if (typeof value === 'object' && value !== null) for (const one of Object.values(value)) walk(one);
  };
  walk(part);
  parts.tokens += Math.ceil(mediaTokens(kindBy(String(part.type)), bytes));
  return '';
}

function kindBy(type: string): MediaKind {
  if (type.includes('image')) return 'image';
  if (type.includes('audio')) return 'audio';
  return type.includes('video') ? 'video' : 'file';
}
