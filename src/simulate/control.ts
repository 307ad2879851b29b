/** What stands beside the model APIs: health, metrics, and the handle under `/simulate/`. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isJson } from './json.ts';
import type { Simulator } from './simulator.ts';
import { metricsText } from './state.ts';

/** Largest body that `/simulate/bytes/N` sends: 1 GiB. */
const MOST_BYTES = 1 << 30;
const BLOCK = Buffer.alloc(64 * 1024, 'abcdefghijklmnopqrstuvwxyz012345');

/** Sends `value` as JSON. */
export function sendJson(response: ServerResponse, status: number, value: unknown, headers: string[] = []): void {
  // A string, not a buffer: Node then sends head and body in one piece.
  const body = JSON.stringify(value);
  response.writeHead(status, [
    ...headers,
    'content-type',
    'application/json',
    'content-length',
    `${Buffer.byteLength(body)}`,
  ]);
  response.end(body);
}

/** What a request looked like when it arrived; the answer to `x-simulate-echo: 1`. */
export interface Echo {
  method: string;
  target: string;
  httpVersion: string;
  /** Field lines in order, with names as they were written. */
  headers: [name: string, value: string][];
  trailers: [name: string, value: string][];
  bodyLength: number;
  /** Lower-case hexadecimal. */
  bodySha256: string;
  /** The body itself when it is at most 64 KiB of UTF-8, else null. */
  body: string | null;
  remotePort: number;
  /** Which request of its connection this is, from 1. */
  requestOfConnection: number;
}

/** Describes `request`, whose body is `body`. */
export function echoOf(request: IncomingMessage, body: Buffer, requestOfConnection: number): Echo {
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    httpVersion: request.httpVersion,
    headers: pairs(request.rawHeaders),
    trailers: pairs(request.rawTrailers),
    bodyLength: body.length,
    bodySha256: createHash('sha256').update(body).digest('hex'),
    body: body.length <= 65_536 ? body.toString('utf8') : null,
    remotePort: request.socket.remotePort ?? 0,
    requestOfConnection,
  };
}

function pairs(flat: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) found.push([flat[i] as string, flat[i + 1] as string]);
  return found;
}

/**
 * Answers health, metrics and control requests; false when `path` is none of these.
 *
 * - `GET /health`, `/ping`: 200, or what was set.
 * - `GET /metrics`: Prometheus text with vLLM's names.
 * - `GET /simulate/state`: the counters. `GET /simulate/faults`: the table.
 * - `POST /simulate/fail` `{"fail": ["10%:status=503"], "health": 503}`: sets either; `DELETE`: no faults, healthy.
 * - `GET /simulate/bytes/N`: a body of N bytes; with `?chunked` in chunks.
 */
export function control(
  simulator: Simulator,
  request: IncomingMessage,
  path: string,
  body: Buffer,
  response: ServerResponse,
): boolean {
  const reading = request.method === 'GET' || request.method === 'HEAD';
  if (reading && (path === '/health' || path === '/ping')) {
    response.writeHead(simulator.healthStatus, ['content-length', '0']);
    response.end();
  } else if (reading && path === '/metrics') {
    response.writeHead(200, ['content-type', 'text/plain; version=0.0.4; charset=utf-8']);
    response.end(metricsText(simulator.perModel.values()));
  } else if (reading && path === '/simulate/state') {
    sendJson(response, 200, simulator.state());
  } else if (reading && path === '/simulate/faults') {
    const rows = [...simulator.faultTable.values()];
    const table = rows.map(({ name, value, fallback, verdict, doc }) => ({ name, value, fallback, verdict, doc }));
    sendJson(response, 200, table);
  } else if (reading && path.startsWith('/simulate/bytes/')) {
    const size = Number(path.slice('/simulate/bytes/'.length));
    if (!Number.isInteger(size) || size < 0 || size > MOST_BYTES) return false;
    const headers = ['content-type', 'application/octet-stream'];
    if (!request.url?.endsWith('?chunked')) headers.push('content-length', `${size}`);
    response.writeHead(200, headers);
    sendBytes(response, size);
  } else if (path === '/simulate/fail' && request.method === 'DELETE') {
    simulator.setRules([]);
    simulator.healthStatus = 200;
    sendJson(response, 200, simulator.state());
  } else if (path === '/simulate/fail' && request.method === 'POST') {
    setFaults(simulator, body, response);
  } else {
    return false;
  }
  return true;
}

function setFaults(simulator: Simulator, body: Buffer, response: ServerResponse): void {
  try {
    const wish: unknown = JSON.parse(body.toString('utf8'));
    if (!isJson(wish)) throw new Error('expected a JSON object such as {"fail":["10%:status=503"],"health":503}');
    const { fail, health } = wish;
    if (health !== undefined && !(Number.isInteger(health) && Number(health) >= 200 && Number(health) <= 599)) {
      throw new Error(`health: expected a status from 200 to 599, not ${JSON.stringify(health)}`);
    }
    if (typeof fail === 'string') simulator.setRules([fail]);
    else if (Array.isArray(fail)) simulator.setRules(fail.map(String));
    else if (fail !== undefined) throw new Error('fail: expected a fault or a list of faults');
    if (health !== undefined) simulator.healthStatus = Number(health);
    sendJson(response, 200, simulator.state());
  } catch (error) {
    sendJson(response, 400, { error: { message: error instanceof Error ? error.message : String(error) } });
  }
}

function sendBytes(response: ServerResponse, size: number): void {
  let left = size;
  const more = (): void => {
    while (left > BLOCK.length) {
      left -= BLOCK.length;
      if (!response.write(BLOCK)) return;
    }
    response.off('drain', more);
    response.end(BLOCK.subarray(0, left));
  };
  response.on('drain', more);
  more();
}
