/** The metrics of queues; part of the catalog. */
import type { MetricDefinition } from './definition.ts';

/** Counted by each worker. */
export const QUEUE_METRICS: Record<
  'queueEntered' | 'queueLength' | 'queueWait' | 'queueLeft' | 'classRequests' | 'spilled',
  MetricDefinition
> = {
  queueEntered: {
    kind: 'counter',
    name: 'gatehouse_queue_entered_total',
    labels: ['upstream', 'class'],
    help: 'Requests for which no server had a place, so that they began to wait; `class` is realtime, batch, test or a number.',
  },
  queueLength: {
    kind: 'gauge',
    name: 'gatehouse_queue_length',
    labels: ['upstream', 'class'],
    help: 'Requests that wait for a place at a server now.',
  },
  queueWait: {
    kind: 'histogram',
    name: 'gatehouse_queue_wait_seconds',
    labels: ['upstream', 'class'],
    help: 'How long requests have waited that got a place in the end.',
    unit: 'seconds',
    bounds: [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
  queueLeft: {
    kind: 'counter',
    name: 'gatehouse_queue_left_total',
    labels: ['upstream', 'class', 'end'],
    help: 'Requests that wait no more, by `end`: served; left (the client has gone); refused: full, evicted (by more important ones), late (it would have been in vain), timeout (queue.wait), deadline (of the request), lost (nobody could be asked), stranded (no server is left, so that it goes over to another version).',
  },
  classRequests: {
    kind: 'counter',
    name: 'gatehouse_class_requests_total',
    labels: ['class', 'upstream', 'outcome'],
    help: 'Requests of routes that have ended, by class (realtime, batch, test) and by the upstream that they went to last.',
  },
  spilled: {
    kind: 'counter',
    name: 'gatehouse_spillover_total',
    labels: ['model', 'from', 'to', 'reason'],
    help: 'Requests that went over to another version of their model, by `reason`: unavailable (no server), full (no place in time), failed (a server has failed, and sending again did no harm).',
  },
};

/** Told by the supervisor, which grants the places. */
export const PLACE_METRICS: Record<
  'places' | 'placesUsed' | 'gradient' | 'restTime' | 'queuePosition' | 'queueEstimate',
  MetricDefinition
> = {
  queuePosition: {
    kind: 'gauge',
    name: 'gatehouse_queue_position',
    labels: ['upstream', 'class'],
    help: 'Place in the queue that a newcomer of this class would get now, all workers together; 1: the next.',
    merge: 'last',
  },
  queueEstimate: {
    kind: 'gauge',
    name: 'gatehouse_queue_estimated_wait_seconds',
    labels: ['upstream', 'class'],
    help: 'What a newcomer of this class would wait at the pace of the last places that became free; 0 while nobody waits.',
    unit: 'seconds',
    merge: 'last',
  },
  places: {
    kind: 'gauge',
    name: 'gatehouse_endpoint_concurrency_limit',
    labels: ['upstream', 'endpoint'],
    help: 'Requests at once that an endpoint may get now: `maxConcurrency`, or what `adaptive` has found.',
    merge: 'last',
  },
  placesUsed: {
    kind: 'gauge',
    name: 'gatehouse_endpoint_concurrency',
    labels: ['upstream', 'endpoint'],
    help: 'Requests that an endpoint with a limit has now, of all workers.',
    merge: 'last',
  },
  gradient: {
    kind: 'gauge',
    name: 'gatehouse_adaptive_gradient_ratio',
    labels: ['upstream', 'endpoint'],
    help: 'Time to the first token at rest, with tolerance, by that of now: below 1 the limit falls.',
    unit: 'ratio',
    merge: 'last',
  },
  restTime: {
    kind: 'gauge',
    name: 'gatehouse_adaptive_rest_time_seconds',
    labels: ['upstream', 'endpoint'],
    help: 'Time to the first token at rest, as last measured.',
    unit: 'seconds',
    merge: 'last',
  },
};
