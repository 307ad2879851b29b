/**
 * Keeps the text that an answer has generated, within bounds, so that a tokenizer can count it where no server reports it. Text
 * is kept as it stands in JSON, so that a character that is split over events, or escaped, is whole when it is read.
 */
import type { SseSink } from '../http/sse.ts';
import { ContentWatch } from './content.ts';
import { REASONING, visitEvent } from './generated.ts';
import type { Operation } from './operation.ts';
import { behind, eventJson, mentions } from './sse.ts';
import { stringEnd } from './weigh.ts';

/** Most bytes of one stream's text, and of one JSON answer, that are kept. */
const STREAM_TEXT_MAX = 256 * 1024;
const ANSWER_MAX = 1024 * 1024;

const QUOTE = 34;
const BACKSLASH = 92;
const FIRST_BYTES = 256;
/** What is around a string is compared: at most so much in front, and so much behind, its quote included. */
const AROUND_BYTES_MAX = 256;
const BEHIND_BYTES = 6;
/** What an event counts that cannot be read: about a token. */
const UNREADABLE_BYTES = 4;

/** Memory that all answers of a process share. */
export interface TextRoom {
  /** Bytes that are free. */
  free: number;
}

/** What was kept of an answer: it is counted elsewhere, so this can be sent there. */
export interface ProducedText {
  /** A JSON answer, perhaps cut short; undefined for a stream. */
  readonly answer: Buffer | undefined;
  /** Texts of a stream, each the inside of a JSON string, counted each by itself; and those that are reasoning. */
  readonly texts: readonly Buffer[];
  readonly reasoning: readonly Buffer[];
  /** Calls of tools in it. */
  readonly calls: number;
}

/** Bytes that grow up to a bound. */
class Kept {
  bytes = EMPTY;
  length = 0;
  readonly reasoning: boolean;

  constructor(reasoning: boolean) {
    this.reasoning = reasoning;
  }

  /** False: there is no room for it. */
  add(from: Buffer, start: number, end: number, room: TextRoom): boolean {
    const needed = this.length + end - start;
    if (needed > this.bytes.length) {
      let size = Math.max(FIRST_BYTES, this.bytes.length * 2);
      while (size < needed) size *= 2;
      if (size - this.bytes.length > room.free) return false;
      room.free -= size - this.bytes.length;
      const larger = Buffer.allocUnsafeSlow(size);
      this.bytes.copy(larger, 0, 0, this.length);
      this.bytes = larger;
    }
    from.copy(this.bytes, this.length, start, end);
    this.length = needed;
    return true;
  }

  get text(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}

const EMPTY = Buffer.alloc(0);

/** What is kept of one answer. */
export interface Produced {
  /** Bytes that are kept, and those that there was no room for. */
  readonly kept: number;
  readonly beyond: number;
  text(): ProducedText;
  /** Frees the memory; how much it was is still known. */
  drop(): void;
}

/** A JSON answer, kept as it comes. */
export class ProducedAnswer implements Produced {
  readonly #room: TextRoom;
  #body = new Kept(false);
  kept = 0;
  beyond = 0;

  constructor(room: TextRoom) {
    this.#room = room;
  }

  /** Takes the next bytes of it. */
  data(buffer: Buffer, start: number, end: number): void {
    const to = this.beyond > 0 ? start : Math.min(end, start + ANSWER_MAX - this.kept);
    if (to > start && this.#body.add(buffer, start, to, this.#room)) {
      this.kept += to - start;
      this.beyond += end - to;
    } else this.beyond += end - start;
  }

  text(): ProducedText {
    return { answer: this.#body.text, texts: [], reasoning: [], calls: 0 };
  }

  drop(): void {
    this.#room.free += this.#body.bytes.length;
    this.#body = new Kept(false);
  }
}

/** The events of a stream. */
export class ProducedStream implements Produced, Pick<SseSink, 'event' | 'piece'> {
  readonly #operation: Operation;
  readonly #content: ContentWatch;
  readonly #room: TextRoom;
  /** Its events are in order: what adds to one text is not between those of another. */
  readonly #inOrder: boolean;
  /** Marks the events that begin another part, in protocols that have such. */
  readonly #begins: Buffer | undefined;
  readonly #texts = new Map<string, Kept>();
  readonly #calls = new Set<string>();
  #part = 0;
  /** The text that the last event added to, where the next one may be like it. */
  #last: Kept | undefined = undefined;
  /** What stood around its string: from the quote of a key that is so far in front of where content is found, and behind. */
  #lead = 0;
  #before = EMPTY;
  #behind = EMPTY;
  #full = false;
  kept = 0;
  beyond = 0;

  /** `keys`: keys whose value is generated content. `answers`: how many were asked for. */
  constructor(operation: Operation, keys: readonly Buffer[], answers: number, room: TextRoom) {
    this.#operation = operation;
    this.#content = new ContentWatch(keys);
    this.#room = room;
    this.#inOrder = answers === 1;
    this.#begins = BEGINS[operation.name];
  }

  /** Takes a whole event. */
  event(buffer: Buffer, start: number, end: number): void {
    const at = this.#content.find(buffer, start, end);
    if (at < 0) {
      if (this.#begins !== undefined && mentions(buffer, start, end, this.#begins)) this.#begin(buffer, start, end);
      return;
    }
    if (this.#last !== undefined && this.#extend(this.#last, buffer, at, end)) return;
    const field = this.#parse(buffer, start, end);
    if (field === undefined || !this.#inOrder || !this.#learn(buffer, at, end, field)) this.#last = undefined;
  }

  /** Takes a part of an event that is too large to be held: all that is known is how large it was. */
  piece(_buffer: Buffer, start: number, end: number): void {
    this.beyond += end - start;
  }

  text(): ProducedText {
    const texts: Buffer[] = [];
    const reasoning: Buffer[] = [];
    for (const kept of this.#texts.values()) (kept.reasoning ? reasoning : texts).push(kept.text);
    return { answer: undefined, texts, reasoning, calls: this.#calls.size };
  }

  drop(): void {
    for (const { bytes } of this.#texts.values()) this.#room.free += bytes.length;
    this.#texts.clear();
    this.#last = undefined;
  }

  #begin(buffer: Buffer, start: number, end: number): void {
    this.#part++;
    this.#parse(buffer, start, end);
    this.#last = undefined;
  }

  /**
   * The common case without parsing: the event is as the one before from the key on that its content stands under, but for one string, and
   * nothing else in it is content.
   */
  #extend(last: Kept, buffer: Buffer, at: number, end: number): boolean {
    const before = this.#before;
    const from = at - this.#lead;
    const text = from + before.length;
    if (text >= end || !same(buffer, from, before)) return false;
    const to = stringEnd(buffer, text, end);
    if (to + BEHIND_BYTES > end || !same(buffer, to, this.#behind)) return false;
    if (this.#content.next(buffer, to + 1, end) >= 0) return false;
    this.#keep(last, buffer, text, to);
    return true;
  }

  /** Remembers what is around the one string of an event. False: it is not where it would be found again. */
  #learn(buffer: Buffer, at: number, end: number, field: Buffer): boolean {
    const key = buffer.lastIndexOf(QUOTE, at - 2);
    let i = same(buffer, at - field.length, field) ? at : behind(buffer, at, end, field);
    while (i > 0 && (buffer[i] === 32 || buffer[i] === 58)) i++;
    if (key < 0 || i < 0 || buffer[i] !== QUOTE || i - key > AROUND_BYTES_MAX) return false;
    const to = stringEnd(buffer, i + 1, end);
    if (to + BEHIND_BYTES > end) return false;
    this.#lead = at - key;
    this.#before = Buffer.from(buffer.subarray(key, i + 1));
    this.#behind = Buffer.from(buffer.subarray(to, to + BEHIND_BYTES));
    return true;
  }

  /** The key that the one string of it stands under, with its quotes; undefined where there is not just one. */
  #parse(buffer: Buffer, start: number, end: number): Buffer | undefined {
    const value = eventJson(buffer, start, end);
    if (value === undefined) {
      this.beyond += UNREADABLE_BYTES;
      return undefined;
    }
    let visited = 0;
    let key = '';
    visitEvent(this.#operation, value, (place, field, text) => {
      visited++;
      const call = place.includes('.');
      if (call) this.#calls.add(`${this.#part}:${place}`);
      const id = `${this.#part}:${place}|${field}`;
      let kept = this.#texts.get(id);
      if (kept === undefined) {
        kept = new Kept(REASONING.has(field));
        this.#texts.set(id, kept);
      }
      const bytes = Buffer.from(JSON.stringify(text));
      this.#keep(kept, bytes, 1, bytes.length - 1);
      this.#last = kept;
      key = this.#operation.name === 'responses' ? 'delta' : field;
    });
    return visited === 1 ? Buffer.from(`"${key}"`) : undefined;
  }

  #keep(kept: Kept, buffer: Buffer, start: number, end: number): void {
    // Once there was no room, nothing more is kept: what follows would be joined to what it does not belong to.
    this.#full ||= this.kept + end - start > STREAM_TEXT_MAX || !kept.add(buffer, start, end, this.#room);
    if (this.#full) this.beyond += end - start;
    else this.kept += end - start;
  }
}

const BEGINS: Partial<Record<Operation['name'], Buffer>> = {
  messages: Buffer.from('content_block_start'),
  responses: Buffer.from('.added"'),
};

function same(bytes: Buffer, at: number, wanted: Buffer): boolean {
  for (let k = 0; k < wanted.length; k++) if (bytes[at + k] !== wanted[k]) return false;
  return true;
}

/** The text whose characters these are, as they stand inside a JSON string. */
export function textOf(inside: Uint8Array): string {
  const text = Buffer.from(inside.buffer, inside.byteOffset, inside.byteLength).toString('utf8');
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    // Cut in mid-escape, or never JSON.
    return text;
  }
}

/** A JSON text that was cut short, closed so that it can be parsed; undefined where that cannot be done. */
export function closeJson(text: string): string | undefined {
  const open: string[] = [];
  let inside = false;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inside) {
      if (code === BACKSLASH) i += text.charCodeAt(i + 1) === 117 ? 5 : 1;
      else if (code === QUOTE) inside = false;
      else value = i;
    } else if (code === QUOTE) {
      inside = true;
      value = i;
    } else if (code === 123) open.push('}');
    else if (code === 91) open.push(']');
    else if (code === 125 || code === 93) open.pop();
  }
  // Elsewhere than in a string what is missing is not worth guessing at: generated text is long, what is around it short.
  if (!inside) return undefined;
  return `${text.slice(0, value + 1)}"${open.reverse().join('')}`;
}
