/** Metrics of limits, counted by the supervisor. */
import { type MetricDefinition, metric } from './definition.ts';

/** See the file's head; requests over a limit are counted by workers. */
export const LIMIT_METRICS = {
  limitKeys: metric('gauge', 'gatehouse_limit_keys', [], 'Keys of limits that this node counts or holds leases of.', {
    merge: 'last',
  }),
  limitEvicted: metric(
    'counter',
    'gatehouse_limit_keys_evicted_total',
    [],
    'Accounts of keys that made room for those of strangers while something was counted; that much is remembered, and no limit begins anew.',
  ),
  limitLeases: metric('counter', 'gatehouse_limit_leases_total', [], 'Leases that workers have asked for or reported.'),
  limitStoreUp: metric(
    'gauge',
    'gatehouse_limit_store_up',
    [],
    'Whether the store of shared limits answers. 0 as well where none is configured.',
    { merge: 'last' },
  ),
  limitStoreNodes: metric(
    'gauge',
    'gatehouse_limit_store_nodes',
    [],
    'Nodes that share limits, as last seen; without the store, a node takes its part by this.',
    { merge: 'last' },
  ),
  limitStoreMissing: metric(
    'gauge',
    'gatehouse_limit_store_nodes_missing',
    [],
    'Nodes of these that have not been heard of for two seconds: of limits with onStoreLoss: localShare their part is held back, for ten minutes at most.',
    { merge: 'last' },
  ),
  limitStoreLeases: metric('counter', 'gatehouse_limit_store_leases_total', [], 'Leases asked of the store.'),
  limitStoreAnswers: metric('counter', 'gatehouse_limit_store_answers_total', [], 'Answers of the store.'),
  limitStoreSeconds: metric(
    'counter',
    'gatehouse_limit_store_seconds_total',
    [],
    'Time that all answers of the store have taken; divided by the answers, its latency.',
    { unit: 'seconds' },
  ),
  limitStoreFailures: metric(
    'counter',
    'gatehouse_limit_store_failures_total',
    [],
    'Times the store did not answer in time, or with an error.',
  ),
  limitOwnUnits: metric(
    'counter',
    'gatehouse_limit_local_share_units_total',
    [],
    "Units granted of this node's part while the store was gone (onStoreLoss: localShare).",
  ),
} as const satisfies Record<string, MetricDefinition>;
