/**
 * A small HTTP/1.1 message reader for tests: an oracle of its own, so it shares nothing with src/http. It believes what
 * it is told and reports what is missing; judging strictness is the tests' business.
 */

/** A whole message as it came over the wire. */
export interface Message {
  /** Status line or request line, without CRLF. */
  startLine: string;
  /** Status of a response; 0 for a request. */
  status: number;
  /** Field lines in order, names as written. */
  fields: readonly (readonly [name: string, value: string])[];
  /** Values of a field (name in any case) joined by `, `; undefined when it is absent. */
  field(name: string): string | undefined;
  body: string;
  /** Lines of the trailer section, without CRLF. */
  trailers: readonly string[];
  /** Chunk sizes in order, without the last zero; empty when the body was not chunked. */
  chunks: readonly number[];
  /** 1xx responses that came before, as status and field lines. */
  interim: readonly { status: number; fields: readonly (readonly [string, string])[] }[];
  /** Every byte of it, as latin1. */
  raw: string;
}

/** What the reader has to know beforehand. */
export interface ReadOptions {
  /** The response answers a HEAD request: its length fields tell of a body that does not come. */
  head?: boolean;
  /** The connection has ended: a body without length ends here. */
  ended?: boolean;
}

interface Head {
  startLine: string;
  status: number;
  fields: [string, string][];
  length: number;
}

function parseHead(text: string): Head | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [startLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  return { startLine, status: Number(/^HTTP\/\d\.\d (\d{3})/.exec(startLine)?.[1] ?? 0), fields, length: end + 4 };
}

const fieldValue = (fields: readonly (readonly [string, string])[], name: string): string | undefined => {
  const values = fields.filter(([one]) => one.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  return values.length > 0 ? values.join(', ') : undefined;
};

/**
 * Takes one message off the front of `text` (latin1). Returns it, or undefined when more bytes are needed. Interim
 * responses are gathered into the final one; 101 is final.
 */
export function takeMessage(
  text: string,
  { head: isHead = false, ended = false }: ReadOptions = {},
): Message | undefined {
  const interim: { status: number; fields: [string, string][] }[] = [];
  let at = 0;
  let head: Head | undefined;
  for (;;) {
    head = parseHead(text.slice(at));
    if (!head) return undefined;
    at += head.length;
    if (head.status < 100 || head.status > 199 || head.status === 101) break;
    interim.push({ status: head.status, fields: head.fields });
  }
  const { startLine, status, fields } = head;
  const finish = (end: number, body: string, chunks: number[] = [], trailers: string[] = []): Message => ({
    startLine,
    status,
    fields,
    field: (name) => fieldValue(fields, name),
    body,
    trailers,
    chunks,
    interim,
    raw: text.slice(0, end),
  });
  const bodiless = isHead || status === 204 || status === 304 || status === 101;
  if (bodiless) return finish(at, '');
  if (/\bchunked\s*$/i.test(fieldValue(fields, 'transfer-encoding') ?? '')) return takeChunked(text, at, finish);
  const length = fieldValue(fields, 'content-length');
  if (length !== undefined) {
    const end = at + Number(length);
    return text.length >= end ? finish(end, text.slice(at, end)) : undefined;
  }
  if (status === 0) return finish(at, '');
  return ended ? finish(text.length, text.slice(at)) : undefined;
}

function takeChunked(
  text: string,
  start: number,
  finish: (end: number, body: string, chunks: number[], trailers: string[]) => Message,
): Message | undefined {
  let at = start;
  let body = '';
  const chunks: number[] = [];
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (Number.isNaN(size)) throw new Error(`no chunk size: ${JSON.stringify(text.slice(at, lineEnd))}`);
    at = lineEnd + 2;
    if (size === 0) break;
    if (text.length < at + size + 2) return undefined;
    if (text.slice(at + size, at + size + 2) !== '\r\n') throw new Error(`no CRLF after a chunk of ${size} bytes`);
    body += text.slice(at, at + size);
    chunks.push(size);
    at += size + 2;
  }
  const trailers: string[] = [];
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const line = text.slice(at, lineEnd);
    at = lineEnd + 2;
    if (line === '') return finish(at, body, chunks, trailers);
    trailers.push(line);
  }
}
