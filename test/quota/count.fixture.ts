/** Servers that say something in every protocol, and report no usage. */
import type { ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';

/** An object out of JSON. */
export type Json = Record<string, unknown>;
/** Plays one answer. */
export type Play = (response: ServerResponse, body: Json) => void;

/** What is said, in letters of one to four bytes. */
export const TEXT = 'Der Zug nach Köln fährt um 8 Uhr — bring bitte 🥐 und 日本茶 mit!';
/** A second answer, or part. */
export const OTHER = 'A second answer: yes, really.';
/** Reasoning. */
export const THOUGHT = 'Hmm, 8 Uhr?';
/** Of the call of a tool. */
export const ARGUMENTS = '{"city":"Köln"}';
/** The prompt. */
export const MESSAGES = [
  { role: 'system', content: 'You are terse.' },
  { role: 'user', content: 'When does the train leave? 日本語でも答えて。' },
];
/** A piece of a long answer. */
export const LONG = 'the quick brown fox jumps over it '.repeat(30);
/** A tool that may be called. */
export const TOOL = {
  name: 'weather',
  description: 'Tells the weather.',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string', description: 'Where' }, unit: { type: 'string', enum: ['c', 'f'] } },
    required: ['city'],
  },
};

const json = (response: ServerResponse, value: Json) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
};

/** Sends the bytes of events in small pieces, which cut characters in two. `end`: and then ends; else it stays open. */
async function stream(response: ServerResponse, events: readonly unknown[], piece = 7, end = true): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const text = events.map((one) => `data: ${typeof one === 'string' ? one : JSON.stringify(one)}\n\n`).join('');
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += piece) {
    response.write(bytes.subarray(at, at + piece));
    if (at % (piece * 16) === 0) await setTimeout(1);
  }
  if (end) response.end();
}

/** A text in pieces of two UTF-16 units, so that a surrogate pair may fall apart. */
const inPieces = (text: string) => text.match(/[\s\S]{1,2}/g) ?? [];
const chunk = (delta: Json, index = 0) => ({ object: 'chat.completion.chunk', choices: [{ index, delta }] });
const call = (more: Json) => chunk({ tool_calls: [{ index: 0, ...more }] });
const zero = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };

const chatEvents = [
  chunk({ role: 'assistant', content: '' }),
  ...inPieces(THOUGHT).map((piece) => chunk({ reasoning_content: piece })),
  ...inPieces(TEXT).flatMap((piece, i) => [chunk({ content: piece }), chunk({ content: inPieces(OTHER)[i] ?? '' }, 1)]),
  call({ id: 'c', type: 'function', function: { name: 'book_train', arguments: '' } }),
  ...inPieces(ARGUMENTS).map((piece) => call({ function: { arguments: piece } })),
  '[DONE]',
];
const chatAnswer = {
  choices: [
    {
      index: 0,
      message: {
        content: TEXT,
        reasoning_content: THOUGHT,
        tool_calls: [{ id: 'c', type: 'function', function: { name: 'book_train', arguments: ARGUMENTS } }],
      },
    },
    { index: 1, message: { content: OTHER } },
  ],
};

const block = (index: number, content_block: Json) => ({ type: 'content_block_start', index, content_block });
const delta = (index: number, one: Json) => ({ type: 'content_block_delta', index, delta: one });
const messageEvents = [
  { type: 'message_start', message: { content: [], usage: { input_tokens: 0, output_tokens: 0 } } },
  block(0, { type: 'thinking', thinking: '' }),
  ...inPieces(THOUGHT).map((thinking) => delta(0, { type: 'thinking_delta', thinking })),
  block(1, { type: 'text', text: '' }),
  { type: 'ping' },
  ...inPieces(TEXT).map((text) => delta(1, { type: 'text_delta', text })),
  block(2, { type: 'text', text: '' }),
  ...inPieces(OTHER).map((text) => delta(2, { type: 'text_delta', text })),
  block(3, { type: 'tool_use', id: 't', name: 'book_train', input: {} }),
  ...inPieces(ARGUMENTS).map((partial_json) => delta(3, { type: 'input_json_delta', partial_json })),
  { type: 'message_delta', delta: { stop_reason: 'tool_use' } },
  { type: 'message_stop' },
];
const messageAnswer = {
  type: 'message',
  content: [
    { type: 'thinking', thinking: THOUGHT },
    { type: 'text', text: TEXT },
    { type: 'text', text: OTHER },
    { type: 'tool_use', id: 't', name: 'book_train', input: JSON.parse(ARGUMENTS) as Json },
  ],
};

const item = { type: 'function_call', name: 'book_train', arguments: ARGUMENTS };
const responseAnswer = {
  output: [
    { type: 'reasoning', summary: [{ type: 'summary_text', text: THOUGHT }] },
    {
      type: 'message',
      content: [
        { type: 'output_text', text: TEXT },
        { type: 'output_text', text: OTHER },
      ],
    },
    item,
  ],
};
const part = { type: 'response.content_part.added', part: { type: 'output_text', text: '' } };
const responseEvents = [
  { type: 'response.created', response: { output: [] } },
  { type: 'response.output_item.added', output_index: 0, item: { type: 'reasoning', summary: [] } },
  { type: 'response.reasoning_summary_part.added', part: { type: 'summary_text', text: '' } },
  ...inPieces(THOUGHT).map((piece) => ({ type: 'response.reasoning_summary_text.delta', delta: piece })),
  { type: 'response.output_item.added', output_index: 1, item: { type: 'message', content: [] } },
  part,
  ...inPieces(TEXT).map((piece) => ({ type: 'response.output_text.delta', delta: piece })),
  { type: 'response.output_text.done', text: TEXT },
  part,
  ...inPieces(OTHER).map((piece) => ({ type: 'response.output_text.delta', delta: piece })),
  { type: 'response.output_item.added', output_index: 2, item: { ...item, arguments: '' } },
  ...inPieces(ARGUMENTS).map((piece) => ({ type: 'response.function_call_arguments.delta', delta: piece })),
  { type: 'response.function_call_arguments.done', arguments: ARGUMENTS },
  { type: 'response.completed', response: responseAnswer },
];

/** What each model's server does. */
export const PLAYS: Readonly<Record<string, Play>> = {
  chat: (response, body) => (body.stream === true ? void stream(response, chatEvents) : json(response, chatAnswer)),
  zeros: (response, body) =>
    body.stream === true
      ? void stream(response, [...chatEvents.slice(0, -1), { choices: [], usage: zero }, '[DONE]'])
      : json(response, { ...chatAnswer, usage: zero }),
  reported: (response) =>
    json(response, { ...chatAnswer, usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 } }),
  messages: (response, body) =>
    body.stream === true ? void stream(response, messageEvents) : json(response, messageAnswer),
  responses: (response, body) =>
    body.stream === true ? void stream(response, responseEvents) : json(response, responseAnswer),
  short: (response) => json(response, { choices: [{ message: { content: 'ok' } }] }),
  open: (response) => void stream(response, [...inPieces(TEXT).map((content) => chunk({ content }))], 64, false),
  text: (response) => json(response, { choices: [{ text: 'one two' }, { text: 'three', index: 1 }] }),
  vectors: (response) => json(response, { data: [] }),
  long: (response, body) =>
    body.stream === true
      ? void stream(response, [...Array.from({ length: 800 }, () => chunk({ content: LONG })), '[DONE]'], 60_000)
      : json(response, { choices: [{ message: { content: LONG.repeat(2000) } }] }),
  tiny: (response) => json(response, { choices: [{ message: { content: 'hello world' } }] }),
};
