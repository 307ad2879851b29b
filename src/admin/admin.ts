/**
 * The admin HTTP API: metrics, health, status, reload, upgrade, what may be switched at run time, and the documents of the
 * store. Off the data path, on a port of its own, over a narrow handle.
 */

import { linkSync, renameSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { StoreError } from '../store/error.ts';
import { type Caller, LOCAL, suffices } from './access/caller.ts';
import { Doorkeeper } from './access/doorkeeper.ts';
import { hostFits, isLoopback, parseAddress } from './address.ts';
import { type Answer, problem, send } from './answer.ts';
import { isForeign } from './change.ts';
import type { AdminHandle } from './handle.ts';
import type { Operation } from './operation.ts';
import { OPERATIONS } from './operations.ts';
import { unavailable } from './resources/trouble.ts';
import { Router } from './router.ts';
import { descriptorOf, removeStaleSocket, urlOf } from './socket.ts';

export { isLoopback, parseAddress } from './address.ts';
export { csv } from './csv.ts';
export type { AdminHandle, AdminHealth, AdminStatus, Outcome } from './handle.ts';
export { openApiDocument } from './operations.ts';
export { redact } from './redact.ts';
export { shownInHistory } from './resources/secrets.ts';
export { ENTRY_COLUMNS } from './usage.ts';

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

const router = new Router(OPERATIONS);

/** What a request is decided by. */
interface Desk extends Omit<AdminParts, 'address' | 'fd'> {
  readonly doorkeeper: Doorkeeper;
  /** Only this machine reaches the port. */
  readonly local: boolean;
  /** A web page could make its own name point here. */
  readonly nameable: boolean;
}

/** Starts the admin API. Rejects when the address cannot be understood or bound. */
export async function startAdmin(parts: AdminParts): Promise<Admin> {
  const { handle, clock, notice } = parts;
  const target = parseAddress(parts.address);
  const local = isLoopback(target);
  const doorkeeper = new Doorkeeper(clock, handle.documents && (() => handle.documents?.store() as never));
  const desk: Desk = { handle, clock, notice, doorkeeper, local, nameable: local && !('path' in target) };
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 5000, keepAliveTimeout: 5000, maxHeaderSize: 16 * 1024 },
    (request, response) => {
      answerTo(desk, request).then(
        (answer) => send(request, response, answer),
        (error: unknown) => send(request, response, failed(desk, request, error)),
      );
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

function failed({ notice }: Desk, request: IncomingMessage, error: unknown): Answer {
  if (error instanceof StoreError) return unavailable(error);
  const path = (request.url ?? '').split('?', 1)[0];
  notice({ level: 'error', message: `admin ${request.method} ${path} failed: ${error}` });
  return problem(500, 'internal', 'The admin API failed; the operational log says why.');
}

async function answerTo(desk: Desk, request: IncomingMessage): Promise<Answer> {
  const { handle, doorkeeper, local, clock, notice } = desk;
  const { access, anonymous: groups } = handle.settings();
  const open = local && access === undefined;
  if (open && desk.nameable && !hostFits(request.headers.host)) {
    return problem(
      403,
      'forbidden',
      `Host ${JSON.stringify(request.headers.host)} is not this machine. Ask for localhost or 127.0.0.1: other names are refused, so that no web page can reach this port through a visitor's browser.`,
    );
  }
  const [path = '', search] = (request.url ?? '').split('?', 2) as [string, string?];
  const found = router.find(path);
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const operation = found?.byMethod.get(method as Operation['method']);
  let caller: Caller = LOCAL;
  const everybody =
    operation?.role === 'none' || (operation?.group !== undefined && (groups ?? ['health']).includes(operation.group));
  if (!open && !everybody) {
    if (access === undefined) {
      const detail = 'This port can be reached from other machines, and nothing says who may ask: set admin.access.';
      return problem(401, 'unauthorized', detail);
    }
    const who = await doorkeeper.identify(access, request);
    if ('status' in who) return toLogin(who, operation, request, access.oidc !== undefined);
    caller = who;
  }
  if (found === undefined) {
    return problem(404, 'not_found', `There is no ${path} here. There are ${router.paths.join(', ')}.`);
  }
  if (operation === undefined) return notAllowed(path, [...found.byMethod.keys()]);
  const denied = everybody ? undefined : forbidden(operation, caller);
  if (denied !== undefined) return denied;
  if (method !== 'GET' && isForeign(request)) {
    return problem(403, 'forbidden', 'A page of another site may not change anything here.');
  }
  if (path.startsWith('/api/v1/') && handle.documents === undefined) {
    return problem(404, 'not_found', 'This gateway keeps no documents.');
  }
  const query = new URLSearchParams(search);
  return operation.run({ handle, request, params: found.params, query, caller, clock, notice, doorkeeper });
}

/** A person with a browser goes to the login. */
function toLogin(refused: Answer, operation: Operation | undefined, request: IncomingMessage, can: boolean): Answer {
  if (!can || refused.status !== 401 || operation?.answer !== 'html' || request.headers.authorization !== undefined)
    return refused;
  return { status: 303, fields: { Location: '/auth/login' }, body: '' };
}

function forbidden({ role, tenants, path }: Operation, caller: Caller): Answer | undefined {
  if (role === 'none') return undefined;
  if (caller.tenant !== '' && tenants !== true) {
    return problem(403, 'forbidden', `${caller.name} may manage what belongs to ${caller.tenant}, and nothing else.`);
  }
  if (suffices(caller.role, role)) return undefined;
  return problem(403, 'forbidden', `${path} asks for the role ${role}; ${caller.name} has ${caller.role}.`);
}

function notAllowed(path: string, all: readonly string[]): Answer {
  const methods = all.includes('GET') ? ['GET', 'HEAD', ...all.filter((one) => one !== 'GET')] : [...all];
  const list = methods.length < 2 ? methods[0] : `${methods.slice(0, -1).join(', ')} and ${methods.at(-1)}`;
  const answer = problem(405, 'method_not_allowed', `${path} answers ${list} only.`);
  answer.fields.Allow = methods.join(', ');
  return answer;
}
