/** About how many tokens the prompt of a request makes, from above: what is reserved too much comes back. */
import { dataUrlKind, isBase64, kindOf, MEDIA_PARTS, MEDIA_TOKENS, type MediaKind, mediaTokens } from './media.ts';
import {
  AUDIO_DATA,
  DATA_URL,
  ITEMS,
  MEDIA_TYPE,
  PART_TYPE,
  placeBehind,
  ROOT,
  SOURCE,
  SOURCE_DATA,
  SOURCE_TYPE,
  TEXT,
  URL_PART,
  unescaped,
} from './place.ts';
import { windowStart } from './sample.ts';
import { stringEnd, weighText } from './weigh.ts';

const QUOTE = 34;

/** What the template around the messages makes: roles, marks, a system prompt that the model brings along. */
const TEMPLATE_TOKENS = 8;
/** Added to every string, for the marks and the role around it. */
const STRING_TOKENS = 0.5;
/** Of a string longer than this so many windows are looked at, somewhere. */
const LONG_BYTES = 32 * 1024;
const PARTS = 64;
const PART_BYTES = 512;
/** Such estimates are raised by this much, and by so many times what they are likely to be wrong by. */
const PARTS_MARGIN = 1.1;
const DEVIATIONS = 2;

/** No request has a prompt in deeper places; what is deeper is text. */
const DEPTH = 64;
/** A part says that it is one of the media; one has been counted in it. */
const TYPED = 1;
const COUNTED = 2;
/** A source says that it is base64; it says something else, or two things. */
const BASE64 = 4;
const DOUBTFUL = 8;
const TYPE_MAX = 128;

/** 1: a name of a medium begins so, or an escape that may stand for it. */
const FIRST = new Uint8Array(256);
for (const name of [...MEDIA_PARTS, '\\']) FIRST[name.charCodeAt(0)] = 1;
const MEDIA_TYPES: ReadonlySet<string | undefined> = new Set(MEDIA_PARTS);

/**
 * About the tokens of a JSON request's prompt. Strings are weighed with the keys and marks around them; an image, a sound or
 * a file counts by a rule of thumb, where it stands in a place of theirs and is nothing else; numbers count one each (prompts
 * may be given as token ids). Bounded work for each string.
 */
export function promptTokens(body: Buffer): number {
  return Math.ceil(new PromptWalk(body).tokens());
}

class PromptWalk {
  readonly #body: Buffer;
  /** Of the containers around: where they stand, and what is known of them. */
  readonly #places = new Uint8Array(DEPTH);
  readonly #flags = new Uint8Array(DEPTH);
  /** Containers that are open. */
  #depth = 0;
  /** Of the innermost one; and of the value that comes next. */
  #inside = TEXT;
  #coming = ROOT;
  /** What the innermost source holds, and of what kind it says it is. */
  #dataFrom = -1;
  #dataTo = -1;
  #kind: MediaKind | undefined = undefined;

  constructor(body: Buffer) {
    this.#body = body;
  }

  tokens(): number {
    const body = this.#body;
    let tokens = TEMPLATE_TOKENS;
    let number = false;
    for (let i = 0; i < body.length; ) {
      const byte = body[i++] as number;
      if (byte !== QUOTE) {
        const digit = byte >= 48 && byte <= 57;
        if (digit && !number) tokens++;
        number = digit || (number && (byte === 46 || byte === 101));
        if (byte === 123 || byte === 91) tokens += this.#open(byte === 91);
        else if (byte === 125 || byte === 93) tokens += this.#close();
        continue;
      }
      number = false;
      const from = i;
      const to = endOf(body, from);
      i = to + 1;
      let next = i;
      while (body[next] === 32 || body[next] === 10 || body[next] === 13 || body[next] === 9) next++;
      if (body[next] === 58) {
        tokens += STRING_TOKENS + weigh(body, from, to);
        this.#coming = placeBehind(this.#inside, body, from, to);
      } else tokens += this.#coming === TEXT ? STRING_TOKENS + weigh(body, from, to) : this.#value(from, to);
    }
    while (this.#depth > 0) tokens += this.#close();
    return tokens;
  }

  /** Begins a container. What a source holds that has another one in it is text. */
  #open(list: boolean): number {
    const depth = this.#depth++;
    let tokens = 0;
    this.#inside = depth < DEPTH ? this.#coming : TEXT;
    if (depth < DEPTH) {
      this.#places[depth] = this.#inside;
      this.#flags[depth] = 0;
    }
    if (this.#inside === SOURCE) {
      if (this.#dataFrom >= 0) tokens = STRING_TOKENS + weigh(this.#body, this.#dataFrom, this.#dataTo);
      this.#dataFrom = -1;
      this.#kind = undefined;
    }
    // What stands in a list stands where the list does.
    this.#coming = list ? this.#inside : TEXT;
    return tokens;
  }

  /** What the container that ends here makes beside its strings. */
  #close(): number {
    if (this.#depth === 0) return 0;
    const depth = --this.#depth;
    const place = this.#inside;
    const flags = depth < DEPTH ? (this.#flags[depth] as number) : 0;
    this.#inside = depth > 0 && depth <= DEPTH ? (this.#places[depth - 1] as number) : TEXT;
    this.#coming = this.#inside;
    if (place === SOURCE && this.#dataFrom >= 0) return this.#source(flags);
    return place === ITEMS && (flags & (TYPED | COUNTED)) === TYPED ? MEDIA_TOKENS : 0;
  }

  /** The data of the source that ends here, when all is known about it. */
  #source(flags: number): number {
    const [from, to] = [this.#dataFrom, this.#dataTo];
    this.#dataFrom = -1;
    const part = this.#depth - 1;
    const media = (flags & (BASE64 | DOUBTFUL)) === BASE64 ? this.#kind : undefined;
    const counts = media !== undefined && isBase64(this.#body, from, to);
    // What says that it is text is not an image besides.
    if (counts || (flags & BASE64) === 0) this.#mark(part, COUNTED);
    return counts ? mediaTokens(media, to - from) : STRING_TOKENS + weigh(this.#body, from, to);
  }

  /** A string where media may stand, or what tells of them. */
  #value(from: number, to: number): number {
    const body = this.#body;
    const place = this.#coming;
    if (place === SOURCE_DATA) {
      // One is looked at when all is known about it; of two, nobody knows which the server takes.
      if (this.#dataFrom < 0) {
        this.#dataFrom = from;
        this.#dataTo = to;
        return 0;
      }
      this.#mark(this.#depth - 1, DOUBTFUL);
    } else if (place === DATA_URL || place === URL_PART || place === AUDIO_DATA) {
      // Its part is the object that it stands in, or the one around that.
      const part = this.#inside === ITEMS ? this.#depth - 1 : this.#depth - 2;
      this.#mark(part, COUNTED);
      const media = place !== AUDIO_DATA ? dataUrlKind(body, from, to) : isBase64(body, from, to) ? 'audio' : undefined;
      return media === undefined ? MEDIA_TOKENS + STRING_TOKENS + weigh(body, from, to) : mediaTokens(media, to - from);
    } else if (place === PART_TYPE && FIRST[body[from] as number] === 0) {
      // Some other kind of part, such as text.
    } else if (to - from <= TYPE_MAX) this.#told(place, unescaped(body, from, to));
    else if (this.#inside === SOURCE) this.#mark(this.#depth - 1, DOUBTFUL);
    return STRING_TOKENS + weigh(body, from, to);
  }

  /** What a part or a source says of itself. */
  #told(place: number, text: string | undefined): void {
    const own = this.#depth - 1;
    if (place === PART_TYPE) {
      if (MEDIA_TYPES.has(text)) this.#mark(own, TYPED);
    } else if (place === SOURCE_TYPE) this.#mark(own, text === 'base64' ? BASE64 : DOUBTFUL);
    else if (place === MEDIA_TYPE) {
      const kind = kindOf(text ?? '');
      if (kind === undefined || (this.#kind !== undefined && this.#kind !== kind)) this.#mark(own, DOUBTFUL);
      this.#kind = kind;
    }
  }

  #mark(depth: number, flag: number): void {
    if (depth >= 0 && depth < DEPTH) this.#flags[depth] = (this.#flags[depth] as number) | flag;
  }
}

function weigh(body: Buffer, from: number, to: number): number {
  const length = to - from;
  if (length <= LONG_BYTES) return weighText(body, from, to);
  let sum = 0;
  let squares = 0;
  for (let part = 0; part < PARTS; part++) {
    const at = windowStart(length, part, PARTS);
    const over = at + PART_BYTES - length;
    let seen = weighText(body, from + at, from + Math.min(length, at + PART_BYTES));
    if (over > 0) seen += weighText(body, from, from + over);
    sum += seen;
    squares += seen * seen;
  }
  const mean = sum / PARTS;
  const deviation = Math.sqrt(Math.max(0, squares / PARTS - mean * mean) / PARTS);
  return ((mean + DEVIATIONS * deviation) / PART_BYTES) * length * PARTS_MARGIN;
}

/** A short string's end is found by a loop, a long one's by native search. */
function endOf(body: Buffer, from: number): number {
  const near = Math.min(body.length, from + 256);
  const close = stringEnd(body, from, near);
  if (close < near) return close;
  let at = from;
  for (;;) {
    at = body.indexOf(QUOTE, at);
    if (at < 0) return body.length;
    let slashes = 0;
    while (at - slashes - 1 >= from && body[at - slashes - 1] === 92) slashes++;
    if (slashes % 2 === 0) return at;
    at++;
  }
}
