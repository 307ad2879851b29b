/** Requests that change something: who may send them, and what their body says. */
import type { IncomingMessage } from 'node:http';
import type { Changed } from './handle.ts';

/** Bytes of a body. */
const MAX_BODY = 65_536;

/** Whether a web page of another site sent it: a visitor's browser reaches the ports of this machine, too. */
export function isForeign({ headers: { origin, host, 'sec-fetch-site': site } }: IncomingMessage): boolean {
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  return origin !== undefined && origin !== `http://${host}`;
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
