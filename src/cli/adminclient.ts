/** Asks the admin API of a running gateway. */
import { request } from 'node:http';
import type { Command } from 'commander';

/** Where the admin API is when nobody says otherwise; the default of `admin.address`. */
const USUAL = 'http://127.0.0.1:9901';
/** How long an answer may take (milliseconds): an upgrade starts a program. */
const PATIENCE_MS = 90_000;

/** Adds `--admin` to a command. */
export function withAdmin(command: Command): Command {
  return command.option('--admin <url>', 'admin address of the gateway: http://HOST:PORT or unix:/path', USUAL);
}

/** An answer of the admin API. */
export interface AdminAnswer {
  status: number;
  /** The JSON document. */
  value: unknown;
}

/** Sends a request. Throws an `Error` for operators when nobody answers, or when it is refused with a reason. */
export async function askAdmin(admin: string, method: string, path: string, document?: unknown): Promise<AdminAnswer> {
  const answer = await send(admin, method, path, document === undefined ? '' : JSON.stringify(document));
  // 409: asked for and refused, with the problems in the document.
  if (answer.status < 300 || answer.status === 409) return answer;
  const reason = (answer.value as { error?: { message?: string } } | undefined)?.error?.message;
  throw new Error(reason ?? `${admin} answered ${answer.status}`);
}

function send(admin: string, method: string, path: string, body: string): Promise<AdminAnswer> {
  const unix = admin.startsWith('unix:');
  const base = unix ? 'http://localhost' : /^https?:/.test(admin) ? admin : `http://${admin}`;
  if (!URL.canParse(path, base)) throw new Error(`--admin ${admin}: expected http://HOST:PORT or unix:/path`);
  return new Promise((resolve, reject) => {
    const headers =
      body === '' ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const options = { method, headers, timeout: PATIENCE_MS, ...(unix ? { socketPath: admin.slice(5) } : {}) };
    const asking = request(new URL(path, base), options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('error', reject);
      response.on('end', () => {
        try {
          resolve({ status: response.statusCode ?? 0, value: JSON.parse(text) });
        } catch {
          reject(new Error(`${admin} is no admin API of a gateway: its answer is not JSON`));
        }
      });
    });
    asking.on('timeout', () => asking.destroy(new Error('no answer within 90 s')));
    asking.on('error', (error: NodeJS.ErrnoException) => {
      const why = error.code ?? error.message;
      reject(new Error(`cannot reach the admin API at ${admin} (${why}); is the gateway running? --admin says where`));
    });
    asking.end(body);
  });
}
