/** Where the text that a model has generated stands in answers and in the events of streams, parsed. */
import type { Operation } from './operation.ts';
import { list, record } from './value.ts';

/**
 * Told of each piece of generated text. `place`: pieces of the same place and field belong together; with a dot in it, it is a
 * call of a tool, whose `name` and arguments are told. `field`: the key that it stood under.
 */
export type Visit = (place: string, field: string, text: string) => void;

/** Fields whose text is reasoning. */
export const REASONING: ReadonlySet<string> = new Set(['reasoning_content', 'reasoning', 'thinking']);

/** Visits what a whole answer to `operation` holds. */
export function visitAnswer({ name }: Operation, value: unknown, visit: Visit): void {
  const answer = record(value);
  if (answer === undefined) return;
  if (name === 'messages') {
    list(answer.content).forEach((block, i) => {
      visitBlock(`${i}`, block, visit);
    });
  } else if (name === 'responses') {
    list(answer.output).forEach((item, i) => {
      visitItem(`${i}`, item, visit);
    });
  } else {
    list(answer.choices).forEach((choice, i) => {
      visitChoice(choice, i, visit);
    });
  }
}

/** Visits what one event of a stream adds. */
export function visitEvent({ name }: Operation, value: unknown, visit: Visit): void {
  const event = record(value);
  if (event === undefined) return;
  if (name === 'messages') {
    visitBlock('0', event.content_block, visit);
    visitBlock('0', event.delta, visit);
  } else if (name === 'responses') {
    if (event.type === 'response.output_item.added') visitItem('0', event.item, visit);
    const type = String(event.type);
    const call = type.includes('_call_');
    text(call ? '0.0' : '0', type.includes('.reasoning') ? 'reasoning' : 'delta', event.delta, visit);
  } else {
    list(event.choices).forEach((choice, i) => {
      visitChoice(choice, i, visit);
    });
  }
}

function text(place: string, field: string, value: unknown, visit: Visit): void {
  if (typeof value === 'string' && value !== '') visit(place, field, value);
}

/** One of the answers of chat and completions, whole or in part. */
function visitChoice(value: unknown, position: number, visit: Visit): void {
  const choice = record(value);
  if (choice === undefined) return;
  const place = `${typeof choice.index === 'number' ? choice.index : position}`;
  text(place, 'text', choice.text, visit);
  const message = record(choice.delta) ?? record(choice.message);
  if (message === undefined) return;
  text(place, 'content', message.content, visit);
  for (const part of list(message.content)) text(place, 'content', record(part)?.text, visit);
  // Some servers tell the same text under both names.
  if (typeof message.reasoning_content === 'string') text(place, 'reasoning_content', message.reasoning_content, visit);
  else text(place, 'reasoning', message.reasoning, visit);
  text(place, 'refusal', message.refusal, visit);
  text(place, 'transcript', record(message.audio)?.transcript, visit);
  list(message.tool_calls).forEach((one, i) => {
    const call = record(one);
    const index = typeof call?.index === 'number' ? call.index : i;
    visitCall(`${place}.${index}`, call?.function ?? call?.custom, visit);
  });
  visitCall(`${place}.f`, message.function_call, visit);
}

function visitCall(place: string, value: unknown, visit: Visit): void {
  const call = record(value);
  text(place, 'name', call?.name, visit);
  text(place, 'arguments', call?.arguments ?? call?.input, visit);
}

/** A block of a message, or what is added to one. */
function visitBlock(place: string, value: unknown, visit: Visit): void {
  const block = record(value);
  if (block === undefined) return;
  text(place, 'text', block.text, visit);
  text(place, 'thinking', block.thinking, visit);
  text(`${place}.0`, 'partial_json', block.partial_json, visit);
  if (block.type !== 'tool_use' && block.type !== 'server_tool_use') return;
  text(`${place}.0`, 'name', block.name, visit);
  // A stream begins with an empty one, and then sends it in parts.
  const input = record(block.input);
  if (input !== undefined && Object.keys(input).length > 0)
    text(`${place}.0`, 'partial_json', JSON.stringify(input), visit);
}

/** An item of a response's output. */
function visitItem(place: string, value: unknown, visit: Visit): void {
  const item = record(value);
  if (item === undefined) return;
  list(item.content).forEach((part, i) => {
    const field = item.type === 'reasoning' ? 'reasoning' : 'delta';
    text(`${place}-${i}`, field, record(part)?.text, visit);
    text(`${place}-${i}`, 'refusal', record(part)?.refusal, visit);
  });
  list(item.summary).forEach((part, i) => {
    text(`${place}-s${i}`, 'reasoning', record(part)?.text, visit);
  });
  if (typeof item.type !== 'string' || !item.type.endsWith('_call')) return;
  text(`${place}.0`, 'name', item.name, visit);
  text(`${place}.0`, 'delta', item.arguments ?? item.input, visit);
}
