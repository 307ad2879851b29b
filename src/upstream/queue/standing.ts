/** What one upstream's queue is made of, and how it stands. */
import type { AdaptiveState } from './adaptive.ts';
import type { AdaptiveConfig, QueueConfig } from './config.ts';

/** What an upstream's queue is made of. */
export interface DeskConfig {
  queue: QueueConfig;
  adaptive: AdaptiveConfig | undefined;
  /** Endpoint → `maxConcurrency`; infinite where only the adaptive limit holds. */
  places: ReadonlyMap<string, number>;
}

/** State of one upstream's queue, for operators. */
export interface QueueStanding {
  upstream: string;
  waiting: number;
  length: number;
  /** What a newcomer of least importance would wait, as it goes now. */
  estimatedWaitMs: number;
  classes: { priority: number; waiting: number; tenants: number; oldestMs: number }[];
  endpoints: { name: string; limit: number; granted: number; used: number; adaptive?: AdaptiveState }[];
}
