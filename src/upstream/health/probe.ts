/** One health probe: a GET on a connection of its own, judged by its status, bounded in time and bytes. */
import http from 'node:http';
import https from 'node:https';
import type { Clock } from '../../kernel/clock.ts';

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
  const request = open(target);
  request.on('error', (error: NodeJS.ErrnoException) => finish(false, explain(error)));
  request.on('response', (response) => {
    const status = response.statusCode ?? 0;
    const { expectStatus } = target;
    const good = expectStatus.length > 0 ? expectStatus.includes(status) : status >= 200 && status < 300;
    const verdict = () => finish(good, `status ${status}`);
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BODY) verdict();
    });
    response.on('end', verdict);
    response.on('error', (error: NodeJS.ErrnoException) => finish(false, `${explain(error)} within the answer`));
  });
  request.end();
  return () => {
    over = true;
    timer.cancel();
    request.destroy();
  };
}

function open(target: ProbeTarget): http.ClientRequest {
  const headers: Record<string, string> = { 'user-agent': 'gatehouse-health', accept: '*/*' };
  const common = { path: target.path, agent: false, headers } as const;
  if (target.url.startsWith('unix:')) {
    headers.host = target.host ?? 'localhost';
    return http.request({ ...common, socketPath: target.url.slice(5) });
  }
  const url = new URL(target.url);
  headers.host = target.host ?? url.host;
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol === 'http:') return http.request({ ...common, host: hostname, port: url.port || 80 });
  const { ca, cert, key, serverName, verify } = target.tls;
  return https.request({
    ...common,
    host: hostname,
    port: url.port || 443,
    rejectUnauthorized: verify,
    servername: serverName ?? (isAddress(hostname) ? '' : hostname),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
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
