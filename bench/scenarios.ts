/** The named scenarios: what is asked, how it is answered, and what is measured. */
import type { Answer } from './load/channel.ts';
import type { Caller } from './measure/callers.ts';
import { FAILOVER, OVERLOAD, QUEUE, RELOAD, type TrialPlan } from './trial/plan.ts';

/** One part of a scenario; parts run one after the other against the same started proxy. */
export type Step =
  /** Closed loop: CPU per unit, rate, busy share, memory under load. */
  | { kind: 'closed'; connections: number; keepAlive: boolean; most: number }
  /** Closed loop in turns with the sides that it is compared to, on the same process: what is added to CPU per request. */
  | { kind: 'pairs'; connections: number; measured: Side; base: Side; carried?: Side }
  /** Closed loop over HTTP/2 by h2load: this many streams at once on each connection. */
  | { kind: 'http2'; connections: number; streams: number }
  /** Requests at a fixed rate: latency, taken against the direct run. `events` > 0: time to the first event. */
  | { kind: 'paced'; connections: number; perSecond: number; events: number; answer?: Answer }
  /** Streams with a steady flow: CPU per relayed event. */
  | { kind: 'flow'; streams: number; eventsPerSecond: number }
  /** Streams that stand open: memory per stream. */
  | { kind: 'open'; streams: number; eventsPerSecond: number };

/** Who asks on which route: one that lets everybody in, or one that asks who calls. */
export interface Side {
  route: 'open' | 'guarded';
  /** What the requests show of themselves; nothing where it is left out. */
  shows?: Caller;
}

/** One scenario. */
export interface Scenario {
  name: string;
  title: string;
  /** What CPU, or what is lost, is counted per. */
  unit: 'request' | 'event' | 'MiB' | '100 reloads' | 'kill';
  /** Units in one request. */
  unitsPerRequest: number;
  requestBytes: number;
  answerBytes: number;
  tls: boolean;
  everything: boolean;
  routes: { hosts: number; paths: number };
  /** Who calls; every peer has to let in just these. Everybody may where it is left out. */
  caller?: Caller;
  /** Limits by API key on the route that asks who calls: two on requests, and one on tokens too. Nobody reaches them. */
  limits?: 'requests' | 'tokens';
  /** What they use is written into the ledger as well. */
  ledger?: true;
  /** What the measured side of its pairs is compared to, in a word. */
  over?: string;
  /** HAProxy and the peer also get the load in turns. */
  beside?: true;
  /** Whether each round gets a newly started proxy; else one stands through all rounds. */
  fresh: boolean;
  steps: Step[];
  /** Instead of steps: what is done to the proxy while its clients' requests are counted. */
  trial?: TrialPlan;
}

const PACED: Step = { kind: 'paced', connections: 32, perSecond: 250, events: 0 };
const CLOSED: Step = { kind: 'closed', connections: 64, keepAlive: true, most: 2_000_000 };
const small = {
  unit: 'request' as const,
  unitsPerRequest: 1,
  requestBytes: 900,
  answerBytes: 350,
  tls: false,
  everything: false,
  routes: { hosts: 0, paths: 0 },
  fresh: false,
};

/**
 * The same callers on an open route and on one that asks who calls; and on the open one with what they show, which is what
 * the bytes of the field cost that nobody looks at. Each round gets a proxy of its own, for luck with compiled code lasts.
 */
const guarded = (caller: Caller) => ({
  caller,
  over: 'an open route',
  fresh: true,
  steps: [
    {
      kind: 'pairs' as const,
      connections: 64,
      measured: { route: 'guarded' as const, shows: caller },
      base: { route: 'open' as const },
      carried: { route: 'open' as const, shows: caller },
    },
  ],
});

const trial = { ...small, steps: [] };

/** Every scenario in the order of running. */
export const SCENARIOS: readonly Scenario[] = [
  {
    ...small,
    name: 'relay',
    title: '0.9 KB JSON POST, 0.35 KB answer, 64 connections',
    beside: true,
    steps: [CLOSED, PACED],
  },
  {
    ...small,
    name: 'everything',
    title: 'relay with model routing (others: map look-up), usage tap, access log to a file, metrics',
    everything: true,
    steps: [CLOSED, PACED],
  },
  {
    ...small,
    name: 'sse',
    title: '300 streams × 50 events/s of 0.2 KB',
    unit: 'event',
    steps: [{ kind: 'flow', streams: 300, eventsPerSecond: 50 }],
  },
  {
    ...small,
    name: 'sse-everything',
    title: '300 streams × 50 events/s with all that `everything` switches on',
    unit: 'event',
    everything: true,
    steps: [{ kind: 'flow', streams: 300, eventsPerSecond: 50 }],
  },
  {
    ...small,
    name: 'open-streams',
    title: '4,000 open streams, an event every 2 s each',
    fresh: true,
    steps: [{ kind: 'open', streams: 4000, eventsPerSecond: 0.5 }],
  },
  {
    ...small,
    name: 'apikey',
    title: 'relay for callers with 5,000 API keys in turn (HAProxy: deny unless the key is in its map)',
    ...guarded('apiKey'),
  },
  {
    ...small,
    name: 'jwt',
    title: 'relay for a caller with a token, RS256 (HAProxy: jwt_verify, expiry and audience)',
    ...guarded('jwt'),
  },
  {
    ...small,
    name: 'limits',
    title:
      'relay for callers with 5,000 API keys, each under a limit a second and one a minute (HAProxy: two stick tables)',
    ...guarded('apiKey'),
    limits: 'requests',
  },
  {
    ...small,
    name: 'limits-tokens',
    title: 'the same with a limit on tokens as well: the body is read, and usage from the answer',
    ...guarded('apiKey'),
    limits: 'tokens',
  },
  {
    ...small,
    name: 'limits-tokens-ledger',
    title: 'the same, and each request an entry of the usage ledger (SQLite)',
    ...guarded('apiKey'),
    limits: 'tokens',
    ledger: true,
  },
  {
    ...small,
    name: 'dpop',
    title: 'relay for a caller with a bound token and a new ES256 proof for each request',
    caller: 'dpop',
    over: 'a token alone',
    fresh: true,
    steps: [
      {
        kind: 'pairs',
        connections: 64,
        measured: { route: 'guarded', shows: 'dpop' },
        base: { route: 'guarded', shows: 'jwt' },
      },
    ],
  },
  {
    ...small,
    name: 'h2',
    title: 'relay over HTTP/2 without TLS, 8 connections with 8 streams each',
    beside: true,
    steps: [{ kind: 'http2', connections: 8, streams: 8 }],
  },
  {
    ...small,
    name: 'h2-single',
    title: 'relay over HTTP/2 without TLS, 64 connections with one stream each',
    beside: true,
    steps: [{ kind: 'http2', connections: 64, streams: 1 }],
  },
  { ...small, name: 'tls', title: 'relay with TLS from the client', tls: true, beside: true, steps: [CLOSED, PACED] },
  {
    ...small,
    name: 'connect',
    title: 'relay with a new client connection for each request',
    steps: [{ kind: 'closed', connections: 16, keepAlive: false, most: 100_000 }],
  },
  {
    ...small,
    name: 'large',
    title: '1 MiB request body and 1 MiB answer, 8 connections',
    unit: 'MiB',
    unitsPerRequest: 2,
    requestBytes: 1_048_576,
    answerBytes: 1_048_576,
    steps: [
      { ...CLOSED, connections: 8, most: 20_000 },
      { ...PACED, perSecond: 20 },
    ],
  },
  {
    ...small,
    name: 'routes',
    title: 'relay through 10,000 routes (1,000 hosts × 10 paths)',
    routes: { hosts: 1000, paths: 10 },
    steps: [CLOSED, PACED],
  },
  {
    ...small,
    name: 'ttft',
    title: 'added time to the first token, 100 short streams a second',
    steps: [{ kind: 'paced', connections: 32, perSecond: 100, events: 5, answer: { kind: 'short', events: 5 } }],
  },
  {
    ...trial,
    name: 'reload',
    title:
      'reloads under 300 requests/s, a third of them on new connections, and 20 open streams; every request is counted',
    unit: '100 reloads',
    trial: RELOAD,
  },
  {
    ...trial,
    name: 'failover',
    title: 'one of 3 servers after the other killed and back, 1,000 requests/s; every request is counted',
    unit: 'kill',
    trial: FAILOVER,
  },
  {
    ...trial,
    name: 'overload',
    title: '600 requests/s for a server that can answer 200/s; clients wait 2 s',
    trial: OVERLOAD,
  },
  {
    ...trial,
    name: 'queue',
    title: '600 requests/s of 7 tenants in 3 classes for a server that can answer 200/s, behind a queue',
    trial: QUEUE,
  },
];

/** How long the parts take, in seconds. */
export interface Times {
  warmUp: number;
  measure: number;
  settle: number;
  /** Of runs of pairs: bouts, in which each side gets two turns of `slice`. */
  bouts: number;
  slice: number;
  /** Reloads and kills in a round, and seconds of overload. */
  reloads: number;
  kills: number;
  overload: number;
}

/** Times of a full run. */
export const FULL: Times = {
  warmUp: 1.5,
  measure: 3,
  settle: 3,
  bouts: 20,
  slice: 0.3,
  reloads: 100,
  kills: 12,
  overload: 10,
};
/** Times of a quick run. */
export const QUICK: Times = {
  warmUp: 0.7,
  measure: 1.2,
  settle: 1.5,
  bouts: 8,
  slice: 0.2,
  reloads: 20,
  kills: 3,
  overload: 4,
};
