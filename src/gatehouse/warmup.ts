/**
 * Makes a fresh worker as quick as one that has run for a while. The first thousands of requests meet code that the engine
 * has not compiled yet, and wait twice as long for their first token; after a start, a restart or an upgrade those would be
 * clients'. So a worker sends itself some, over unix sockets of its own, through the same code with a configuration of its
 * own: nothing of it shows in metrics, logs or upstreams.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { Events } from '../kernel/event.ts';
import { listenerConfig } from '../listen/config.ts';
import { modelConfig, routeConfig } from '../route/config.ts';
import { upstreamConfig } from '../upstream/config.ts';
import type { WorkerParts } from './parts.ts';
import type { SnapshotInput } from './snapshot.ts';
import type { Worker } from './worker.ts';

/** Requests that are sent; measured: beyond these the cost of a request hardly falls any more. */
const REQUESTS = 3000;
const CONNECTIONS = 8;

/** File descriptors that a warm-up takes at most: both ends of each connection on either side, and two listeners. */
export const WARM_UP_DESCRIPTORS = CONNECTIONS * 4 + 2;

const json = (text: string) => Buffer.from(text);
const crlf = (...lines: string[]) => `${lines.join('\r\n')}\r\n\r\n`;

const ANSWER_BODY =
  '{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"ready"},"finish_reason":"stop"}],' +
  '"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}';
const ANSWER = json(
  crlf('HTTP/1.1 200 OK', 'Content-Type: application/json', `Content-Length: ${ANSWER_BODY.length}`) + ANSWER_BODY,
);
const STREAM_HEAD = crlf('HTTP/1.1 200 OK', 'Content-Type: text/event-stream', 'Transfer-Encoding: chunked');
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const event = (body: string) => chunk(`data: ${body}\n\n`);
const STREAM = json(
  STREAM_HEAD +
    event('{"id":"x","choices":[{"index":0,"delta":{"content":"re"},"finish_reason":null}],"usage":null}') +
    event('{"id":"x","choices":[{"index":0,"delta":{"content":"ady"},"finish_reason":"stop"}],"usage":null}') +
    event('{"id":"x","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}') +
    event('[DONE]') +
    '0\r\n\r\n',
);

function request(body: string): Buffer {
  const path = '/v1/chat/completions';
  const fields = ['Host: warm.test', 'Accept: */*', 'User-Agent: warm-up', 'Content-Type: application/json'];
  return json(crlf(`POST ${path} HTTP/1.1`, ...fields, `Content-Length: ${body.length}`) + body);
}

const MESSAGES = `"messages":[{"role":"user","content":"${'Are you ready? '.repeat(40)}"}]`;
const REQUEST_KINDS: readonly Buffer[] = [
  request(`{"model":"warm",${MESSAGES}}`),
  request(`{"model":"warm","stream":true,${MESSAGES}}`),
  json(crlf('GET /relay?x=1 HTTP/1.1', 'Host: warm.test', 'Accept: */*', 'Cookie: a=b')),
];

/** The end of an answer, by its last bytes. */
function complete(tail: string): boolean {
  return tail.endsWith('0\r\n\r\n') || tail.endsWith('}}');
}

/** Answers what is sent here: a stream where one is asked for. */
function standIn(path: string): Promise<Server> {
  const server = createServer((socket) => {
    let waiting = '';
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      waiting += bytes.toString('latin1');
      if (!waiting.endsWith('}') && !waiting.endsWith('\r\n\r\n')) return;
      socket.write(waiting.includes('"stream":true') ? STREAM : ANSWER);
      waiting = '';
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

/** One connection's share; resolves when it is answered, or when the connection ends. */
function ask(path: string, requests: number, offset: number): Promise<void> {
  return new Promise((resolve) => {
    let left = requests;
    let tail = '';
    const socket = connect(path);
    const next = () => {
      if (left-- <= 0) {
        socket.destroy();
        return;
      }
      tail = '';
      socket.write(REQUEST_KINDS[(left + offset) % REQUEST_KINDS.length] as Buffer);
    };
    socket.on('connect', next);
    socket.on('data', (bytes) => {
      tail = (tail + bytes.toString('latin1')).slice(-16);
      if (complete(tail)) next();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve());
  });
}

function configuration(front: string, back: string): SnapshotInput['config'] {
  const endpoints = [{ url: `unix:${back}` }];
  return {
    listeners: { warm: listenerConfig.parse({ address: `unix:${front}` }) },
    upstreams: {
      model: upstreamConfig.parse({ protocol: 'openai', endpoints }),
      relay: upstreamConfig.parse({ endpoints }),
    },
    models: { warm: modelConfig.parse({ versions: [{ name: 'one', upstream: 'model' }] }) },
    routes: [
      routeConfig.parse({ name: 'models', match: { path: '/v1/*' }, models: ['warm'] }),
      routeConfig.parse({ name: 'relay', upstream: 'relay' }),
    ],
  };
}

/**
 * Sends `requests` through a worker made by `create` and gives up silently where unix sockets in the temporary folder
 * cannot be had: then the first clients wait a little longer, no more. `events`: of the warming worker, for observers that
 * are to be warm too.
 */
export async function warmUp(
  create: (input: SnapshotInput, parts: WorkerParts) => Worker,
  clock: Clock,
  events = new Events(),
  requests = REQUESTS,
): Promise<void> {
  let folder: string | undefined;
  let back: Server | undefined;
  let worker: Worker | undefined;
  try {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
    const front = join(folder, 'front');
    back = await standIn(join(folder, 'back'));
    worker = create(
      { config: configuration(front, join(folder, 'back')), files: {} },
      { clock, events, pseudonym: 'gatehouse-warm-up', idPrefix: 'warm-' },
    );
    await worker.doors.listen('warm', { path: front });
    const share = Math.ceil(requests / CONNECTIONS);
    await Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => ask(front, share, i)));
  } catch {
    // Said above: nothing depends on it.
  } finally {
    await worker?.drain(0);
    back?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}
