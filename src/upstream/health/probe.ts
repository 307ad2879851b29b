/** One health probe: a GET on a connection of its own, judged by its status, bounded in time and bytes. */
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import type { Clock } from '../../kernel/clock.ts';
import { proxyHeader } from '../../socket/proxy/header.ts';
import { parseEndpointUrl } from '../address.ts';

/** Where and how to probe. */
export interface ProbeTarget {
  /** `http://HOST:PORT`, `https://HOST:PORT` or `unix:/path`. */
  url: string;
  path: string;
  /** Host field; the URL's own when undefined. */
  host: string | undefined;
  /** Milliseconds for the whole probe. */
  timeout: number;
  /** Statuses that are good; any 2xx when empty. */
  expectStatus: readonly number[];
  /** PEM contents and names for https. */
  /** HTTP/2 is spoken: by ALPN on https, by prior knowledge else. */
  http2?: boolean;
  /** Service that the health service of gRPC is asked for. */
  grpc?: string | undefined;
  /** Version of the PROXY header that stands before all. */
  proxyProtocol?: 'v1' | 'v2' | undefined;
  tls: { ca?: string; cert?: string; key?: string; serverName?: string; verify: boolean };
}

/** How it went. `reason` reads well after "healthy:" and "unhealthy:". */
export interface ProbeResult {
  good: boolean;
  reason: string;
  /** Milliseconds it took. */
  tookMs: number;
}

/** Bytes of a body that are read to be polite; a server that sends more is cut off, and its status still counts. */
const MAX_BODY = 64 * 1024;

/** Probes once and calls `done` exactly once, unless the returned function cancels it first. */
export function probe(target: ProbeTarget, clock: Clock, done: (result: ProbeResult) => void): () => void {
  const started = clock.now();
  let over = false;
  const finish = (good: boolean, reason: string) => {
    if (over) return;
    over = true;
    timer.cancel();
    request.destroy();
    done({ good, reason, tookMs: clock.now() - started });
  };
  const timer = clock.after(target.timeout, () => finish(false, `no answer within ${target.timeout} ms`));
  const request = (target.http2 === true ? askHttp2 : ask)(target, finish);
  return () => {
    over = true;
    timer.cancel();
    request.destroy();
  };
}

/** Hears how a probe went. */
type Judged = (good: boolean, reason: string) => void;

function isGood(status: number, { expectStatus }: ProbeTarget): boolean {
  return expectStatus.length > 0 ? expectStatus.includes(status) : status >= 200 && status < 300;
}

function ask(target: ProbeTarget, judged: Judged): { destroy(): void } {
  const request = open(target);
  request.on('error', (error: NodeJS.ErrnoException) => judged(false, explain(error)));
  request.on('response', (response) => {
    const status = response.statusCode ?? 0;
    const verdict = () => judged(isGood(status, target), `status ${status}`);
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BODY) verdict();
    });
    response.on('end', verdict);
    response.on('error', (error: NodeJS.ErrnoException) => judged(false, `${explain(error)} within the answer`));
  });
  request.end();
  return request;
}

function askHttp2(target: ProbeTarget, judged: Judged): { destroy(): void } {
  const { authority } = parseEndpointUrl(target.url);
  const session = http2.connect(target.url.startsWith('https:') ? target.url : 'http://localhost', {
    createConnection: () => connectTo(target, ['h2']),
  });
  session.on('error', (error: NodeJS.ErrnoException) => judged(false, explain(error)));
  const headers: Record<string, string> = {
    'user-agent': 'gatehouse-health',
    ':authority': target.host ?? authority,
    ':path': target.grpc === undefined ? target.path : '/grpc.health.v1.Health/Check',
  };
  if (target.grpc !== undefined)
    Object.assign(headers, { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' });
  const stream = session.request(headers, { endStream: target.grpc === undefined });
  let status = 0;
  let grpcStatus: string | undefined;
  let body = Buffer.alloc(0);
  const note = (fields: http2.IncomingHttpHeaders) => {
    grpcStatus ??= fields['grpc-status'] as string | undefined;
  };
  stream.on('response', (fields) => {
    status = Number(fields[':status']);
    note(fields);
  });
  stream.on('trailers', note);
  stream.on('data', (chunk: Buffer) => {
    if (body.length < MAX_BODY) body = Buffer.concat([body, chunk]);
    else stream.close();
  });
  stream.on('error', (error: NodeJS.ErrnoException) => judged(false, explain(error)));
  stream.on('close', () => {
    if (target.grpc === undefined) judged(isGood(status, target), `status ${status}`);
    else judged(grpcStatus === '0' && body.equals(SERVING), grpcVerdict(grpcStatus, body));
  });
  if (target.grpc !== undefined) stream.end(checkRequest(target.grpc));
  return session;
}

/** HealthCheckResponse { status: SERVING }, as a message of gRPC. */
const SERVING = Buffer.from([0, 0, 0, 0, 2, 8, 1]);

function grpcVerdict(status: string | undefined, body: Buffer): string {
  if (status !== '0') return `grpc-status ${status ?? 'missing'}`;
  return body.equals(SERVING) ? 'SERVING' : 'not SERVING';
}

/** HealthCheckRequest { service }, as a message of gRPC. */
function checkRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([10, name.length]), name]);
  return Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
}

/** A connection that begins as those of requests do; the PROXY header says that it is made for nobody. */
function connectTo(target: ProbeTarget, ALPNProtocols: string[]): net.Socket {
  const { secure, host, port } = parseEndpointUrl(target.url);
  const socket = port === 0 ? net.connect(host) : net.connect({ host, port });
  const nobody = { address: 'unknown', port: 0 };
  if (target.proxyProtocol !== undefined) socket.write(proxyHeader(target.proxyProtocol, nobody, nobody));
  if (!secure) return socket;
  const { ca, cert, key, serverName, verify } = target.tls;
  const wrapped = tls.connect({
    socket,
    // The certificate has to be for it where no server name is asked for.
    host,
    ALPNProtocols,
    rejectUnauthorized: verify,
    servername: serverName ?? (isAddress(host) ? '' : host),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  });
  socket.on('error', (error) => wrapped.destroy(error));
  return wrapped;
}

function open(target: ProbeTarget): http.ClientRequest {
  const { authority } = parseEndpointUrl(target.url);
  const headers = { 'user-agent': 'gatehouse-health', accept: '*/*', host: target.host ?? authority };
  return http.request({
    path: target.path,
    headers,
    createConnection: () => connectTo(target, ['http/1.1']),
  });
}

const isAddress = (host: string) => /^[\d.]+$/.test(host) || host.includes(':');

const PLAIN: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ENOTFOUND: 'name has no address',
  EAI_AGAIN: 'name server does not answer',
  ENOENT: 'no such socket',
  EPIPE: 'connection reset',
};

function explain(error: NodeJS.ErrnoException): string {
  return PLAIN[error.code ?? ''] ?? (error.message || error.code || 'failed');
}
