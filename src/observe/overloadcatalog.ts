/** How near a worker is to its limits; part of the catalog. */
import type { MetricDefinition } from './definition.ts';

/** Counted by each worker. */
export const OVERLOAD_METRICS: Record<'pressure' | 'shedding', MetricDefinition> = {
  pressure: {
    kind: 'gauge',
    name: 'gatehouse_overload_pressure_ratio',
    labels: ['resource'],
    help: 'Share of a limit of `overload` that the most burdened worker has used up: memory, heap, loopDelay.',
    unit: 'ratio',
    merge: 'max',
  },
  shedding: {
    kind: 'gauge',
    name: 'gatehouse_overload_shedding_ratio',
    labels: [],
    help: 'How much the most burdened worker refuses because of it, from 0 (nothing) to 1 (everything new).',
    unit: 'ratio',
    merge: 'max',
  },
};
