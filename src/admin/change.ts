/** Requests that change something: who may send them, and what their body says. */
import type { IncomingMessage } from 'node:http';
import type { Changed } from './handle.ts';

/** Bytes of a body. */
const MAX_BODY = 65_536;

/**
 * Why a request must not change anything; undefined when it may. A web page that a visitor's browser shows can send
 * requests to this machine's ports, but not with this media type, and not without saying where it comes from.
 */
export function refusal(request: IncomingMessage): { status: number; code: string; message: string } | undefined {
  const { origin, host, 'sec-fetch-site': site } = request.headers;
  if ((site !== undefined && site !== 'same-origin' && site !== 'none') || (origin && !origin.endsWith(`//${host}`))) {
    const message = 'Web pages of other sites may not change anything here.';
    return { status: 403, code: 'forbidden', message };
  }
  if (request.method === 'POST' && !/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    const message = 'Send a JSON document with Content-Type: application/json.';
    return { status: 415, code: 'unsupported_media_type', message };
  }
  return undefined;
}

/** The JSON document in the body. */
export async function readJson(request: IncomingMessage): Promise<Changed> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > MAX_BODY) return { ok: false, problems: [`the body is larger than ${MAX_BODY} bytes`] };
    pieces.push(piece);
  }
  try {
    return { ok: true, value: JSON.parse(Buffer.concat(pieces).toString('utf8')) };
  } catch (error) {
    return { ok: false, problems: [`the body is not JSON: ${(error as Error).message}`] };
  }
}
