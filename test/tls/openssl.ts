/** OpenSSL's own client against a port. */
import { spawn } from 'node:child_process';

/** One that does not end by itself is ended then. */
const PATIENCE_MS = 60_000;

/** Runs `openssl s_client` with these arguments, sends `input`, and gives everything it said. */
export function sClient(port: number, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args], { stdio: 'pipe' });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        // What comes after the handshake (tickets, an answer) is there with the first line of either.
        if (input === '' && /---\nNo ALPN|New Session Ticket arrived|Verify return code/.test(text)) child.stdin.end();
      });
    }
    child.stdin.on('error', () => {});
    child.stdin.write(input);
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}
