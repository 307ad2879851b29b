/** What the supervisor counts about its store. */
import type { MetricDefinition } from './definition.ts';

/** A part of `SUPERVISOR_METRICS`. */
export const STORE_METRICS: Record<'storeUp' | 'storeFailures' | 'storeChangedAt' | 'storeLag', MetricDefinition> = {
  storeUp: {
    kind: 'gauge',
    name: 'gatehouse_store_up',
    labels: ['driver'],
    help: 'Whether the store has answered when it was last looked for changes (every 15 s at least): 1 or 0. No series while none is in use. While it is 0 workers go on by what they know.',
    merge: 'last',
  },
  storeFailures: {
    kind: 'counter',
    name: 'gatehouse_store_failures_total',
    labels: ['driver'],
    help: 'Looks for changes that the store did not answer.',
  },
  storeChangedAt: {
    kind: 'gauge',
    name: 'gatehouse_store_change_timestamp_seconds',
    labels: ['driver'],
    help: 'When the newest change of keys, revocations and the like that workers know of was written, in seconds since 1970, by the clock of the node that wrote it.',
    unit: 'seconds',
    merge: 'last',
  },
  storeLag: {
    kind: 'histogram',
    name: 'gatehouse_store_change_lag_seconds',
    labels: ['driver'],
    bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30],
    help: 'How long changes were on their way, from the clock of the node that wrote them to the moment in which workers were told.',
    unit: 'seconds',
  },
};
