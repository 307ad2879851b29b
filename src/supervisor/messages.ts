/**
 * The messages between supervisor and workers: one union each way, every message with a version `v`, and the shapes by which
 * the receiving end checks them.
 */
import type { BreakerEvent } from '../kernel/event.ts';

/** Version of every message below; raise it when the meaning of a field changes (adding a field needs no raise). */
export const CHANNEL_VERSION = 1;

/** What the prober knows about one endpoint. */
export interface EndpointHealth {
  upstream: string;
  endpoint: string;
  healthy: boolean;
  /** For logs and metrics: `status 503`, `connection refused`, … */
  reason: string;
  /** It has passed a probe since requests failed there, which ends ejections. */
  cleared?: boolean;
}

/** How an upstream's requests are shared between its levels, nearest first. */
export interface UpstreamLevels {
  upstream: string;
  levels: readonly { readonly endpoints: readonly string[]; readonly healthyShare: number; readonly load: number }[];
}

/** What is known about the breaker of one endpoint, whoever found it out. */
export type BreakerChange = Omit<BreakerEvent, 'own'>;

/** What the agent beside one server says. */
export interface AgentChange {
  upstream: string;
  endpoint: string;
  up: boolean;
  drained: boolean;
  /** Share of the configured weight. */
  share: number;
  /** Requests at once in one worker; 0: no limit. */
  maxConnections: number;
  reason: string;
}

/** A configuration that was accepted, with the contents of the files it names. Never changed once made. */
export interface Snapshot<C = unknown> {
  /** Grows by one with every accepted configuration. */
  generation: number;
  config: C;
  /** Path → contents, of certificates, keys and the like: a worker reads no disk. */
  files: Record<string, string>;
}

/** A question of a worker. */
export interface Ask {
  id: number;
  service: string;
  payload: unknown;
}

/** What the supervisor says to it: a value, or why there is none. */
export interface Answer {
  id: number;
  value?: unknown;
  failed?: string;
}

/** A change of a topic; with `load`, a part of all that there is to know of it. */
export interface TopicPage {
  topic: string;
  payload: unknown;
  load?: 'only' | 'first' | 'more' | 'last';
}

/** Supervisor → worker. */
export type ToWorker =
  /** Compile and swap in; answered by `snapshotApplied` or `snapshotFailed` (then the old one goes on). */
  | { type: 'snapshot'; snapshot: Snapshot; health: EndpointHealth[] }
  /** While it drains: judge what is under way by this configuration. Nothing else of it holds. */
  | { type: 'inForce'; config: object }
  /** Accept on the bound handle that travels with it; answered by `listening` or `listenFailed`. */
  | { type: 'listen'; listener: string; address: string }
  /** Stop accepting there; connections live on. */
  | { type: 'unlisten'; listener: string; address: string }
  | { type: 'endpointHealth'; changes: EndpointHealth[] }
  /** Faults switched on at run time, all that run now; opaque here. */
  | { type: 'chaos'; running: readonly unknown[] }
  | { type: 'breakers'; changes: BreakerChange[] }
  /** The answer to `probe` with `take`. */
  | { type: 'probeGranted'; upstream: string; endpoint: string; granted: boolean }
  | { type: 'agents'; changes: AgentChange[] }
  /** Open the access log file anew: it was renamed. */
  | { type: 'reopenLog' }
  | { type: 'answers'; answers: Answer[] }
  /** A service says something by itself; see `tell`. */
  | { type: 'said'; service: string; payload: unknown }
  | ({ type: 'topic' } & TopicPage)
  /** Answered by `marked`, when all topics that were told before it have been taken. */
  | { type: 'mark'; id: number }
  /** Stop accepting, let requests end, answer `drained`, exit. */
  | { type: 'drain'; deadlineMs: number };

/** Worker → supervisor. */
export type ToSupervisor =
  | { type: 'hello'; pid: number; node: string }
  | { type: 'snapshotApplied'; generation: number }
  | { type: 'snapshotFailed'; generation: number; reason: string }
  | { type: 'listening'; listener: string; address: string }
  | { type: 'listenFailed'; listener: string; address: string; reason: string }
  /** All counters of this worker since its start; opaque here. */
  | { type: 'metrics'; snapshot: unknown }
  /** Passive marking: what real requests met at an endpoint. */
  | { type: 'endpointObserved'; upstream: string; endpoint: string; healthy: boolean; reason: string }
  /** It had stopped accepting there and has closed the handle: send it again. */
  | { type: 'relisten'; listener: string }
  /** The shares of an upstream's levels have changed. */
  | ({ type: 'levels' } & UpstreamLevels)
  /** A breaker has changed by what this worker's requests met. */
  | { type: 'breaker'; change: BreakerChange }
  /** Asks for the one probe of an open breaker (`take`), or gives it back unused. */
  | { type: 'probe'; upstream: string; endpoint: string; take: boolean }
  | { type: 'notice'; level: 'info' | 'warn' | 'error'; message: string; attributes: Record<string, unknown> }
  | { type: 'ask'; asks: Ask[] }
  /** Tells a service something; whether and when it says anything is between the two. */
  | { type: 'tell'; service: string; payload: unknown }
  | { type: 'marked'; id: number }
  | { type: 'heartbeat' }
  /** It was told by someone else (a signal) to go: replace it now. */
  | { type: 'leaving'; reason: string }
  | { type: 'drained' };

/** What a field is. */
export type Kind = 'string' | 'number' | 'boolean' | 'object' | 'array' | 'any';
/** Message type → its required fields. */
export type Shapes<M extends { type: string }> = { [K in M['type']]: { [F in keyof Extract<M, { type: K }>]?: Kind } };

/** Shapes that a worker accepts. */
export const TO_WORKER: Shapes<ToWorker> = {
  snapshot: { snapshot: 'object', health: 'array' },
  inForce: { config: 'object' },
  listen: { listener: 'string', address: 'string' },
  unlisten: { listener: 'string', address: 'string' },
  endpointHealth: { changes: 'array' },
  chaos: { running: 'array' },
  breakers: { changes: 'array' },
  probeGranted: { upstream: 'string', endpoint: 'string', granted: 'boolean' },
  agents: { changes: 'array' },
  reopenLog: {},
  answers: { answers: 'array' },
  said: { service: 'string', payload: 'any' },
  topic: { topic: 'string', payload: 'any' },
  mark: { id: 'number' },
  drain: { deadlineMs: 'number' },
};

/** Shapes that the supervisor accepts. */
export const TO_SUPERVISOR: Shapes<ToSupervisor> = {
  hello: { pid: 'number', node: 'string' },
  snapshotApplied: { generation: 'number' },
  snapshotFailed: { generation: 'number', reason: 'string' },
  listening: { listener: 'string', address: 'string' },
  listenFailed: { listener: 'string', address: 'string', reason: 'string' },
  metrics: { snapshot: 'any' },
  endpointObserved: { upstream: 'string', endpoint: 'string', healthy: 'boolean', reason: 'string' },
  relisten: { listener: 'string' },
  levels: { upstream: 'string', levels: 'array' },
  breaker: { change: 'object' },
  probe: { upstream: 'string', endpoint: 'string', take: 'boolean' },
  notice: { level: 'string', message: 'string', attributes: 'object' },
  ask: { asks: 'array' },
  tell: { service: 'string', payload: 'any' },
  marked: { id: 'number' },
  heartbeat: {},
  leaving: { reason: 'string' },
  drained: {},
};
