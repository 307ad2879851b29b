/** The plain proxy on `node:http` and undici; started by the bench with its options as one JSON argument. */
import { createWriteStream, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';

interface Options {
  port: number;
  upstreamPort: number;
  tls?: { certificate: string; key: string };
  log?: string;
}

interface UpstreamAnswer {
  statusCode: number;
  headers: Record<string, string | string[] | undefined>;
  body: Readable;
}

interface Undici {
  Pool: new (
    origin: string,
    options: { connections: number; pipelining: number; bodyTimeout: number },
  ) => {
    request(options: {
      path: string;
      method: string;
      headers: Record<string, string | string[] | undefined>;
      body: Readable | Buffer;
      signal: AbortSignal;
    }): Promise<UpstreamAnswer>;
  };
}

const options = JSON.parse(process.argv[2] ?? '{}') as Options;
const { Pool } = (await import(pathToFileURL(process.env.UNDICI ?? '').href)) as Undici;
const pool = new Pool(`http://127.0.0.1:${options.upstreamPort}`, { connections: 8192, pipelining: 1, bodyTimeout: 0 });
const log = options.log ? createWriteStream(options.log, { flags: 'a' }) : undefined;
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'trailer'];

async function whole(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const started = performance.now();
  const leaving = new AbortController();
  response.on('close', () => leaving.abort());
  const headers: UpstreamAnswer['headers'] = { ...request.headers };
  for (const field of HOP_BY_HOP) delete headers[field];
  headers['x-forwarded-for'] = request.socket.remoteAddress;
  headers['x-forwarded-proto'] = options.tls ? 'https' : 'http';
  headers['x-request-id'] = crypto.randomUUID();
  let body: Readable | Buffer = request;
  let model: unknown;
  if (log) {
    body = await whole(request);
    model = (JSON.parse(body.toString()) as { model?: unknown }).model;
  }
  const { url = '/', method = 'GET' } = request;
  const answer = await pool.request({ path: url, method, headers, body, signal: leaving.signal });
  for (const field of HOP_BY_HOP) delete answer.headers[field];
  response.writeHead(answer.statusCode, answer.headers);
  answer.body.on('error', () => response.destroy());
  answer.body.pipe(response);
  if (log) {
    response.on('finish', () => {
      const ms = performance.now() - started;
      log.write(`${JSON.stringify({ at: Date.now(), method, url, model, status: answer.statusCode, ms })}\n`);
    });
  }
}

const handle = (request: IncomingMessage, response: ServerResponse) => {
  forward(request, response).catch((error: Error) => {
    if (response.headersSent || response.destroyed) return response.destroy();
    response.writeHead(502).end(error.message);
  });
};
const server = options.tls
  ? createSecureServer(
      { cert: readFileSync(options.tls.certificate), key: readFileSync(options.tls.key), keepAlive: true },
      handle,
    )
  : createServer({ keepAlive: true, keepAliveTimeout: 75_000 }, handle);
server.requestTimeout = 0;
server.listen({ port: options.port, host: '127.0.0.1', backlog: 4096 });
