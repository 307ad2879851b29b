/**
 * The admin HTTP API: metrics, health, status, reload, upgrade, and what may be switched at run time. Off the data path, on
 * a port of its own, over a narrow handle. It decides nothing.
 */

import { linkSync, renameSync, rmSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { OPENMETRICS_TYPE, PROMETHEUS_TYPE } from '../observe/prometheus.ts';
import { prefersOpenMetrics } from './accept.ts';
import { hostFits, isLoopback, type ListenTarget, parseAddress } from './address.ts';
import { isForeign, readJson } from './change.ts';
import type { AdminHandle, Outcome } from './handle.ts';
import { PAGE_FIELDS, renderPage } from './page.ts';
import { redact } from './redact.ts';

export type { AdminHandle, AdminHealth, AdminStatus, Outcome } from './handle.ts';
export { redact } from './redact.ts';

/** What the admin API is made of. */
export interface AdminParts {
  /** `HOST:PORT`, `[IPV6]:PORT`, `:PORT` or `unix:/path`; port 0 takes a free one. */
  address: string;
  handle: AdminHandle;
  clock: Clock;
  /** Descriptor of a socket that is bound already; `address` then only says where it is. */
  fd?: number;
  /** Told what an operator should read. */
  notice: (notice: NoticeEvent) => void;
}

/** A running admin API. */
export interface Admin {
  /** `http://HOST:PORT` as bound, or `unix:/path`. */
  readonly url: string;
  /** Its socket as it is handed down to the program that takes over. */
  readonly fd: number;
  /** Stops accepting; requests under way get a second to end. `handedOver`: another process serves on the same socket. */
  close(handedOver?: boolean): Promise<void>;
}

const CLOSE_MS = 1000;

interface Answer {
  status: number;
  fields: Record<string, string>;
  body: string;
}

type Route = (handle: AdminHandle, request: IncomingMessage) => Answer | Promise<Answer>;
type Change = Route;

interface Path {
  what: string;
  answer: Route;
  /** Method → what it changes; a path without any answers GET only. */
  changes?: Readonly<Record<string, Change>>;
}

const ROUTES = new Map<string, Path>([
  ['/', { what: 'this page', answer: (handle) => page(handle) }],
  ['/metrics', { what: 'metrics, as Prometheus text or OpenMetrics', answer: metrics }],
  ['/healthz', { what: 'whether the process lives', answer: (handle) => health(handle, 'live') }],
  ['/readyz', { what: 'whether it should get traffic', answer: (handle) => health(handle, 'ready') }],
  ['/api/status', { what: 'version, workers, listeners, upstreams', answer: (handle) => json(200, handle.status()) }],
  [
    '/api/config',
    { what: 'the running configuration, without secrets', answer: (handle) => json(200, redact(handle.config())) },
  ],
  [
    '/api/reload',
    {
      what: 'what a reload would change; POST reloads',
      answer: async (handle) => outcome(await handle.preview()),
      changes: { POST: async (handle) => outcome(await handle.reload()) },
    },
  ],
  [
    '/api/upgrade',
    {
      what: 'whether an upgrade is under way; POST starts the program anew beside this one, and hands over to it',
      answer: (handle) => json(200, { upgrading: handle.upgrading() }),
      changes: { POST: async (handle) => outcome(await handle.upgrade()) },
    },
  ],
  [
    '/api/chaos',
    {
      what: 'faults injected on purpose; POST a JSON document with `for` starts one, DELETE ?name=… stops it',
      answer: (handle) => json(200, { faults: handle.chaos?.list() ?? [] }),
      changes: { POST: startChaos, DELETE: stopChaos },
    },
  ],
  ['/api/queue', { what: 'who waits for servers', answer: (handle) => json(200, { queues: handle.queues?.() ?? [] }) }],
  [
    '/api/breakers',
    {
      what: 'breakers that are not closed; POST ?upstream=…&endpoint=…&state=open, closed or auto forces one',
      answer: (handle) => json(200, { breakers: handle.breakers?.list() ?? [] }),
      changes: { POST: forceBreaker },
    },
  ],
]);

async function startChaos(handle: AdminHandle, request: IncomingMessage): Promise<Answer> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    return problem(415, 'unsupported_media_type', 'Send a JSON document with Content-Type: application/json.');
  }
  const order = await readJson(request);
  const started = order.ok ? handle.chaos?.start(order.value) : order;
  if (started === undefined) return problem(404, 'not_found', 'This gateway injects no faults.');
  if (!started.ok) return problem(400, 'invalid', started.problems.join('; '));
  return json(201, started.value);
}

function stopChaos(handle: AdminHandle, request: IncomingMessage): Answer {
  const name = new URL(request.url ?? '/', 'http://admin').searchParams.get('name') ?? undefined;
  const stopped = handle.chaos?.stop(name) ?? 0;
  if (stopped === 0 && name !== undefined) return problem(404, 'not_found', `No fault named ${name} runs here.`);
  return json(200, { stopped });
}

/** Starts the admin API. Rejects when the address cannot be understood or bound. */
export async function startAdmin(parts: AdminParts): Promise<Admin> {
  const { handle, clock, notice } = parts;
  const target = parseAddress(parts.address);
  const local = isLoopback(target);
  const checkHost = local && !('path' in target);
  if (!local) {
    const message = `admin listens on ${parts.address}, beyond this machine, and asks nobody who they are: let only your own network reach it, or use 127.0.0.1 or unix:/path`;
    notice({ level: 'warn', message });
  }
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 5000, keepAliveTimeout: 5000, maxHeaderSize: 16 * 1024 },
    (request, response) => {
      const fail = (error: unknown) => {
        notice({ level: 'error', message: `admin ${request.method} ${request.url} failed: ${error}` });
        send(request, response, problem(500, 'internal', 'The admin API failed; the operational log says why.'));
      };
      try {
        const answer = dispatch(handle, request, checkHost);
        if (answer instanceof Promise) answer.then((late) => send(request, response, late)).catch(fail);
        else send(request, response, answer);
      } catch (error) {
        fail(error);
      }
    },
  );
  server.maxConnections = 256;
  if ('path' in target && parts.fd === undefined) await removeStaleSocket(target.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(parts.fd === undefined ? target : { fd: parts.fd }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => notice({ level: 'error', message: `admin server: ${error.message}` }));
  return {
    url: urlOf(target, server.address()),
    fd: descriptorOf(server),
    close: (handedOver = false) =>
      new Promise((resolve) => {
        const late = clock.after(CLOSE_MS, () => server.closeAllConnections());
        const keep = handedOver && 'path' in target ? target.path : undefined;
        // Closing a unix socket takes its file away, by which others find the one who goes on.
        if (keep !== undefined) linkSync(keep, `${keep}.kept`);
        server.close(() => {
          late.cancel();
          resolve();
        });
        if (keep !== undefined) renameSync(`${keep}.kept`, keep);
        else if ('path' in target) rmSync(target.path, { force: true });
        server.closeIdleConnections();
      }),
  };
}

function dispatch(handle: AdminHandle, request: IncomingMessage, checkHost: boolean): Answer | Promise<Answer> {
  if (checkHost && !hostFits(request.headers.host)) {
    return problem(
      403,
      'forbidden',
      `Host ${JSON.stringify(request.headers.host)} is not this machine. Ask for localhost or 127.0.0.1: other names are refused, so that no web page can reach this port through a visitor's browser.`,
    );
  }
  const path = (request.url ?? '').split('?', 1)[0] as string;
  const route = ROUTES.get(path);
  if (!route) return problem(404, 'not_found', `There is no ${path} here. There are ${[...ROUTES.keys()].join(', ')}.`);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    const { changes = {} } = route;
    const change = Object.hasOwn(changes, request.method ?? '') ? changes[request.method ?? ''] : undefined;
    if (change !== undefined) {
      return isForeign(request)
        ? problem(403, 'forbidden', 'A page of another site may not change anything here.')
        : change(handle, request);
    }
    const methods = ['GET', 'HEAD', ...Object.keys(changes)];
    const list = `${methods.slice(0, -1).join(', ')} and ${methods.at(-1)}`;
    const answer = problem(405, 'method_not_allowed', `${path} answers ${list} only.`);
    answer.fields.Allow = methods.join(', ');
    return answer;
  }
  return route.answer(handle, request);
}

/** 409: what was asked for is refused, and everything stays as it was. */
function outcome(result: Outcome): Answer {
  return json(result.ok ? 200 : 409, result);
}

function forceBreaker(handle: AdminHandle, request: IncomingMessage): Answer {
  const asked = new URL(request.url ?? '/', 'http://admin').searchParams;
  const state = asked.get('state');
  if (state !== 'open' && state !== 'closed' && state !== 'auto') {
    return problem(400, 'invalid', 'state has to be open, closed, or auto (its rules decide again).');
  }
  const upstream = asked.get('upstream') ?? '';
  const endpoint = asked.get('endpoint') ?? '';
  if (handle.breakers?.force(upstream, endpoint, state) !== true) {
    const message = `There is no endpoint ${JSON.stringify(endpoint)} of an upstream ${JSON.stringify(upstream)}; /api/status lists them.`;
    return problem(404, 'not_found', message);
  }
  return json(200, { upstream, endpoint, state });
}

function page(handle: AdminHandle): Answer {
  const paths = [...ROUTES].map(([path, { what }]) => [path, what] as const);
  return { status: 200, fields: { ...PAGE_FIELDS }, body: renderPage(handle.status(), paths) };
}

function metrics(handle: AdminHandle, request: IncomingMessage): Answer {
  const openMetrics = prefersOpenMetrics(request.headers.accept);
  const type = openMetrics ? OPENMETRICS_TYPE : PROMETHEUS_TYPE;
  return { status: 200, fields: { 'Content-Type': type, Vary: 'Accept' }, body: handle.metrics(openMetrics) };
}

function health(handle: AdminHandle, which: 'live' | 'ready'): Answer {
  const { live, ready, reasons } = handle.health();
  const good = which === 'live' ? live : live && ready;
  return json(good ? 200 : 503, good ? { status: 'ok' } : { status: 'unavailable', reasons });
}

function json(status: number, value: unknown): Answer {
  const fields = { 'Content-Type': 'application/json; charset=utf-8' };
  return { status, fields, body: `${JSON.stringify(value, null, 2)}\n` };
}

function problem(status: number, code: string, message: string): Answer {
  return json(status, { error: { code, message } });
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  const body = Buffer.from(answer.body, 'utf8');
  response.writeHead(answer.status, {
    ...answer.fields,
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
  // A body that nobody asked for is read away, so that the connection can go on.
  request.resume();
}

/** Not in the documentation; what `child_process` and `cluster` use. */
function descriptorOf(server: Server): number {
  return (server as unknown as { _handle?: { fd: number } })._handle?.fd ?? -1;
}

/** A socket file that nobody answers on is left over from a process that was killed; it would keep us from binding. */
async function removeStaleSocket(path: string): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  if (!there?.isSocket()) return;
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (!alive) await rm(path, { force: true });
}

function urlOf(target: ListenTarget, bound: string | AddressInfo | null): string {
  if ('path' in target || bound === null || typeof bound === 'string') return `unix:${bound}`;
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return `http://${host}:${bound.port}`;
}
