/** What the supervisor counts about tokens that Gatehouse issues, and about proofs of possession. */
import type { MetricDefinition } from './definition.ts';

/** A part of `SUPERVISOR_METRICS`. */
export const TOKEN_METRICS: Record<'serviceRequests' | 'dpopProofs' | 'dpopRedisFailures', MetricDefinition> = {
  dpopProofs: {
    kind: 'gauge',
    name: 'gatehouse_dpop_proofs_remembered',
    labels: [],
    help: 'DPoP proofs that are remembered so that none is used twice; `access.dpop.proofs` is the most.',
    merge: 'last',
  },
  dpopRedisFailures: {
    kind: 'counter',
    name: 'gatehouse_dpop_redis_failures_total',
    labels: [],
    help: 'Batches of DPoP proofs that Redis did not answer.',
  },
  serviceRequests: {
    kind: 'counter',
    name: 'gatehouse_token_service_requests_total',
    labels: ['endpoint', 'result'],
    help: 'Requests to the token service and to sign-up; `result` is ok, the OAuth error, or the status.',
  },
};
