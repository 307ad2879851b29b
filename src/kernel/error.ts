/**
 * One error, a closed set of codes, one table from code to status. Every refusal and failure that Gatehouse itself
 * answers is one of these; `ai/` turns it into the shape of the client's protocol.
 */

/** code → [HTTP status, RFC 9209 proxy error type, close the connection afterwards]. */
const TABLE = {
  bad_request: [400, 'http_request_error', true],
  invalid_body: [400, 'http_request_error', false],
  unauthorized: [401, 'http_request_denied', false],
  forbidden: [403, 'http_request_denied', false],
  unknown_operation: [403, 'http_request_denied', false],
  not_found: [404, 'http_request_denied', false],
  model_not_found: [404, 'http_request_denied', false],
  method_not_allowed: [405, 'http_request_denied', false],
  request_timeout: [408, 'http_request_error', true],
  length_required: [411, 'http_request_error', true],
  body_too_large: [413, 'http_request_error', true],
  uri_too_long: [414, 'http_request_error', true],
  unsupported_media_type: [415, 'http_request_error', false],
  expectation_failed: [417, 'http_request_error', true],
  misdirected_request: [421, 'http_request_denied', false],
  rate_limited: [429, 'http_request_denied', false],
  insufficient_quota: [429, 'http_request_denied', false],
  head_too_large: [431, 'http_request_error', true],
  client_closed: [499, 'http_request_error', true],
  internal: [500, 'proxy_internal_error', false],
  unsupported_coding: [501, 'http_request_error', true],
  not_implemented: [501, 'http_request_error', true],
  upstream_refused: [502, 'connection_refused', false],
  upstream_reset: [502, 'connection_terminated', false],
  upstream_protocol: [502, 'http_protocol_error', false],
  upstream_incomplete: [502, 'http_response_incomplete', false],
  upstream_tls: [502, 'tls_protocol_error', false],
  upstream_dns: [502, 'dns_error', false],
  no_endpoint: [503, 'destination_unavailable', false],
  fault_injected: [503, 'proxy_internal_response', false],
  auth_unavailable: [503, 'proxy_internal_response', false],
  load_shed: [503, 'http_request_denied', false],
  quota_unavailable: [503, 'proxy_internal_response', false],
  ledger_unavailable: [503, 'proxy_internal_response', false],
  queue_full: [503, 'connection_limit_reached', false],
  queue_timeout: [503, 'connection_limit_reached', false],
  overloaded: [503, 'connection_limit_reached', false],
  draining: [503, 'proxy_internal_response', true],
  connect_timeout: [504, 'connection_timeout', false],
  first_byte_timeout: [504, 'http_response_timeout', false],
  idle_timeout: [504, 'connection_read_timeout', false],
  total_timeout: [504, 'http_response_timeout', false],
  version_not_supported: [505, 'http_request_error', true],
  loop_detected: [508, 'proxy_loop_detected', false],
} as const satisfies Record<string, readonly [number, string, boolean]>;

/** The closed set of codes. */
export type ErrorCode = keyof typeof TABLE;

/** Every code, for tables and documentation. */
export const ERROR_CODES = Object.keys(TABLE) as ErrorCode[];

/** What may be said beyond code and message. */
export interface ErrorDetail {
  /** Name of the rule, route or setting that decided; shown to operators and, unless `quiet`, to clients. */
  rule?: string;
  /** The client has not proved who it is: names of the configuration are none of its business. */
  quiet?: boolean;
  /** Which request parameter is at fault (`model`, `Host`, …). */
  param?: string;
  /** When trying again makes sense, in milliseconds from now. */
  retryAfterMs?: number;
  /** Status instead of the table's: for faults that are injected on purpose. */
  status?: number;
  /** Close the client's connection after the answer, whatever the table says. */
  close?: boolean;
  /** Response fields to add, e.g. `['WWW-Authenticate', '…']` pairs. */
  fields?: readonly (readonly [string, string])[];
}

/**
 * A refusal or failure with everything needed to answer it. Not an `Error`: refusals are ordinary results on the hot
 * path and must not pay for a stack trace.
 */
export class GatehouseError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly rule: string | undefined;
  /** The same, as far as the client is told. */
  readonly toldRule: string | undefined;
  readonly param: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly close: boolean;
  readonly #status: number;
  readonly fields: readonly (readonly [string, string])[] | undefined;

  /** `message`: a sentence for the client: what is wrong, and what to do. */
  constructor(code: ErrorCode, message: string, detail?: ErrorDetail) {
    this.code = code;
    this.message = message;
    this.rule = detail?.rule;
    this.toldRule = detail?.quiet === true ? undefined : detail?.rule;
    this.param = detail?.param;
    this.retryAfterMs = detail?.retryAfterMs === undefined ? undefined : Math.ceil(detail.retryAfterMs);
    this.#status = detail?.status ?? TABLE[code][0];
    this.close = detail?.close ?? TABLE[code][2];
    this.fields = detail?.fields;
  }

  /** HTTP status (RFC 9110 §15). */
  get status(): number {
    return this.#status;
  }

  /** Proxy error type for `Proxy-Status` (RFC 9209 §2.3). */
  get proxyError(): string {
    return TABLE[this.code][1];
  }
}
