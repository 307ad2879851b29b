/**
 * Finds in the bytes of a JSON request what Gatehouse acts on, without parsing the rest. What passes is read alike by
 * every parser behind us: where two parsers could see different models, the request is refused (known differentials:
 * repeated keys; keys that differ in case, which Go's encoding/json takes as equal; NUL or a lone surrogate in a key,
 * at which some parsers cut it; comments; invalid UTF-8).
 */
import { isUtf8 } from 'node:buffer';
import { GatehouseError } from '../kernel/error.ts';
import { JsonCursor } from './json.ts';
import { BAD_KEY, KeySet, NO_KEY } from './keys.ts';
import { decode, hasControl, readNumber } from './text.ts';

const QUOTE = 34;

/** What is wrong with a request body; `message` names it and the byte, for the client to read. */
export class PeekFault {
  readonly message: string;
  /** Offset in the body, in bytes. */
  readonly at: number;
  /** Top-level key at fault, where it is one of those we act on. */
  readonly param: string | undefined;

  constructor(what: string, at: number, param?: string) {
    this.message = `The request body is not JSON that can be routed safely: ${what} (byte ${at}).`;
    this.at = at;
    this.param = param;
  }

  /** The refusal to answer with. */
  error(): GatehouseError {
    return new GatehouseError(
      'invalid_body',
      this.message,
      this.param === undefined ? undefined : { param: this.param },
    );
  }
}

/** What was found. Offsets are byte positions in the body, -1 where the key is absent. */
export class RequestPeek {
  /** Decoded `model`; undefined when absent or null. */
  model: string | undefined = undefined;
  /** The JSON token of `model`, quotes included. */
  modelStart = -1;
  modelEnd = -1;
  /** `stream` is true. */
  stream = false;
  /** The value of `stream_options`: an object or null. */
  streamOptionsStart = -1;
  streamOptionsEnd = -1;
  /** `stream_options.include_usage` is true. */
  includeUsage = false;
  /** The value of `include_usage` inside `stream_options`. */
  includeUsageStart = -1;
  includeUsageEnd = -1;
  /** Decoded `user`; undefined when absent or not a string. */
  user: string | undefined = undefined;
  /** Largest of the bounds below; undefined when none is given. */
  maxTokens: number | undefined = undefined;
  /** Each of them; NaN where it is not given. */
  maxTokensGiven = Number.NaN;
  maxCompletionTokens = Number.NaN;
  maxOutputTokens = Number.NaN;
  /** `n_predict`, which llama.cpp prefers to the others. */
  predict = Number.NaN;
  /** One of them is below 1. */
  weakBound = false;
  /** How many answers are asked for: the larger of `n` and `best_of`; 1 when neither is given. */
  choices = 1;
  /** `background` is true: the answer is made after the response. */
  background = false;
  /** Just behind the opening brace of the top-level object. */
  objectStart = -1;
  /** The top-level object has no member. */
  empty = true;
}

/** The keys we act on; the order gives their numbers. */
const KEYS = new KeySet([
  'model',
  'stream',
  'stream_options',
  'user',
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'n_predict',
  'n',
  'best_of',
  'background',
]);
const MODEL = 0;
const STREAM = 1;
const STREAM_OPTIONS = 2;
const USER = 3;
const MAX_TOKENS = 4;
const MAX_COMPLETION_TOKENS = 5;
const MAX_OUTPUT_TOKENS = 6;
const N = 8;
const BACKGROUND = 10;
const OPTIONS = new KeySet(['include_usage']);

/**
 * Reads the body of one request. Returns a `PeekFault` for anything that is not one JSON object in UTF-8, and for repeated
 * or disguised keys among those we act on. Never throws.
 */
export function peekRequest(body: Buffer): RequestPeek | PeekFault {
  if (!isUtf8(body)) return new PeekFault('it holds bytes that are not UTF-8', 0);
  const cursor = new JsonCursor(body, 0);
  const peek = new RequestPeek();
  if (cursor.peek() !== 123) return wrong(cursor, cursor.unexpected('{'));
  peek.objectStart = ++cursor.at;
  let seen = 0;
  if (cursor.peek() === 125) {
    cursor.at++;
  } else {
    peek.empty = false;
    for (;;) {
      if (cursor.peek() !== QUOTE) return wrong(cursor, cursor.unexpected('a key in double quotes'));
      const keyStart = cursor.at;
      const key = KEYS.read(cursor);
      if (key === BAD_KEY) return new PeekFault(cursor.fault, cursor.faultAt);
      if (cursor.peek() !== 58) return wrong(cursor, cursor.unexpected(':'));
      cursor.at++;
      const first = cursor.peek();
      const start = cursor.at;
      if (key === STREAM_OPTIONS && first === 123) {
        const fault = streamOptions(cursor, peek);
        if (fault !== undefined) return fault;
      } else if (!cursor.value()) {
        return wrong(cursor, false);
      }
      if (key !== NO_KEY) {
        const name = KEYS.names[key] as string;
        if ((seen & (1 << key)) !== 0) {
          return new PeekFault(`"${name}" is given twice; which one counts would be a guess`, keyStart, name);
        }
        seen |= 1 << key;
        const fault = take(body, peek, key, name, first, start, cursor.at);
        if (fault !== undefined) return fault;
      }
      const next = cursor.peek();
      cursor.at++;
      if (next === 125) break;
      if (next !== 44) {
        cursor.at--;
        return wrong(cursor, cursor.unexpected(', or }'));
      }
    }
  }
  if (cursor.peek() !== -1) return wrong(cursor, cursor.unexpected('the end of the text'));
  return peek;
}

function wrong(cursor: JsonCursor, _failed: false): PeekFault {
  return new PeekFault(cursor.fault, cursor.faultAt);
}

/** Stores the value [start, end) of one of our keys; a fault where it is of a kind that servers would read differently. */
function take(
  body: Buffer,
  peek: RequestPeek,
  key: number,
  name: string,
  first: number,
  start: number,
  end: number,
): PeekFault | undefined {
  if (key === MODEL) {
    peek.modelStart = start;
    peek.modelEnd = end;
    if (first === 110) return undefined;
    if (first !== QUOTE) return new PeekFault('"model" must be a string', start, name);
    const model = decode(body, start, end);
    if (model === undefined)
      return new PeekFault('"model" holds half of a surrogate pair or a raw control character', start, name);
    if (hasControl(model)) return new PeekFault('"model" holds a control character', start, name);
    peek.model = model;
  } else if (key === STREAM) {
    // Some servers would take 1 or "true" for true, others refuse.
    if (first !== 116 && first !== 102 && first !== 110) {
      return new PeekFault('"stream" must be true or false', start, name);
    }
    peek.stream = first === 116;
  } else if (key === STREAM_OPTIONS) {
    peek.streamOptionsStart = start;
    peek.streamOptionsEnd = end;
    if (first !== 123 && first !== 110) return new PeekFault('"stream_options" must be an object', start, name);
  } else if (key === USER) {
    if (first === QUOTE) peek.user = decode(body, start, end);
  } else if (key === BACKGROUND) {
    // Whatever a server may take for true.
    peek.background = first !== 102 && first !== 110;
  } else if (key >= N) {
    // Some servers take "5" for 5; what is no number they refuse.
    const count = first === QUOTE ? Number(decode(body, start, end)) : readNumber(body, start, end);
    if (Number.isFinite(count)) peek.choices = Math.max(peek.choices, count);
  } else if (first !== 110) {
    const count = first === 45 || (first >= 48 && first <= 57) ? readNumber(body, start, end) : Number.NaN;
    if (!Number.isFinite(count)) return new PeekFault(`"${name}" must be a number`, start, name);
    // To some servers 0 says that there is no bound, too: `a or b` passes over it.
    if (count < 1) peek.weakBound = true;
    // To some servers -1 says that there is no bound; to all others it is a mistake.
    if (count < 0) return undefined;
    if (peek.maxTokens === undefined || count > peek.maxTokens) peek.maxTokens = count;
    if (key === MAX_TOKENS) peek.maxTokensGiven = count;
    else if (key === MAX_COMPLETION_TOKENS) peek.maxCompletionTokens = count;
    else if (key === MAX_OUTPUT_TOKENS) peek.maxOutputTokens = count;
    else peek.predict = count;
  }
  return undefined;
}

/** Walks `stream_options`; the cursor is on its brace. */
function streamOptions(cursor: JsonCursor, peek: RequestPeek): PeekFault | undefined {
  cursor.at++;
  if (cursor.peek() === 125) {
    cursor.at++;
    return undefined;
  }
  for (;;) {
    if (cursor.peek() !== QUOTE) return wrong(cursor, cursor.unexpected('a key in double quotes'));
    const keyStart = cursor.at;
    const key = OPTIONS.read(cursor);
    if (key === BAD_KEY) return new PeekFault(cursor.fault, cursor.faultAt);
    if (cursor.peek() !== 58) return wrong(cursor, cursor.unexpected(':'));
    cursor.at++;
    const first = cursor.peek();
    const start = cursor.at;
    if (!cursor.value()) return wrong(cursor, false);
    if (key === 0) {
      if (peek.includeUsageStart >= 0) {
        return new PeekFault('"include_usage" is given twice', keyStart, 'stream_options');
      }
      if (first !== 116 && first !== 102 && first !== 110) {
        return new PeekFault('"include_usage" must be true or false', start, 'stream_options');
      }
      peek.includeUsage = first === 116;
      peek.includeUsageStart = start;
      peek.includeUsageEnd = cursor.at;
    }
    const next = cursor.peek();
    if (next !== 125 && next !== 44) return wrong(cursor, cursor.unexpected(', or }'));
    cursor.at++;
    if (next === 125) return undefined;
  }
}
