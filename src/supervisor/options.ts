/** What a supervisor is told: the configuration, how to load the next one, and whom to tell what. */
import type { Clock } from '../kernel/clock.ts';
import type { Events } from '../kernel/event.ts';
import type { UpstreamConfig } from '../upstream/config.ts';
import type { Inherited } from './inherit.ts';
import type { EndpointHealth, ToSupervisor } from './messages.ts';
import type { Loaded } from './report.ts';
import type { RestartSettings } from './restart.ts';
import type { Services } from './services.ts';
import type { WorkerProgram } from './worker.ts';

/** The part of the configuration that the supervisor itself reads; the rest passes through to the workers. */
export interface SupervisedConfig {
  listeners: Record<string, { address: string }>;
  upstreams: Record<string, UpstreamConfig>;
}

/** What the supervisor needs. */
export interface SupervisorOptions<C extends SupervisedConfig> {
  clock: Clock;
  /** Gets `notice` and `endpointChanged`. */
  events: Events;
  program: WorkerProgram;
  config: C;
  files: Record<string, string>;
  /** How many workers a configuration asks for; `auto` is resolved by the caller, who knows the machine. */
  workers: (config: C) => number;
  /** Loads and fully checks the configuration anew, for `reload`. */
  load: () => Promise<Loaded<C>>;
  /** Takes whole access log lines of a worker; false: hold back until `resumeLogs` is called. */
  log: (worker: number, lines: Buffer) => boolean;
  /** All counters of a worker, about once a second. */
  metrics: (worker: number, snapshot: unknown) => void;
  /** A worker process has gone for good and everything it sent was delivered. */
  gone: (worker: number, pid: number) => void;
  /** A worker process has ended: `drained`, `code_N` or a signal's name. */
  exited?: (reason: string) => void;
  /** What a worker's real requests met at an endpoint (passive marking). */
  observed?: (worker: number, change: EndpointHealth) => void;
  /** What a worker says that is for others to know. */
  told?: (worker: number, message: ToSupervisor) => void;
  /** Faults that were switched on at run time; call `chaosChanged` when they change. */
  chaos?: () => readonly unknown[];
  /** Bound on draining, for workers that a reload makes superfluous. */
  drainMs?: (config: C) => number;
  /** How long a worker may say nothing before it is killed; 30 s when left out. */
  silenceMs?: (config: C) => number;
  restarts?: RestartSettings;
  /** What is done for workers beside their configuration. */
  services: Services;
  /** Sockets that another process has bound for us. */
  inherited?: readonly Inherited[];
}
