/** About how many tokens the prompt of a request makes, from above: what is reserved too much comes back. */
import { stringEnd, weighText } from './weigh.ts';

const QUOTE = 34;

/** Tokens of an image, a sound or a file, whatever its size; what a kilobyte of one makes besides. */
export const MEDIA_TOKENS = 1200;
/** See above. */
export const MEDIA_TOKENS_PER_KB = 1;
/** What the template around the messages makes: roles, marks, a system prompt that the model brings along. */
const TEMPLATE_TOKENS = 8;
/** Added to every string, for the marks and the role around it. */
const STRING_TOKENS = 0.5;
/** A string longer than this is looked at in parts only. */
const LONG_BYTES = 32 * 1024;
const PART_BYTES = 4096;
const PARTS = 4;
/** Estimates from parts are raised by this much. */
const PARTS_MARGIN = 1.1;

/** What names them as `type` of a part of a message. */
export const MEDIA_PARTS = [
  'image_url',
  'input_image',
  'image',
  'input_audio',
  'input_file',
  'file',
  'document',
  'video_url',
] as const;
const MEDIA_TYPES = MEDIA_PARTS.map((name) => Buffer.from(name));
const DATA_URL = Buffer.from('data:');
const DATA = Buffer.from('data');

/**
 * About the tokens of a JSON request's prompt. Strings are weighed with the keys and marks around them; an image, a sound or
 * a file counts by a rule of thumb; numbers count one each (prompts may be given as token ids). Bounded work: of a long
 * string only parts are looked at.
 */
export function promptTokens(body: Buffer): number {
  let tokens = TEMPLATE_TOKENS;
  let number = false;
  /** The last key was `data`, whose value is base64 on Anthropic's API and in OpenAI's input_audio. */
  let data = false;
  for (let i = 0; i < body.length; ) {
    const byte = body[i++] as number;
    if (byte !== QUOTE) {
      const digit = byte >= 48 && byte <= 57;
      if (digit && !number) tokens++;
      number = digit || (number && (byte === 46 || byte === 101));
      continue;
    }
    number = false;
    const from = i;
    const to = endOf(body, from);
    i = to + 1;
    const isKey = body[i] === 58 || (body[i] === 32 && body[i + 1] === 58);
    if (!isKey && (data || startsWith(body, from, to, DATA_URL)) && to - from > 64) {
      tokens += ((to - from) / 1024) * MEDIA_TOKENS_PER_KB;
    } else {
      tokens += STRING_TOKENS + weigh(body, from, to);
      if (!isKey && isMedia(body, from, to)) tokens += MEDIA_TOKENS;
    }
    data = isKey && to - from === 4 && startsWith(body, from, to, DATA);
  }
  return Math.ceil(tokens);
}

function weigh(body: Buffer, from: number, to: number): number {
  const length = to - from;
  if (length <= LONG_BYTES) return weighText(body, from, to);
  let seen = 0;
  for (let part = 0; part < PARTS; part++) {
    const at = from + Math.floor(((length - PART_BYTES) * part) / (PARTS - 1));
    seen += weighText(body, at, at + PART_BYTES);
  }
  return (seen / (PARTS * PART_BYTES)) * length * PARTS_MARGIN;
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

function startsWith(body: Buffer, from: number, to: number, word: Buffer): boolean {
  if (to - from < word.length) return false;
  for (let k = 0; k < word.length; k++) if (body[from + k] !== word[k]) return false;
  return true;
}

function isMedia(body: Buffer, from: number, to: number): boolean {
  if (to - from > 12) return false;
  for (const type of MEDIA_TYPES) if (type.length === to - from && startsWith(body, from, to, type)) return true;
  return false;
}
