/** What a running gateway can be asked to do. */
import type { Outcome } from '../admin/admin.ts';

/** A running gateway. */
export interface Gateway {
  /** Listener name → where clients reach it, as a URL (or `unix:/path`). */
  readonly urls: ReadonlyMap<string, string>;
  readonly adminUrl: string;
  reload(): Promise<Outcome>;
  /** Starts the program anew beside this one and hands over to it. */
  upgrade(): Promise<Outcome>;
  /** Whether requests are answered: what a watchdog wants to know. */
  readonly ready: boolean;
  /** How long requests under way may take. */
  readonly drainMs: number;
  /** Opens the access log file anew (after it was renamed). */
  reopenLog(): Promise<void>;
  /** Drains for at most `deadlineMs`; resolves with how many workers had to be killed. */
  stop(deadlineMs: number): Promise<number>;
  /** Ends the workers at once; `stop` then resolves. */
  kill(): void;
}
