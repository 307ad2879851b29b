/**
 * Every metric of Gatehouse, declared once. Names are `gatehouse_…` with one set of labels throughout, so that any two
 * can be joined; `otel` names the OpenTelemetry semantic-convention metric that measures the same. Process metrics bear
 * the names that every Prometheus client library gives them.
 */
import { CERTIFICATE_METRICS } from './certificatecatalog.ts';
import { CONNECTION_METRICS } from './connectioncatalog.ts';
import { type MetricDefinition, metric } from './definition.ts';
import { LIMIT_METRICS } from './limitcatalog.ts';
import { OVERLOAD_METRICS } from './overloadcatalog.ts';
import { PLACE_METRICS, QUEUE_METRICS } from './queuecatalog.ts';
import { SERVICE_METRICS } from './servicecatalog.ts';
import { STORE_METRICS } from './storecatalog.ts';
import { USAGE_METRICS } from './usagecatalog.ts';

const PATH = ['route', 'model', 'version', 'upstream'] as const;

/** OpenTelemetry's advice for `http.server.request.duration`, carried on to the ten minutes that a model may take. */
const DURATION = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
/** OpenTelemetry's advice for `gen_ai.server.time_to_first_token`, carried on for long prompts. */
const FIRST = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60];
/** OpenTelemetry's advice for `gen_ai.server.time_per_output_token`, begun earlier for small models. */
const PER_TOKEN = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];

/** Counted by each worker, from the events of its requests and connections. */
export const WORKER_METRICS = {
  requests: metric(
    'counter',
    'gatehouse_requests_total',
    [...PATH, 'status', 'outcome'],
    'Requests that have ended. `status` is what the client got (0: nothing was sent); `outcome` is completed, denied, failed, client_aborted or upstream_aborted.',
    { maxSeries: 5000 },
  ),
  begun: metric(
    'counter',
    'gatehouse_requests_begun_total',
    ['listener'],
    'Requests that have begun: as many as have ended, are in flight, or were lost with their worker.',
  ),
  inFlight: metric('gauge', 'gatehouse_requests_in_flight', ['listener'], 'Requests that have begun and not ended.', {
    otel: 'http.server.active_requests',
  }),
  duration: metric(
    'histogram',
    'gatehouse_request_duration_seconds',
    PATH,
    'From the request head to the end of the answer, streams included.',
    { unit: 'seconds', bounds: DURATION, otel: 'http.server.request.duration' },
  ),
  firstByte: metric(
    'histogram',
    'gatehouse_time_to_first_byte_seconds',
    PATH,
    'From the request head to the first byte of the upstream response head.',
    { unit: 'seconds', bounds: FIRST },
  ),
  firstToken: metric(
    'histogram',
    'gatehouse_time_to_first_token_seconds',
    PATH,
    'From the request head to the first generated content of a stream.',
    { unit: 'seconds', bounds: FIRST, otel: 'gen_ai.server.time_to_first_token' },
  ),
  perToken: metric(
    'histogram',
    'gatehouse_time_per_output_token_seconds',
    PATH,
    'Mean time between output tokens of a completed stream, after the first.',
    { unit: 'seconds', bounds: PER_TOKEN, otel: 'gen_ai.server.time_per_output_token' },
  ),
  tokens: metric(
    'counter',
    'gatehouse_tokens_total',
    [...PATH, 'type'],
    'Tokens as the providers report them; where they do not, counted by a tokenizer or, under limits, estimated. `type` is input, output, cached_input (a part of input) or reasoning (a part of output).',
    { otel: 'gen_ai.client.token.usage' },
  ),
  usageSources: metric(
    'counter',
    'gatehouse_usage_source_total',
    ['source'],
    'Requests whose tokens are known, by who told them: reported (the server), counted (a tokenizer), or estimated.',
  ),
  wasted: metric(
    'counter',
    'gatehouse_wasted_tokens_total',
    [...PATH, 'reason'],
    'Output tokens generated for answers that never arrived whole. `reason` is client_aborted or upstream_aborted.',
  ),
  requestBytes: metric(
    'counter',
    'gatehouse_request_body_bytes_total',
    PATH,
    'Bytes of request bodies taken from clients.',
    { unit: 'bytes', otel: 'http.server.request.body.size' },
  ),
  responseBytes: metric(
    'counter',
    'gatehouse_response_body_bytes_total',
    PATH,
    'Bytes of response bodies sent to clients.',
    { unit: 'bytes', otel: 'http.server.response.body.size' },
  ),
  tries: metric('counter', 'gatehouse_upstream_tries_total', ['upstream'], 'Times a request was sent to an endpoint.'),
  retries: metric('counter', 'gatehouse_upstream_retries_total', ['upstream'], 'Tries beyond a first one.'),
  errors: metric(
    'counter',
    'gatehouse_errors_total',
    ['code', 'route'],
    'Requests that Gatehouse itself answered with an error, or cut, by error code.',
  ),
  denied: metric(
    'counter',
    'gatehouse_denied_total',
    ['code', 'rule'],
    'Requests that were refused, by error code and by the rule that decided.',
  ),
  limited: metric(
    'counter',
    'gatehouse_limit_exceeded_total',
    ['rule', 'result'],
    'Requests that were over a limit; `result` is refused, or observed where the limit only watches.',
  ),
  authFailures: metric(
    'counter',
    'gatehouse_auth_failures_total',
    ['method', 'reason', 'route'],
    'Requests without an accepted credential: by method (apiKey, jwt, certificate; none where nothing told which), reason (missing, unknown, expired, …) and route.',
  ),
  tenantRequests: metric(
    'counter',
    'gatehouse_tenant_requests_total',
    ['tenant', 'outcome'],
    'Requests of callers that belong to a tenant; the first thousand or so tenants have series of their own.',
    { maxSeries: 5000 },
  ),
  ...CONNECTION_METRICS,
  faults: metric(
    'counter',
    'gatehouse_faults_total',
    ['kind', 'where'],
    'Faults met on the wire, by kind, and by the listener or upstream where they were met.',
  ),
  endpointUp: metric(
    'gauge',
    'gatehouse_upstream_endpoint_up',
    ['upstream', 'endpoint'],
    '1 while the endpoint takes requests, 0 while health checks or ejection keep it out (in any worker).',
    { merge: 'min' },
  ),
  endpointChanges: metric(
    'counter',
    'gatehouse_upstream_endpoint_transitions_total',
    ['upstream', 'endpoint', 'to'],
    'Times an endpoint was taken out (`to` is down) or came back (up), counted in each worker.',
  ),
  ...OVERLOAD_METRICS,
  breakerState: metric(
    'gauge',
    'gatehouse_upstream_breaker_state',
    ['upstream', 'endpoint'],
    '0 while the breaker is closed, 1 while one request probes the endpoint (half-open), 2 while it is open.',
    { merge: 'max' },
  ),
  breakerChanges: metric(
    'counter',
    'gatehouse_upstream_breaker_transitions_total',
    ['upstream', 'endpoint', 'to'],
    'Times a breaker changed; `to` is open, half_open or closed. Counted in the worker that found it out.',
  ),
  ...QUEUE_METRICS,
  logLines: metric('counter', 'gatehouse_log_lines_total', ['log'], 'Log lines handed on for writing.'),
  logDropped: metric(
    'counter',
    'gatehouse_log_lines_dropped_total',
    ['log'],
    'Log lines lost because the sink was behind, full or gone.',
  ),
  notices: metric('counter', 'gatehouse_notices_total', ['level'], 'Operational log messages, by level.'),
} as const satisfies Record<string, MetricDefinition>;

/** Taken by each process about itself; `worker` is its name, `supervisor` for the supervisor. */
export const PROCESS_METRICS = {
  build: metric('gauge', 'gatehouse_build_info', ['version', 'node'], 'Always 1; the labels say what is running.', {
    merge: 'max',
  }),
  start: metric('gauge', 'process_start_time_seconds', ['worker'], 'When the process started, in seconds since 1970.', {
    unit: 'seconds',
    merge: 'max',
  }),
  cpu: metric('counter', 'process_cpu_seconds_total', ['worker', 'mode'], 'CPU time used; `mode` is user or system.', {
    unit: 'seconds',
    otel: 'process.cpu.time',
  }),
  rss: metric('gauge', 'process_resident_memory_bytes', ['worker'], 'Resident memory.', {
    unit: 'bytes',
    otel: 'process.memory.usage',
  }),
  heap: metric('gauge', 'nodejs_heap_size_used_bytes', ['worker'], 'JavaScript heap in use.', {
    unit: 'bytes',
    otel: 'v8js.memory.heap.used',
  }),
  lag: metric(
    'gauge',
    'nodejs_eventloop_lag_max_seconds',
    ['worker'],
    'Longest time since the sample before that the event loop was kept from its work.',
    { unit: 'seconds', merge: 'max', otel: 'nodejs.eventloop.delay.max' },
  ),
  busy: metric(
    'gauge',
    'nodejs_eventloop_utilization_ratio',
    ['worker'],
    'Share of the time since the sample before that the event loop was busy, from 0 to 1.',
    { unit: 'ratio', merge: 'max', otel: 'nodejs.eventloop.utilization' },
  ),
} as const satisfies Record<string, MetricDefinition>;

/** Counted by the supervisor. */
export const SUPERVISOR_METRICS = {
  ...PLACE_METRICS,
  workers: metric('gauge', 'gatehouse_workers', ['state'], 'Workers by state: starting, ready, draining.'),
  exits: metric(
    'counter',
    'gatehouse_worker_exits_total',
    ['reason'],
    'Workers that ended; `reason` is drained, an exit code such as code_1, or a signal name.',
  ),
  lost: metric(
    'counter',
    'gatehouse_requests_lost_total',
    [],
    'Requests that were under way in a worker when it died, as of its last report.',
  ),
  reloads: metric(
    'counter',
    'gatehouse_config_reloads_total',
    ['result'],
    'Configuration reloads; `result` is applied or rejected (the old configuration stays).',
  ),
  ...CERTIFICATE_METRICS,
  ...SERVICE_METRICS,
  issuerKeys: metric(
    'gauge',
    'gatehouse_jwks_keys',
    ['issuer'],
    'Keys that are known of an issuer of tokens; 0: none could be fetched yet, and its tokens are refused (503).',
    { merge: 'last' },
  ),
  issuerKeysAge: metric(
    'gauge',
    'gatehouse_jwks_age_seconds',
    ['issuer'],
    'Time since the keys of an issuer were last fetched.',
    { unit: 'seconds', merge: 'last' },
  ),
  issuerKeysFetches: metric(
    'counter',
    'gatehouse_jwks_fetches_total',
    ['issuer', 'result'],
    'Times the keys of an issuer were fetched; `result` is ok or failed (the last good ones stay in use).',
  ),
  ...LIMIT_METRICS,
  dpopProofs: metric(
    'gauge',
    'gatehouse_dpop_proofs_remembered',
    [],
    'DPoP proofs that are remembered so that none is used twice; `access.dpop.proofs` is the most.',
    { merge: 'last' },
  ),
  dpopRedisFailures: metric(
    'counter',
    'gatehouse_dpop_redis_failures_total',
    [],
    'Batches of DPoP proofs that Redis did not answer.',
  ),
  ...USAGE_METRICS,
  ...STORE_METRICS,
  directorySyncedAt: metric(
    'gauge',
    'gatehouse_directory_synced_timestamp_seconds',
    [],
    'When what all workers know of keys, revocations and the like was last found to be as the store has it, in seconds since 1970; looked at every 15 s at least, and each worker has to say that it has taken the changes. 0: no store is in use.',
    { unit: 'seconds', merge: 'last' },
  ),
  reloadedAt: metric(
    'gauge',
    'gatehouse_config_applied_timestamp_seconds',
    [],
    'When the running configuration was applied, in seconds since 1970.',
    { unit: 'seconds', merge: 'last' },
  ),
} as const satisfies Record<string, MetricDefinition>;
