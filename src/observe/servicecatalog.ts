/** What the supervisor counts about what Gatehouse itself answers. */
import type { MetricDefinition } from './definition.ts';

/** A part of `SUPERVISOR_METRICS`. */
export const SERVICE_METRICS: { serviceRequests: MetricDefinition } = {
  serviceRequests: {
    kind: 'counter',
    name: 'gatehouse_token_service_requests_total',
    labels: ['endpoint', 'result'],
    help: 'Requests to the token service and to sign-up; `result` is ok, the OAuth error, or the status.',
  },
};
