/**
 * The data plane of one worker inside the test's own process, on real sockets: time may stand still (`ManualClock`), every
 * event is seen, and a stream that has nothing to do with the test runs beside it all along.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { z } from 'zod';
import type { Worker } from '../src/gatehouse/worker.ts';
import { createGatehouse } from '../src/gatehouse.ts';
import { type Clock, ManualClock, systemClock } from '../src/kernel/clock.ts';
import { type EndpointEvent, Events } from '../src/kernel/event.ts';
import { listenerConfig } from '../src/listen/config.ts';
import { accessConfig } from '../src/policy/access/config.ts';
import { chaosConfig } from '../src/policy/chaos/config.ts';
import { overloadConfig } from '../src/policy/overload/config.ts';
import type { Readings } from '../src/policy/overload/overload.ts';
import { modelConfig, routeConfig } from '../src/route/config.ts';
import { upstreamConfig } from '../src/upstream/config.ts';
import type { Lookup } from '../src/upstream/resolve.ts';
import type { Message } from './message.ts';
import { type RawPeer, type RawServer, rawClient, rawServer } from './raw.ts';

type UpstreamInput = z.input<typeof upstreamConfig>;

/** What a test sets; everything has a default. */
export interface InProcessOptions {
  /** The upstream `main`: its URL, or its settings. */
  upstream: string | UpstreamInput;
  /** Further upstreams. */
  upstreams?: Record<string, UpstreamInput>;
  /** Settings of the listener `public`, without its address. */
  listener?: Omit<z.input<typeof listenerConfig>, 'address'>;
  models?: Record<string, z.input<typeof modelConfig>>;
  /** Routes; everything goes to `main` when left out. */
  routes?: z.input<typeof routeConfig>[];
  chaos?: z.input<typeof chaosConfig>;
  overload?: z.input<typeof overloadConfig>;
  access?: z.input<typeof accessConfig>;
  readings?: () => Readings;
  files?: Record<string, string>;
  clock?: Clock;
  lookup?: Lookup;
}

/** What was left of an exchange when it ended. */
export interface Ended {
  id: string;
  status: number;
  outcome: string;
  code: string | undefined;
  tries: number;
  endpoint: string;
  requestBytes: number;
  responseBytes: number;
  /** Tokens that a model had generated, for answers that are read. */
  outputTokens: number;
}

/** A worker that listens. */
export interface InProcess {
  readonly worker: Worker;
  /** Port of the listener `public`. */
  readonly port: number;
  /** Exchanges that have ended, in order. */
  readonly ended: Ended[];
  readonly notices: string[];
  readonly endpoints: EndpointEvent[];
  /** How often faults of this kind were counted. */
  faults(kind: string): number;
  /** All that were counted, for messages. */
  counted(): Record<string, number>;
  /** Resolves when `condition` holds; looked at after every event and every turn of the loop. */
  until(what: string, condition: () => boolean): Promise<void>;
  /** Sends bytes through the stream that runs beside the test and checks that exactly these arrive. */
  unharmed(): Promise<void>;
  client(): Promise<RawPeer>;
  /** Sends bytes on a new connection, takes one message and goes. */
  ask(bytes: string, head?: boolean): Promise<Message>;
  /** Moves a manual clock on, once everything sent so far has been read. */
  advance(ms: number): Promise<void>;
  /** Ends everything and checks that no connection is left and that no mistake of ours was noticed. */
  close(): Promise<void>;
}

const DAY = '1d';
const PATIENCE_MS = 60_000;

/** Starts a worker and the stream beside. */
export async function startInProcess(options: InProcessOptions): Promise<InProcess> {
  const clock = options.clock ?? systemClock;
  const events = new Events();
  const counts = new Map<string, number>();
  const ended: Ended[] = [];
  const notices: string[] = [];
  const endpoints: EndpointEvent[] = [];
  let opened = 0;
  let closed = 0;
  events.on('fault', ({ kind }) => counts.set(kind, (counts.get(kind) ?? 0) + 1));
  events.on('notice', ({ message }) => notices.push(message));
  events.on('endpointChanged', (event) => endpoints.push({ ...event }));
  events.on('connectionOpened', () => opened++);
  events.on('connectionClosed', () => closed++);
  events.on('requestEnded', (exchange) => {
    const { id, status, outcome, tries, endpoint, requestBytes, responseBytes } = exchange;
    const code = exchange.error?.code;
    const outputTokens = exchange.usage?.outputTokens ?? 0;
    ended.push({ id, status, outcome, code, tries, endpoint, requestBytes, responseBytes, outputTokens });
  });

  const besideServer = await rawServer(async (peer) => {
    await peer.read();
    await peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  });
  const { upstream } = options;
  const main: UpstreamInput =
    typeof upstream === 'string' ? { endpoints: [{ url: upstream }], timeouts: { connect: DAY } } : upstream;
  const beside: UpstreamInput = {
    endpoints: [{ url: besideServer.url }],
    timeouts: { connect: DAY, firstByte: DAY, idle: DAY, total: DAY },
  };
  const address = '127.0.0.1:0';
  const routes = options.routes ?? [{ name: 'all', match: {}, upstream: 'main' }];
  const parseAll = <In, Out>(schema: { parse(value: unknown): Out }, all: Record<string, In>): Record<string, Out> =>
    Object.fromEntries(Object.entries(all).map(([name, value]) => [name, schema.parse(value)]));
  const config = {
    listeners: parseAll(listenerConfig, {
      public: { address, ...options.listener },
      beside: { address, timeouts: { write: DAY } },
    }),
    upstreams: parseAll(upstreamConfig, { main, beside, ...options.upstreams }),
    models: parseAll(modelConfig, options.models ?? {}),
    access: accessConfig.parse(options.access ?? {}),
    overload: overloadConfig.parse(options.overload ?? {}),
    chaos: chaosConfig.parse(options.chaos ?? {}),
    routes: [{ name: 'beside', match: { path: '/beside' }, upstream: 'beside' }, ...routes].map((route) =>
      routeConfig.parse(route),
    ),
  };
  const worker = createGatehouse(
    { config, files: options.files ?? {} },
    {
      clock,
      events,
      pseudonym: 'gatehouse-test',
      idPrefix: 'r-',
      ...(options.readings === undefined ? {} : { readings: options.readings }),
      ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
    },
  );
  await worker.start();
  for (const name of ['public', 'beside']) await worker.doors.listen(name, { port: 0, host: '127.0.0.1' });
  const portOf = (name: string) => (worker.doors.address(name) as AddressInfo).port;
  const stream = await openBeside(portOf('beside'), besideServer);

  const gateway: InProcess = {
    worker,
    port: portOf('public'),
    ended,
    notices,
    endpoints,
    faults: (kind) => counts.get(kind) ?? 0,
    counted: () => Object.fromEntries(counts),
    until,
    unharmed: () => stream.check(),
    client: () => rawClient(gateway.port),
    async ask(bytes, head = false) {
      const peer = await gateway.client();
      try {
        await peer.send(bytes);
        return await peer.read({ head });
      } finally {
        peer.close();
      }
    },
    async advance(ms) {
      await stream.check();
      ok(clock instanceof ManualClock, 'only a ManualClock can be moved');
      clock.advance(ms);
    },
    async close() {
      await stream.check();
      stream.end();
      const drained = worker.drain(0);
      if (clock instanceof ManualClock) clock.advance(20);
      await drained;
      await besideServer.close();
      equal(closed, opened, 'every connection that was opened has been closed');
      deepEqual(
        notices.filter((text) => /^request |^observer /.test(text)),
        [],
        'no mistake of ours was noticed',
      );
    },
  };
  return gateway;
}

/** Runs `use` with a worker, then closes it. */
export async function withGateway(
  options: InProcessOptions,
  use: (gateway: InProcess) => Promise<void>,
): Promise<void> {
  const gateway = await startInProcess(options);
  let failed = true;
  try {
    await use(gateway);
    failed = false;
  } finally {
    // What failed first is what counts.
    if (failed) await gateway.close().catch(() => {});
    else await gateway.close();
  }
}

/** Runs `use` with a server that a test plays, then closes it. */
export async function withServer(
  play: (peer: RawPeer, number: number) => Promise<void> | void,
  use: (server: RawServer) => Promise<void>,
): Promise<void> {
  const server = await rawServer(play);
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

/** Resolves when `condition` holds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Checks an answer that Gatehouse made itself: status, Proxy-Status (RFC 9209), error body, and the connection's fate. */
export function assertRefusal(
  message: Message,
  expected: { status: number; code: string; proxyError?: string; close: boolean },
): void {
  const { status, code, proxyError, close } = expected;
  equal(message.status, status, message.raw);
  const cause = message.field('proxy-status') ?? '';
  equal(/details="([^"]*)"/.exec(cause)?.[1], code, message.raw);
  if (proxyError !== undefined) equal(/error=([^;]*)/.exec(cause)?.[1], proxyError);
  equal(message.field('connection'), close ? 'close' : undefined, message.raw);
  ok(message.field('x-request-id'), 'it has a request id');
  const body = JSON.parse(message.body) as { code?: string; error?: { code?: string } };
  equal(body.code ?? body.error?.code, code);
}

interface Beside {
  check(): Promise<void>;
  end(): void;
}

async function openBeside(port: number, server: RawServer): Promise<Beside> {
  const [peer, response] = await Promise.all([
    server.connection(0),
    new Promise<IncomingMessage>((resolve, reject) => {
      get({ host: '127.0.0.1', port, path: '/beside', agent: false }, resolve).on('error', reject);
    }),
  ]);
  let received = '';
  let broken = '';
  response.setEncoding('latin1');
  response.on('data', (text: string) => {
    received += text;
  });
  response.on('error', (error) => {
    broken = error.message;
  });
  return {
    async check() {
      const sent = randomBytes(16).toString('hex');
      await peer.send(`${sent.length.toString(16)}\r\n${sent}\r\n`);
      await until('the stream beside', () => broken !== '' || received.length >= sent.length);
      equal(broken, '', 'the stream beside goes on');
      equal(received, sent, 'the stream beside is byte-identical');
      received = '';
    },
    end() {
      response.destroy();
    },
  };
}
