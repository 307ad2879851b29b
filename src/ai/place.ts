/** Where in a request a value stands, as far as it matters for counting: media are what servers decode at certain places only. */

/** Somewhere whose values are text, whatever they look like: tools, arguments of calls, templates' variables. */
export const TEXT = 0;
/** The request itself. */
export const ROOT = 1;
/** A message, a list of them, a part of a message's content, or a list of parts. */
export const ITEMS = 2;
/** Documents to be ranked; in a conversation they are text in a template, and then they have no parts. */
export const DOCUMENTS = 3;
/** A data URL, or an object with one as `url`. */
export const URL_PART = 4;
/** An object with base64 as `data`. */
export const AUDIO_PART = 5;
/** An object with a data URL as `file_data`. */
export const FILE_PART = 6;
/** `source` of a part: what it holds is told by its `type` and `media_type`. */
export const SOURCE = 7;
/** A data URL. */
export const DATA_URL = 8;
/** Base64 of a sound. */
export const AUDIO_DATA = 9;
/** What a source holds. */
export const SOURCE_DATA = 10;
/** The type of a part. */
export const PART_TYPE = 11;
/** The type of a source. */
export const SOURCE_TYPE = 12;
/** The media type of what a source holds. */
export const MEDIA_TYPE = 13;

/** Key → the place that it leads to from another. */
const WAYS: readonly (readonly [key: string, from: number, to: number])[] = [
  ...['messages', 'input', 'query', 'queries', 'text_1', 'text_2'].map((key) => [key, ROOT, ITEMS] as const),
  ['documents', ROOT, DOCUMENTS],
  ['content', DOCUMENTS, ITEMS],
  ['content', ITEMS, ITEMS],
  ['output', ITEMS, ITEMS],
  ['type', ITEMS, PART_TYPE],
  ['image_url', ITEMS, URL_PART],
  ['audio_url', ITEMS, URL_PART],
  ['video_url', ITEMS, URL_PART],
  ['input_audio', ITEMS, AUDIO_PART],
  ['file', ITEMS, FILE_PART],
  ['file_data', ITEMS, DATA_URL],
  ['source', ITEMS, SOURCE],
  ['url', URL_PART, DATA_URL],
  ['data', AUDIO_PART, AUDIO_DATA],
  ['file_data', FILE_PART, DATA_URL],
  ['data', SOURCE, SOURCE_DATA],
  ['type', SOURCE, SOURCE_TYPE],
  ['media_type', SOURCE, MEDIA_TYPE],
  ['content', SOURCE, ITEMS],
];

const LENGTH_MAX = 12;
/** Longest spelling of such a key: each character as a code point. */
const ESCAPED_MAX = LENGTH_MAX * 6;
interface Way {
  readonly name: Buffer;
  readonly to: number;
}
/** The ways from a place by keys of a length, at `place * (LENGTH_MAX + 1) + length`. */
const BY_LENGTH: readonly (readonly Way[])[] = Array.from({ length: (MEDIA_TYPE + 1) * (LENGTH_MAX + 1) }, (_, at) =>
  WAYS.filter(([key, from]) => from * (LENGTH_MAX + 1) + key.length === at).map(([key, , to]) => ({
    name: Buffer.from(key),
    to,
  })),
);

/** Where the key in [start, end) leads to from `place`. */
export function placeBehind(place: number, bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  if (place === TEXT || length > ESCAPED_MAX) return TEXT;
  if (length <= LENGTH_MAX) {
    const ways = BY_LENGTH[place * (LENGTH_MAX + 1) + length] as readonly Way[];
    for (let n = 0; n < ways.length; n++) {
      const way = ways[n] as Way;
      if (equals(bytes, start, way.name)) return way.to;
    }
  }
  for (let i = start; i < end; i++) {
    if (bytes[i] !== 92) continue;
    const key = unescaped(bytes, start, end);
    return WAYS.find(([name, from]) => name === key && from === place)?.[2] ?? TEXT;
  }
  return TEXT;
}

/** The short string in [start, end); undefined for one that is none. */
export function unescaped(bytes: Buffer, start: number, end: number): string | undefined {
  const text = bytes.toString('utf8', start, end);
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return undefined;
  }
}

function equals(bytes: Buffer, start: number, word: Buffer): boolean {
  for (let k = 0; k < word.length; k++) if (bytes[start + k] !== word[k]) return false;
  return true;
}
