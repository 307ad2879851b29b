/**
 * Images, sounds and files in requests: what is taken for one, and about how many tokens it makes. Only what stands where a server
 * decodes it, is said to be one, and has letters of base64 only; all else is text, whatever it looks like.
 */
import { randomBelow } from './sample.ts';

/** What names them as `type` of a part of a message. */
export const MEDIA_PARTS = [
  'image_url',
  'input_image',
  'image',
  'input_audio',
  'audio_url',
  'input_file',
  'file',
  'document',
  'video_url',
  'video',
] as const;
/** Tokens of any of them, however small; of one that the server fetches too. */
export const MEDIA_TOKENS = 1200;

/** How its size tells of its tokens. */
export type MediaKind = 'image' | 'audio' | 'video' | 'file';

/**
 * Tokens of a kilobyte of base64. An image's size says little. Sounds make 10 to 32 tokens a second, of 4 to 64 KB. A film makes
 * some hundred a second; a PDF has a page of text in a few kilobytes, and each page counts as an image besides.
 */
const PER_KILOBYTE: Record<MediaKind, number> = { image: 1, audio: 4, video: 8, file: 64 };

/** About the tokens of one with so many bytes of base64. */
export function mediaTokens(kind: MediaKind, bytes: number): number {
  return MEDIA_TOKENS + (bytes / 1024) * PER_KILOBYTE[kind];
}

/** The kind by a media type; undefined: it is text to the server, or nobody knows. */
export function kindOf(mediaType: string): MediaKind | undefined {
  const [, top, sub] = /^(image|audio|video|application)\/([\w.+-]+)$/.exec(mediaType.toLowerCase()) ?? [];
  if (top === undefined || sub === undefined || /xml|json|text|script|html|yaml|csv/.test(sub)) return undefined;
  return top === 'application' ? 'file' : (top as MediaKind);
}

/** `data:image/png;base64,` and the like, slashes escaped or not. */
const DATA_URL = /^data:([\w.+-]+\\?\/[\w.+-]+)(?:;[\w.+=-]+)*;base64,/;
const HEADER_MAX = 128;

/** The kind of a data URL in [from, to), which is base64 all over as far as it is looked at; undefined: it is none. */
export function dataUrlKind(bytes: Buffer, from: number, to: number): MediaKind | undefined {
  const [header, type] = DATA_URL.exec(bytes.toString('latin1', from, Math.min(to, from + HEADER_MAX))) ?? [];
  if (header === undefined || type === undefined) return undefined;
  const kind = kindOf(type.replace('\\', ''));
  return kind !== undefined && isBase64(bytes, from + header.length, to) ? kind : undefined;
}

const BACKSLASH = 92;
/** 1: a letter of base64, in either alphabet. */
const LETTERS = new Uint8Array(256);
for (const c of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_')) LETTERS[c] = 1;
/** What JSON writers escape in base64: slashes, line ends, and `+`, `/` and `=` as code points. */
const ESCAPE = /^\\(?:[/nr]|u00(?:2[bBfF]|3[dD]))/;

/** More than this is looked at in parts: the beginning, the end, and places that nobody knows. */
const WHOLE_BYTES = 16 * 1024;
const PARTS = 64;
const PART_BYTES = 128;

/** Whether all characters of the JSON string in [from, to) are letters of base64, as far as it is looked at. */
export function isBase64(bytes: Buffer, from: number, to: number): boolean {
  const length = to - from;
  if (length <= WHOLE_BYTES) return length > 0 && areLetters(bytes, from, to, to);
  const rest = length - PART_BYTES;
  if (!areLetters(bytes, from, from + PART_BYTES, to) || !areLetters(bytes, from + rest, to, to)) return false;
  for (let part = 0; part < PARTS; part++) {
    const at = from + randomBelow(rest);
    if (!areLetters(bytes, at, at + PART_BYTES, to)) return false;
  }
  return true;
}

/** `end`: of the whole string; an escape may reach beyond `to`. */
function areLetters(bytes: Buffer, from: number, to: number, end: number): boolean {
  for (let i = from; i < to; i++) {
    if (LETTERS[bytes[i] as number] === 1) continue;
    if (bytes[i] !== BACKSLASH) return false;
    const escaped = ESCAPE.exec(bytes.toString('latin1', i, Math.min(end, i + 6)));
    if (escaped === null) return false;
    i += escaped[0].length - 1;
  }
  return true;
}
