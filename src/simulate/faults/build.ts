/** Words in which the table of faults is written. */
import type { After, Fault, RawBody, Verdict } from '../fault.ts';

/** A setting that the server reads by name while it answers. */
export function knob(name: string, value: string, fallback: string, verdict: Verdict, doc: string): Fault {
  return { name, value, fallback, verdict, doc, raw: undefined, after: 'open', pace: 'once' };
}

/** Bytes that stand in place of the answer. */
export function raw(
  name: string,
  verdict: Verdict,
  after: After,
  doc: string,
  bytes: (body: RawBody) => string,
): Fault {
  return { name, value: '', fallback: '', verdict, doc, raw: bytes, after, pace: 'once' };
}

/** The status line of a good answer. */
export const OK = 'HTTP/1.1 200 OK\r\n';

/** A head with `fields` (lines with CRLF). */
export const head = (b: RawBody, fields: string, status = OK): string =>
  `${status}Content-Type: ${b.type}\r\n${fields}\r\n`;
/** The right Content-Length line. */
export const length = (b: RawBody): string => `Content-Length: ${b.text.length}\r\n`;
/** The line that announces chunks. */
export const CHUNKED = 'Transfer-Encoding: chunked\r\n';
/** The line that announces the end of the connection. */
export const CLOSE = 'Connection: close\r\n';
/** The last chunk, without trailers. */
export const LAST = '0\r\n\r\n';
/** One chunk; `extension` starts with `;`. */
export const chunk = (text: string, extension = ''): string => `${text.length.toString(16)}${extension}\r\n${text}\r\n`;
/** Where to cut a body in two, in bytes. */
export const half = (b: RawBody): number => Math.ceil(b.text.length / 2);
/** The body in two chunks, without the last one. */
export const chunks = (b: RawBody, extension = ''): string =>
  chunk(b.text.slice(0, half(b)), extension) + chunk(b.text.slice(half(b)), extension);
/** A right answer but for one more field line. */
export const odd = (line: string) => (b: RawBody) => head(b, line + length(b)) + b.text;
/** A right answer but for its status line. */
export const status = (line: string) => (b: RawBody) => head(b, length(b), line) + b.text;
/** A right answer but for its length field(s). */
export const lengths = (lines: (size: number) => string) => (b: RawBody) => head(b, lines(b.text.length)) + b.text;
/** A chunked answer but for what `body` does. */
export const coded = (body: (b: RawBody) => string) => (b: RawBody) => head(b, CHUNKED) + body(b);
