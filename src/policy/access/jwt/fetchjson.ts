/** Fetches a small JSON document from an issuer: over TLS, from where it was asked for and nowhere else, bounded in size and time. */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { rootCertificates } from 'node:tls';
import type { Clock } from '../../../kernel/clock.ts';
import { isSafeUrl } from './config.ts';

/** Bytes of a document. */
const MOST = 256 * 1024;

/** How a document is fetched. */
export interface FetchOptions {
  /** Authority beside the public ones, as PEM. */
  ca?: string | undefined;
  timeoutMs: number;
}

/** Fetches and parses; rejects with a sentence that says why not. Redirects are not followed. */
export function fetchJson(clock: Clock, url: string, { ca, timeoutMs }: FetchOptions): Promise<unknown> {
  if (!isSafeUrl(url)) return Promise.reject(new Error(`${url} is no https URL`));
  return new Promise((done, fail) => {
    const secure = url.startsWith('https:');
    const options: RequestOptions & { ca?: string[] } = {
      headers: { accept: 'application/json, application/jwk-set+json', 'user-agent': 'gatehouse' },
      agent: false,
    };
    if (ca !== undefined) options.ca = [...rootCertificates, ca];
    const timer = clock.after(timeoutMs, () => end(`${url} has not answered within ${timeoutMs} ms`));
    const end = (problem: string) => {
      timer.cancel();
      request.destroy();
      fail(new Error(problem));
    };
    const request = (secure ? httpsRequest : httpRequest)(url, options, (response) =>
      read(response, url, end, (value) => {
        timer.cancel();
        done(value);
      }),
    );
    request.on('error', (error) => end(`${url} cannot be reached: ${error.message}`));
    request.end();
  });
}

function read(
  response: IncomingMessage,
  url: string,
  fail: (why: string) => void,
  done: (value: unknown) => void,
): void {
  const { statusCode = 0 } = response;
  if (statusCode >= 300 && statusCode < 400) {
    // Who can redirect it could bring keys of his own.
    fail(`${url} redirects (status ${statusCode}), which is not followed; write the address where the document is`);
    return;
  }
  if (statusCode !== 200) {
    fail(`${url} answers with status ${statusCode}`);
    return;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  response.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > MOST) fail(`${url} is larger than ${MOST} bytes`);
    else chunks.push(chunk);
  });
  response.on('error', (error) => fail(`${url} broke off: ${error.message}`));
  response.on('end', () => {
    try {
      done(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    } catch {
      fail(`${url} is no JSON`);
    }
  });
}
