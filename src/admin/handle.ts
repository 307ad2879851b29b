/** What the admin API knows of the rest: a narrow face that the supervisor implements. */
import type { Ledger } from '../store/ledger.ts';
import type { Store } from '../store/store.ts';
import type { AdminConfig } from './config.ts';

/** A worker, as `/api/status` shows it. */
export interface WorkerStatus {
  id: string;
  pid: number;
  state: 'starting' | 'ready' | 'draining';
  uptimeMs: number;
  /** The configuration that it serves: for a moment after a reload still the one before. */
  generation: number;
  /** How often this worker's place was filled anew after a death. */
  restarts: number;
  /** How burdened it is, as it last reported (about once a second). */
  load: {
    underWay: number;
    /** Busy share of a core, 0 to 1. */
    cpu: number;
    /** Processor time of a request. */
    ownTimeMs: number;
    /** Requests a second that `overload.system` takes; 0: as many as come. */
    rate: number;
    /** Part of what is new that memory, heap or event loop have refused, 0 to 1. */
    shedding: number;
  };
}

/** A listener that is bound. */
export interface ListenerStatus {
  name: string;
  /** `HOST:PORT` as bound, or `unix:/path`. */
  address: string;
  tls: boolean;
}

/** An endpoint of an upstream. */
export interface EndpointStatus {
  name: string;
  url: string;
  weight: number;
  healthy: boolean;
  /** Why it is as it is: what the last probe said, or the passive marking. */
  reason: string;
  /** Requests under way, all workers; left out where nobody counts them. */
  inFlight?: number;
  /** Workers that hold it out by passive marking. */
  ejectedBy: number;
  breaker: 'closed' | 'open' | 'halfOpen';
  /** Why the breaker is not closed; left out while it is. */
  breakerReason?: string;
  /** The breaker is held where it is by an operator. */
  breakerForced?: true;
  /** What the agent beside the server said last, where one is asked. */
  agent?: string;
}

/** A breaker that is not simply closed. */
export interface BreakerStatus {
  upstream: string;
  endpoint: string;
  state: 'closed' | 'open' | 'halfOpen';
  forced: boolean;
  reason: string;
  /** How long it stays open yet, in milliseconds. */
  forMs: number;
}

/** A priority level of an upstream; the nearest is 0. */
export interface LevelStatus {
  level: number;
  /** Names of its endpoints. */
  endpoints: string[];
  /** Share of its weight that is available, from 0 to 1: mean over the workers. */
  healthyShare: number;
  /** Share of the requests it takes, from 0 to 1: mean over the workers. */
  load: number;
}

/** An upstream with its endpoints. */
export interface UpstreamStatus {
  name: string;
  protocol: string;
  balance: string;
  endpoints: EndpointStatus[];
  /** Where zones, regions or explicit levels make more than one. */
  levels?: LevelStatus[];
}

/** The queue of an upstream. */
export interface QueueStatus {
  upstream: string;
  waiting: number;
  length: number;
  /** What a newcomer of least importance would wait, as it goes now. */
  estimatedWaitMs: number;
  classes: { priority: number; waiting: number; tenants: number; oldestMs: number }[];
  endpoints: { name: string; limit: number; granted: number; used: number; adaptive?: object }[];
}

/** A fault that is injected on purpose. */
export interface FaultStatus {
  name: string;
  /** What it does to whom, in words. */
  what: string;
  /** `admin`: switched on at run time, until `endsAt`; `configuration`: there until the file changes. */
  by: 'admin' | 'configuration';
  /** RFC 3339. */
  endsAt?: string;
  endsInMs?: number;
}

/** How a request to change something was taken: what stands now, or why not. */
export type Changed = { ok: true; value: unknown } | { ok: false; problems: readonly string[] };

/** The answer of `/api/status`. Times are durations in milliseconds. */
export interface AdminStatus {
  version: string;
  node: string;
  pid: number;
  uptimeMs: number;
  /** Counts applied configurations, from 1; `configError` says why the newest file was not applied. */
  generation: number;
  configError?: string;
  workers: WorkerStatus[];
  listeners: ListenerStatus[];
  upstreams: UpstreamStatus[];
  /** Faults injected on purpose; left out while there are none. */
  chaos?: FaultStatus[];
}

/** Whether the process lives, and whether it should get traffic. */
export interface AdminHealth {
  live: boolean;
  ready: boolean;
  /** What is wrong, in words; empty when both are true. */
  reasons: string[];
}

/** How something that was asked for ended; refused, everything is as before. */
export type Outcome =
  | { ok: true; generation: number /** One line for each setting that changes. */; changes?: string[] }
  | { ok: false; problems: readonly string[] };

/** Documents that are kept beyond a restart. */
export interface AdminDocuments {
  /** Opens the store where it is not open yet. Rejects with a `StoreError`. */
  store(): Promise<Store>;
  /** Under which new keys are hashed; '' when none is set. */
  pepper(): string;
  /** Names of the configuration in force that documents may bear. */
  names?(): AdminNames;
}

/** See `AdminDocuments.names`. */
export interface AdminNames {
  readonly plans: readonly string[];
  /** Ids of API keys, and of clients of the token service. */
  readonly keys: readonly string[];
  readonly clients: readonly string[];
  /** All listeners, and those that serve domains of the store. */
  readonly listeners: readonly string[];
  readonly serving: readonly string[];
}

/** How something about a limit was taken: what stands now, or why nothing was done. */
export type LimitChange = Promise<{ ok: true; value: object } | { ok: false; problems: readonly string[] }>;

/** Limits and budgets while they run. `who` goes into the history. */
export interface AdminLimits {
  /** Who is near which limit, the nearest first, and what was changed. */
  list(most: number): Promise<object>;
  raise(order: Readonly<Record<string, unknown>>, who: string): LimitChange;
  restore(order: Readonly<Record<string, unknown>>, who: string): LimitChange;
  release(order: Readonly<Record<string, unknown>>, who: string): LimitChange;
}

/** What the admin API asks. What is not a promise is answered from memory. */
export interface AdminHandle {
  /** Settings of the port as they are in force. */
  settings(): Pick<AdminConfig, 'access' | 'anonymous'>;
  documents?: AdminDocuments;
  /** What was used; undefined: none is kept. */
  ledger?(): Ledger | undefined;
  /** What prices are in. */
  currency?(): string;
  limits?: AdminLimits;
  /** The exposition text, `Rollup.render`. */
  metrics(openMetrics: boolean): string;
  status(): AdminStatus;
  /** The running configuration; it is redacted again before it is shown. */
  config(): object;
  health(): AdminHealth;
  /** What a reload would change now, or why it would be refused; changes nothing. */
  preview(): Promise<Outcome>;
  reload(): Promise<Outcome>;
  /** Starts the program anew and hands over to it; resolves when the new one serves. */
  upgrade(): Promise<Outcome>;
  upgrading(): boolean;
  /** Faults injected on purpose. */
  chaos?: {
    list(): FaultStatus[];
    /** Switches one on; the order is a parsed JSON document. */
    start(order: unknown): Changed;
    /** Switches the one of this name off, all without one; how many it were. */
    stop(name: string | undefined): number;
  };
  /** Who waits for a place at a server, and which limits hold there. */
  queues?(): QueueStatus[];
  breakers?: {
    list(): BreakerStatus[];
    /** Opens or closes a breaker until told otherwise, or leaves it to its rules; false: there is no such endpoint. */
    force(upstream: string, endpoint: string, state: 'open' | 'closed' | 'auto'): boolean;
  };
}
