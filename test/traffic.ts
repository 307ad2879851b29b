/**
 * Traffic that notices every loss: clients that keep their connection, clients that open one for each request, and event
 * streams, all raw sockets. Each answer is checked against its request, so a wrong one shows as well as a missing one.
 */
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** What the traffic has met so far. */
export interface Tally {
  /** Answers that were right. */
  answered: number;
  /** Streams that came whole. */
  streams: number;
  /** Connections that were refused. */
  refused: number;
  /** Requests whose connection ended before the whole answer. */
  reset: number;
  /** Answers to another request, or with a status that is not to be. */
  wrong: number;
  /** Answers with a status that says honestly that it failed; counted only where that may be. */
  failed: number;
  /** Requests that were neither answered nor ended in time. */
  hung: number;
  /** Streams that ended before their end. */
  cut: number;
  /** What was lost, in words; the first few. */
  losses: string[];
}

/** How much of each kind runs at once. */
export interface TrafficOptions {
  port: number;
  /** Unix socket to connect to instead. */
  path?: string;
  keepAlive?: number;
  fresh?: number;
  streams?: number;
  /** Statuses that may come instead of an answer, because something behind is broken on purpose. */
  mayFail?: readonly number[];
  /** Speak TLS, trusting anyone. */
  tls?: boolean;
  /** Name asked for with it, and the Host of requests. */
  servername?: string;
  /** Pause between two requests of a client, in milliseconds. */
  pause?: number;
}

/** Traffic under way. */
export interface Traffic {
  readonly tally: Tally;
  /** Resolves when so much has come well. */
  reaches(least: { answered?: number; streams?: number }): Promise<void>;
  /** Starts nothing new, waits for what is under way; resolves with the tally. */
  stop(): Promise<Tally>;
}

/** Events of one stream of the echo server, and the milliseconds between two. */
const EVENTS = 20;
const EVENT_GAP_MS = 50;
/** A connection on which nothing comes for this long has been forgotten (milliseconds). */
const PATIENCE_MS = 30_000;
const HUNG = 'nothing came';
/** How a connection ends that nobody accepted; a unix socket may have lost its file. */
const REFUSED = new Set(['ECONNREFUSED', 'ENOENT']);

/** A server that answers `/echo/N` with `N`, `/stream/N` with events that bear N, and `/endless/N` with such that never end. */
export async function startEcho(): Promise<{ url: string; server: Server; close(): void }> {
  const server = createServer((request, response) => {
    const [, kind, id] = (request.url ?? '').split('/');
    request.resume();
    if (kind !== 'stream' && kind !== 'endless') {
      response.end(`${id}`);
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    let sent = 0;
    const timer = setInterval(() => {
      response.write(`data: ${id} ${++sent}\n\n`);
      if (sent < EVENTS || kind === 'endless') return;
      clearInterval(timer);
      response.end('data: [DONE]\n\n');
    }, EVENT_GAP_MS);
    response.on('close', () => clearInterval(timer));
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, close };
}

/** Starts the clients. */
export function startTraffic(options: TrafficOptions): Traffic {
  const tally: Tally = {
    answered: 0,
    streams: 0,
    refused: 0,
    reset: 0,
    wrong: 0,
    failed: 0,
    hung: 0,
    cut: 0,
    losses: [],
  };
  const state = { stopping: false, serial: 0 };
  const clients: Promise<void>[] = [];
  for (let i = 0; i < (options.keepAlive ?? 0); i++) clients.push(requests(options, tally, state, true));
  for (let i = 0; i < (options.fresh ?? 0); i++) clients.push(requests(options, tally, state, false));
  for (let i = 0; i < (options.streams ?? 0); i++) clients.push(streams(options, tally, state));
  return {
    tally,
    async reaches({ answered = 0, streams = 0 }) {
      while (tally.answered < answered || tally.streams < streams) await new Promise((done) => setTimeout(done, 10));
    },
    async stop() {
      state.stopping = true;
      await Promise.all(clients);
      return tally;
    },
  };
}

interface State {
  stopping: boolean;
  serial: number;
}

function lose(tally: Tally, kind: 'refused' | 'reset' | 'wrong' | 'cut' | 'hung', why: string): void {
  tally[kind]++;
  if (tally.losses.length < 10) tally.losses.push(`${kind}: ${why}`);
}

/** A connection of the client's side, with what has come on it. */
class Line {
  text = '';
  ended = '';
  readonly socket: Socket;
  readonly #host: string;
  #wake: () => void = () => {};

  constructor(options: TrafficOptions) {
    const at = options.path === undefined ? { host: '127.0.0.1', port: options.port } : { path: options.path };
    const { servername = '' } = options;
    this.#host = servername || 'traffic.test';
    this.socket = options.tls ? connectTls({ ...at, servername, rejectUnauthorized: false }) : connect(at);
    this.socket.setNoDelay(true);
    this.socket.on('data', (part: Buffer) => {
      this.text += part.toString('latin1');
      this.#wake();
    });
    const end = (how: string) => {
      this.ended ||= how;
      this.#wake();
    };
    this.socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    this.socket.on('end', () => end('end'));
    this.socket.on('close', () => end('close'));
  }

  /**
   * Resolves when all that has come by now is known, an end too. Who asks on a connection that its server has closed by right
   * loses nothing but its own race: clients look first (RFC 9112 §9.3.1).
   */
  async settled(): Promise<void> {
    for (let turn = 0; turn < 2; turn++) await new Promise((done) => setImmediate(done));
  }

  /** Sends a request and takes the whole answer; a string: how the connection ended before. */
  async ask(path: string): Promise<{ status: number; body: string; close: boolean } | { ended: string }> {
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: ${this.#host}\r\n\r\n`);
    for (;;) {
      const answer = takeAnswer(this.text);
      if (answer) {
        this.text = this.text.slice(answer.length);
        return answer;
      }
      if (this.ended) return { ended: this.ended };
      await new Promise<void>((done) => {
        const late = setTimeout(() => {
          this.ended ||= HUNG;
          this.socket.destroy();
          done();
        }, PATIENCE_MS);
        this.#wake = () => {
          clearTimeout(late);
          done();
        };
      });
    }
  }
}

/** The first whole answer of `text`. */
function takeAnswer(text: string): { status: number; body: string; close: boolean; length: number } | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd);
  const status = Number(head.slice(9, 12));
  const close = /\r\nconnection: close/i.test(head);
  const from = headEnd + 4;
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const end = from + Number(length);
    return text.length < end ? undefined : { status, close, body: text.slice(from, end), length: end };
  }
  // Only the last chunk matters: what lies before it is compared as a whole.
  const end = text.indexOf('\r\n0\r\n\r\n', from);
  if (end < 0) return undefined;
  const body = text.slice(from, end).replace(/(^|\r\n)[0-9a-f]+\r\n/g, '');
  return { status, close, body, length: end + 7 };
}

async function requests(options: TrafficOptions, tally: Tally, state: State, keep: boolean): Promise<void> {
  let line: Line | undefined;
  while (!state.stopping) {
    const id = ++state.serial;
    await line?.settled();
    if (!line || line.ended) line = new Line(options);
    const reused = line.text !== '' || line.socket.bytesWritten > 0;
    const answer = await line.ask(`/echo/${id}`);
    if ('ended' in answer) {
      if (REFUSED.has(answer.ended)) lose(tally, 'refused', `request ${id}`);
      else if (answer.ended === HUNG) lose(tally, 'hung', `request ${id}`);
      else lose(tally, 'reset', `request ${id} (${answer.ended}, ${reused ? 'on a kept connection' : 'on a new one'})`);
      line = undefined;
      await new Promise((done) => setTimeout(done, 20));
      continue;
    }
    if (options.mayFail?.includes(answer.status)) tally.failed++;
    else if (answer.status !== 200 || answer.body !== `${id}`) {
      lose(tally, 'wrong', `request ${id}: ${answer.status} ${answer.body.slice(0, 200)}`);
    } else tally.answered++;
    if (answer.close || !keep) {
      line.socket.destroy();
      line = undefined;
    }
    if (options.pause) await new Promise((done) => setTimeout(done, options.pause));
  }
  line?.socket.destroy();
}

async function streams(options: TrafficOptions, tally: Tally, state: State): Promise<void> {
  while (!state.stopping) {
    const id = ++state.serial;
    const line = new Line(options);
    const answer = await line.ask(`/stream/${id}`);
    const whole = `${Array.from({ length: EVENTS }, (_, i) => `data: ${id} ${i + 1}\n\n`).join('')}data: [DONE]\n\n`;
    if ('ended' in answer) {
      if (REFUSED.has(answer.ended)) lose(tally, 'refused', `stream ${id}`);
      else if (answer.ended === HUNG) lose(tally, 'hung', `stream ${id}`);
      else lose(tally, 'cut', `stream ${id} (${answer.ended}) after ${JSON.stringify(line.text.slice(-60))}`);
      await new Promise((done) => setTimeout(done, 20));
    } else if (options.mayFail?.includes(answer.status)) tally.failed++;
    else if (answer.status !== 200 || answer.body.replaceAll('\r\n', '') !== whole) {
      lose(tally, 'wrong', `stream ${id}: ${answer.status} ${JSON.stringify(answer.body.slice(0, 200))}`);
    } else tally.streams++;
    line.socket.destroy();
  }
}
