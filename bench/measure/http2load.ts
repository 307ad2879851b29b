/** Load over HTTP/2 by h2load, whose own counts tell whether every answer was right. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { requestBody } from '../load/body.ts';
import type { Stand } from './stand.ts';

/**
 * Runs it for so many seconds, or so many requests.
 * @returns what went wrong, and how often.
 */
export async function loadHttp2(
  stand: Stand,
  { connections, streams }: { connections: number; streams: number },
  until: { seconds: number } | { requests: number },
  bytes: number,
): Promise<Record<string, number>> {
  const body = `${stand.folder}/request.json`;
  writeFileSync(body, requestBody(bytes));
  const [command, ...args] = [
    ...stand.pinning.helpers,
    ...['h2load', '-c', `${connections}`, '-m', `${streams}`, '-d', body],
    ...('seconds' in until ? ['-D', `${Math.ceil(until.seconds)}`] : ['-n', `${until.requests}`]),
    ...['-H', 'content-type: application/json', '-H', 'accept: */*', '-H', 'user-agent: bench/1.0'],
    ...['-H', ':authority: gateway.bench', `http://127.0.0.1:${stand.http2Port}/v1/chat/completions`],
  ];
  const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (output += bytes.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  return faults(output);
}

/** What h2load says about answers that were not right. */
export function faults(output: string): Record<string, number> {
  const found: Record<string, number> = {};
  const read = (pattern: RegExp) => Number(pattern.exec(output)?.[1] ?? Number.NaN);
  const succeeded = read(/(\d+) succeeded/);
  if (!(succeeded > 0)) return { [`h2load: ${output.trim().slice(-200)}`]: 1 };
  // What is still under way when the time is over does not count as failed.
  const wrong = { failed: read(/(\d+) failed/), '4xx': read(/(\d+) 4xx/), '5xx': read(/(\d+) 5xx/) };
  for (const [what, count] of Object.entries(wrong)) if (count > 0) found[`h2load: ${what}`] = count;
  return found;
}
