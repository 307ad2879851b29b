/** The data of one event, parsed. */
import { dataLines } from '../http/sse.ts';
import { record } from './value.ts';

/** The JSON object in the `data` lines of an event; undefined when there is none. */
export function eventJson(bytes: Buffer, start: number, end: number): Record<string, unknown> | undefined {
  const lines = dataLines(bytes, start, end);
  let text = '';
  for (let k = 0; k < lines.length; k += 2)
    text += `${k === 0 ? '' : '\n'}${bytes.toString('utf8', lines[k], lines[k + 1])}`;
  if (!text.startsWith('{')) return undefined;
  try {
    return record(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Whether the bytes of an event hold this ASCII word. */
export function mentions(bytes: Buffer, start: number, end: number, word: Buffer): boolean {
  return behind(bytes, start, end, word) >= 0;
}

/** Position behind this ASCII word, or -1. */
export function behind(bytes: Buffer, start: number, end: number, word: Buffer): number {
  const first = word[0] as number;
  const last = end - word.length;
  for (let i = start; i <= last; i++) {
    if (bytes[i] !== first) continue;
    let k = 1;
    while (k < word.length && bytes[i + k] === word[k]) k++;
    if (k === word.length) return i + k;
  }
  return -1;
}
