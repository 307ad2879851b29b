/** How near a worker is to its limits; part of the catalog. */
import type { MetricDefinition } from './definition.ts';

/** Counted by each worker. */
export const OVERLOAD_METRICS: Record<
  'pressure' | 'shedding' | 'cpuBusy' | 'systemRate' | 'ownTime' | 'systemRefused',
  MetricDefinition
> = {
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
    help: 'How much the most burdened worker refuses because of it, from 0 (nothing) to 1 (everything new); `requests` and the system rule apart.',
    unit: 'ratio',
    merge: 'max',
  },
  cpuBusy: {
    kind: 'gauge',
    name: 'gatehouse_cpu_busy_ratio',
    labels: ['of'],
    help: 'Busy share over about a second: `worker` of one core by the busiest worker, `quota` of what the control group (container) may have, `machine` of all processors. 0 where there is no quota.',
    unit: 'ratio',
    merge: 'max',
  },
  systemRate: {
    kind: 'gauge',
    name: 'gatehouse_overload_system_rate',
    labels: [],
    help: 'Requests a second that `overload.system` takes now (under `mode: observe`: would take), of all workers where it holds; 0: as many as come.',
    merge: 'sum',
  },
  ownTime: {
    kind: 'gauge',
    name: 'gatehouse_own_time_seconds',
    labels: [],
    help: 'Processor time that a request costs a worker, streams included, over about a second.',
    unit: 'seconds',
    merge: 'max',
  },
  systemRefused: {
    kind: 'counter',
    name: 'gatehouse_overload_system_refused_total',
    labels: [],
    help: 'Requests that `overload.system` has refused, or under `mode: observe` would have.',
  },
};
