/** What the supervisor says of itself. */
import type { WorkerStatus } from './pool.ts';

/** A configuration that was loaded and checked, or why not. */
export type Loaded<C> =
  | { ok: true; config: C; files: Record<string, string> }
  | { ok: false; problems: readonly string[] };

/** How a reload ended. */
export type Reloaded = { ok: true; generation: number } | { ok: false; problems: readonly string[] };

/** The state of the whole, for the admin API. */
export interface SupervisorStatus {
  generation: number;
  listeners: { listener: string; address: string }[];
  workers: WorkerStatus[];
  restarts: number;
  crashLoop: boolean;
}
