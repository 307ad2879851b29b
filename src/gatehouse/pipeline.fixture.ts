/** The pipeline without sockets, for the tests of this room: a request in, what was decided or answered out. */

import { planConfig, tenantConfig, wholeRouteConfig } from '../config/config.ts';
import { HttpFault } from '../http/fault.ts';
import { findHeadEnd } from '../http/head.ts';
import { parseRequest, type Request } from '../http/request.ts';
import { ManualClock } from '../kernel/clock.ts';
import { Events } from '../kernel/event.ts';
import { Exchange, type Inbound, type InboundSink } from '../kernel/exchange.ts';
import { listenerConfig } from '../listen/config.ts';
import { accessConfig } from '../policy/access/config.ts';
import { Registry } from '../policy/authorize/authorize.ts';
import { authorizeConfig } from '../policy/authorize/config.ts';
import { modelConfig } from '../route/config.ts';
import { upstreamConfig } from '../upstream/config.ts';
import { authenticate, authenticateByModel } from './authenticate.ts';
import { authorize, permitModel } from './authorize.ts';
import { chooseModel } from './choose.ts';
import { ANSWERED, type Passage, type Step } from './passage.ts';
import type { SnapshotInput } from './snapshot.ts';
import { compose, guard, identify, peek, readModel, route } from './stages.ts';
import { Worker } from './worker.ts';

/** Settings as a file has them; what is left out has its default. */
export interface Settings {
  upstreams?: Record<string, object>;
  models?: Record<string, object>;
  routes?: object[];
  access?: object;
  plans?: Record<string, object>;
  tenants?: Record<string, object>;
  authorize?: object;
}

const LIMITS = { head: 32_768, uri: 8192, fields: 100, body: 1 << 20 };

const parseAll = <T>(schema: { parse(value: unknown): T }, parts: Record<string, object>): Record<string, T> =>
  Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, schema.parse(part)]));

/** What a worker gets, from settings. */
export function makeInput(settings: Settings = {}, files: Record<string, string> = {}): SnapshotInput {
  const endpoints = [{ url: 'http://10.0.0.1:80' }];
  return {
    config: {
      listeners: parseAll(listenerConfig, { public: { address: '127.0.0.1:0' } }),
      upstreams: parseAll(
        upstreamConfig,
        settings.upstreams ?? {
          gpu: { protocol: 'openai', endpoints },
          other: { protocol: 'anthropic', endpoints },
          web: { endpoints },
        },
      ),
      models: parseAll(modelConfig, settings.models ?? { m: { versions: [{ name: 'v', upstream: 'gpu' }] } }),
      routes: (settings.routes ?? [{ name: 'ai', match: { path: '/v1/*' }, models: ['*'] }]).map((one) =>
        wholeRouteConfig.parse(one),
      ),
      access: accessConfig.parse(settings.access ?? {}),
      plans: parseAll(planConfig, settings.plans ?? {}),
      tenants: parseAll(tenantConfig, settings.tenants ?? {}),
      authorize: authorizeConfig.parse(settings.authorize ?? {}),
    },
    files,
  };
}

/** What a client was answered. */
export interface Answered {
  status: number;
  fields: string;
  body: string;
  /** The connection closes after it. */
  closes: boolean;
}

/** A worker whose pipeline ends before it would forward. */
export function makeWorker(settings: Settings = {}) {
  const clock = new ManualClock();
  const events = new Events();
  const faults: string[] = [];
  const ended: Exchange[] = [];
  const notices: string[] = [];
  events.on('fault', ({ kind }) => faults.push(kind));
  events.on('requestEnded', (exchange) => ended.push(exchange));
  events.on('notice', ({ message }) => notices.push(message));
  let forwarded: Passage | undefined;
  const capture = (passage: Passage): Step => {
    forwarded = passage;
    return ANSWERED;
  };
  const stages = [
    identify,
    guard,
    route,
    authenticate,
    authorize,
    peek,
    readModel,
    authenticateByModel,
    permitModel,
    chooseModel,
    compose,
    capture,
  ];
  const registry = new Registry();
  const parts = { registry, clock, events, pseudonym: 'gatehouse-test', idPrefix: 'id-' };
  const worker = new Worker(stages, makeInput(settings), parts);

  /** A request that has come and has not met the pipeline: first line, field lines, body. Host and Content-Length are added. */
  const come = (line: string, fields: string[] = [], body?: string, inbound: Partial<Inbound> = {}) => {
    const head = makeHead(line, fields, body);
    const client = makeInbound(body, inbound);
    return { exchange: new Exchange(client.inbound, head, head.length), client };
  };
  /** Sends it through the pipeline. */
  const send = (line: string, fields: string[] = [], body?: string, inbound: Partial<Inbound> = {}) => {
    forwarded = undefined;
    const { exchange, client } = come(line, fields, body, inbound);
    worker.onRequest(exchange);
    return { exchange, forwarded: forwarded as Passage | undefined, answer: client.answered };
  };
  return { worker, registry, clock, events, faults, ended, notices, come, send };
}

function makeHead(line: string, fields: string[], body: string | undefined): Request {
  const lines = [`${line} HTTP/1.1`, ...fields];
  if (!fields.some((field) => /^host:/i.test(field))) lines.push('Host: api.test');
  if (body !== undefined) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  const buffer = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  const head = parseRequest(buffer, 0, findHeadEnd(buffer, 0, buffer.length), LIMITS);
  if (head instanceof HttpFault) throw new Error(head.message);
  return head;
}

/** A client that sends its body in two pieces at once and remembers what it is answered; `other`: what differs. */
function makeInbound(body: string | undefined, other: Partial<Inbound>) {
  let closes = false;
  const client = {
    inbound: undefined as unknown as Inbound,
    answered: undefined as Answered | undefined,
    aborted: false,
  };
  client.inbound = {
    clientAddress: '203.0.113.9',
    peer: { address: '203.0.113.9', port: 4711, trusted: false },
    listener: 'public',
    scheme: 'https',
    start(sink: InboundSink) {
      const bytes = Buffer.from(body ?? '');
      const half = bytes.length >> 1;
      if (half > 0) sink.onRequestData(bytes, 0, half);
      if (bytes.length > half) sink.onRequestData(bytes, half, bytes.length);
      sink.onRequestEnd('');
    },
    pause() {},
    resume() {},
    interim() {},
    closeAfter() {
      closes = true;
    },
    head(status, _reason, fields) {
      client.answered = { status, fields, body: '', closes };
    },
    write(buffer, start, end) {
      if (client.answered) client.answered.body += buffer.toString('utf8', start, end);
      return true;
    },
    end() {},
    abort() {
      client.aborted = true;
    },
    ...other,
  };
  return client;
}
