/** One HTTPS request to a certification authority, bounded in time and bytes. */
import https from 'node:https';
import type { Clock } from '../kernel/clock.ts';

/** What came back. */
export interface Reply {
  status: number;
  headers: Readonly<Record<string, string | undefined>>;
  body: Buffer;
}

/** Sends a request; rejects with an `Error` that says what failed. */
export type Send = (method: 'GET' | 'HEAD' | 'POST', url: string, body?: string, type?: string) => Promise<Reply>;

const PATIENCE_MS = 30_000;
const MAX_BYTES = 1024 * 1024;

/** A sender for an authority whose own certificate is of `ca` (PEM), or of the system's authorities. */
export function sender(clock: Clock, ca: string | undefined, agent: string): Send {
  return (method, url, body, type = 'application/jose+json') =>
    new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        timer.cancel();
        request.destroy();
        reject(new Error(`${new URL(url).host}: ${error.message}`));
      };
      const headers = { 'User-Agent': agent, ...(body !== undefined && { 'Content-Type': type }) };
      const request = https.request(url, { method, headers, ...(ca !== undefined && { ca }) }, (response) => {
        const parts: Buffer[] = [];
        let size = 0;
        response.on('data', (part: Buffer) => {
          size += part.length;
          if (size > MAX_BYTES) fail(new Error('its answer is too long'));
          else parts.push(part);
        });
        response.on('error', fail);
        response.on('end', () => {
          timer.cancel();
          const { statusCode: status = 0 } = response;
          resolve({ status, headers: response.headers as Reply['headers'], body: Buffer.concat(parts) });
        });
      });
      const timer = clock.after(PATIENCE_MS, () => fail(new Error(`no answer in ${PATIENCE_MS / 1000} s`)));
      request.on('error', fail);
      request.end(body);
    });
}
