/** The composition root: the request pipeline as one list, and the worker's life around it. */
import type { Clock } from './kernel/clock.ts';
import type { Events } from './kernel/event.ts';

/** What a worker is given from outside. */
export interface GatehouseParts {
  clock: Clock;
  events: Events;
}

/** One worker's data plane: holds a compiled snapshot and serves it. */
export interface Gatehouse {
  /** Starts accepting on a bound handle (as `net.Server.listen(handle)` takes it) for the listener of this name. */
  listen(listener: string, handle: object): Promise<void>;
  /** Swaps in a new snapshot; requests under way end with the old one. */
  update(snapshot: unknown): void;
  /** What the prober found; `reason` goes to logs and metrics. */
  setEndpointHealth(upstream: string, endpoint: string, healthy: boolean, reason: string): void;
  /** Stops accepting, lets requests end, closes idle connections; resolves when all is quiet or after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void>;
}
