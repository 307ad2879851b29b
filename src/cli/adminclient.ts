/** Asks the admin API of a running gateway. */
import { request } from 'node:http';

/** How long an answer may take (milliseconds): an upgrade starts a program. */
const PATIENCE_MS = 90_000;

/**
 * The admin address of a configuration (`127.0.0.1:9901`, `:9901`, `unix:/path`) or a URL → what `node:http` takes.
 * Throws when it is none.
 */
export function adminTarget(address: string): { socketPath: string } | { host: string; port: number } {
  if (address.startsWith('unix:')) return { socketPath: address.slice(5) };
  const match = /^(?:http:\/\/)?(?:\[([0-9A-Fa-f:.]+)\]|([^/:[\]]*)):(\d+)\/?$/.exec(address);
  if (!match) throw new Error(`${address}: expected HOST:PORT, a URL such as http://127.0.0.1:9901, or unix:/path`);
  const host = match[1] ?? match[2] ?? '';
  // What listens everywhere is asked here.
  const everywhere = ['', '*', '0.0.0.0', '::'].includes(host);
  return { host: everywhere ? '127.0.0.1' : host, port: Number(match[3]) };
}

/** One request; resolves with status and parsed body. Rejects with an `Error` that says what to do. */
export function askAdmin(
  address: string,
  method: 'GET' | 'POST',
  path: string,
): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) =>
      reject(
        new Error(`no answer from the admin port at ${address}: ${why}; is gatehouse running? (--admin names it)`),
      );
    const asked = request({ ...adminTarget(address), method, path, timeout: PATIENCE_MS, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('error', (error) => fail(error.message));
      answer.on('end', () => {
        try {
          resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) });
        } catch {
          fail('it does not answer in JSON');
        }
      });
    });
    asked.on('timeout', () => asked.destroy(new Error(`nothing came within ${PATIENCE_MS / 1000} s`)));
    asked.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    asked.end();
  });
}
