/** Requests that change something: who may send them, and what their body says. */
import type { IncomingMessage } from 'node:http';

/** Bytes of a body. A certificate with its chain fits. */
const MAX_BODY = 524_288;

/** Whether a web page of another site sent it: a visitor's browser reaches the ports of this machine, too. */
export function isForeign({ headers: { origin, host, 'sec-fetch-site': site } }: IncomingMessage): boolean {
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  // https: where something before us ends TLS.
  return origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;
}

/** A document, or why there is none. */
export type ReadJson = { ok: true; value: unknown } | { ok: false; problems: readonly string[]; tooLarge: boolean };

/** The JSON document in the body. */
export async function readJson(request: IncomingMessage): Promise<ReadJson> {
  const pieces: Buffer[] = [];
  let length = 0;
  // Not destroyed on return: whoever sent too much gets an answer.
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > MAX_BODY)
      return { ok: false, problems: [`the body is larger than ${MAX_BODY} bytes`], tooLarge: true };
    pieces.push(piece);
  }
  let reserved = false;
  let value: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces));
    value = JSON.parse(text, (name, one) => {
      reserved ||= name === '__proto__';
      return one;
    });
  } catch (error) {
    return { ok: false, problems: [`the body is not JSON: ${(error as Error).message}`], tooLarge: false };
  }
  // Whoever copies the document would lose it without a word.
  if (reserved) return { ok: false, problems: ['nothing can be called __proto__'], tooLarge: false };
  return { ok: true, value };
}
