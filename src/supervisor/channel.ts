/**
 * The typed channel between supervisor and workers: one union of messages each way, every message with a version `v`.
 * It runs over Node's IPC (`child_process.fork`). A message of an unknown type, version or shape is reported and
 * ignored, so that an old worker survives a newer supervisor during an upgrade, and the other way round.
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
  | ({ type: 'topic' } & TopicPage)
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
  | { type: 'heartbeat' }
  /** It was told by someone else (a signal) to go: replace it now. */
  | { type: 'leaving'; reason: string }
  | { type: 'drained' };

type Kind = 'string' | 'number' | 'boolean' | 'object' | 'array' | 'any';
/** Message type → its required fields. */
type Shapes<M extends { type: string }> = { [K in M['type']]: { [F in keyof Extract<M, { type: K }>]?: Kind } };

/** Shapes that a worker accepts. */
export const TO_WORKER: Shapes<ToWorker> = {
  snapshot: { snapshot: 'object', health: 'array' },
  listen: { listener: 'string', address: 'string' },
  unlisten: { listener: 'string', address: 'string' },
  endpointHealth: { changes: 'array' },
  chaos: { running: 'array' },
  breakers: { changes: 'array' },
  probeGranted: { upstream: 'string', endpoint: 'string', granted: 'boolean' },
  agents: { changes: 'array' },
  reopenLog: {},
  answers: { answers: 'array' },
  topic: { topic: 'string', payload: 'any' },
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
  heartbeat: {},
  leaving: { reason: 'string' },
  drained: {},
};

/** The end of an IPC pipe: a `ChildProcess`, or `process` in the child. */
export interface Port {
  readonly connected: boolean;
  send?(message: object, handle: unknown, options: object, callback: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: unknown, handle: unknown) => void): unknown;
}

/** What the two ends do with what arrives. */
export interface ChannelHandlers<In> {
  message(message: In, handle: unknown): void;
  /** A message that was ignored, or could not be sent; a sentence for the log. */
  trouble(reason: string): void;
  /** The other side has caught up after `offer` said no. */
  caughtUp?(): void;
}

/** Messages that may wait unsent before `offer` says no: a process that is stuck must not fill ours. */
const MAX_WAITING = 64;

/** One end of the channel. */
export class Channel<Out extends { type: string }, In extends { type: string }> {
  readonly #port: Port;
  readonly #shapes: Record<string, Record<string, Kind | undefined>>;
  readonly #handlers: ChannelHandlers<In>;
  #waiting = 0;
  #refused = false;
  readonly #flushed: (() => void)[] = [];

  /** `shapes`: what this end accepts. */
  constructor(port: Port, shapes: Shapes<In>, handlers: ChannelHandlers<In>) {
    this.#port = port;
    this.#shapes = shapes as Record<string, Record<string, Kind | undefined>>;
    this.#handlers = handlers;
    port.on('message', (raw, handle) => {
      const problem = this.#check(raw);
      if (problem === undefined) handlers.message(raw as In, handle);
      else handlers.trouble(`ignored ${problem}`);
    });
  }

  /** Messages handed over that the other process has not taken yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Sends what must arrive. A closed channel drops it: the end of the process is noticed elsewhere. */
  send(message: Out, handle?: unknown): void {
    if (!this.#port.connected || !this.#port.send) return;
    this.#waiting++;
    this.#port.send({ v: CHANNEL_VERSION, ...message }, handle, {}, (error) => {
      this.#waiting--;
      if (this.#waiting === 0) for (const done of this.#flushed.splice(0)) done();
      if (error && this.#port.connected) this.#handlers.trouble(`could not send ${message.type}: ${error.message}`);
      if (this.#refused && this.#waiting < MAX_WAITING / 2) {
        this.#refused = false;
        this.#handlers.caughtUp?.();
      }
    });
  }

  /** Resolves when everything sent has left this process, or cannot leave any more. */
  async flush(): Promise<void> {
    if (this.#waiting > 0 && this.#port.connected) await new Promise<void>((done) => this.#flushed.push(done));
  }

  /** Sends what may be left out or said again later; false when the other side is too far behind. */
  offer(message: Out): boolean {
    if (this.#waiting >= MAX_WAITING) {
      this.#refused = true;
      return false;
    }
    this.send(message);
    return true;
  }

  #check(raw: unknown): string | undefined {
    if (typeof raw !== 'object' || raw === null) return 'a message that is no object';
    const message = raw as Record<string, unknown>;
    const type = String(message.type);
    if (message.v !== CHANNEL_VERSION) return `message ${type} of version ${message.v} (this is ${CHANNEL_VERSION})`;
    const shape = Object.hasOwn(this.#shapes, type) ? this.#shapes[type] : undefined;
    if (!shape) return `unknown message ${type}`;
    for (const field in shape) {
      const value = message[field];
      const kind = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
      if (shape[field] !== 'any' && kind !== shape[field]) return `message ${type} whose ${field} is ${kind}`;
    }
    return undefined;
  }
}
