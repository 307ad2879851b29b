import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERROR_CODES, GatehouseError } from './error.ts';

/** The types of RFC 9209 §2.3 that are used. */
const PROXY_ERRORS = new Set([
  'dns_error',
  'destination_unavailable',
  'connection_refused',
  'connection_terminated',
  'connection_timeout',
  'connection_read_timeout',
  'connection_limit_reached',
  'tls_protocol_error',
  'http_request_error',
  'http_request_denied',
  'http_response_incomplete',
  'http_protocol_error',
  'http_response_timeout',
  'proxy_internal_response',
  'proxy_internal_error',
  'proxy_loop_detected',
]);

test('every code has an error status and a proxy error type of RFC 9209', () => {
  for (const code of ERROR_CODES) {
    const error = new GatehouseError(code, 'what');
    assert.ok(error.status >= 400 && error.status < 600, code);
    assert.ok(PROXY_ERRORS.has(error.proxyError), `${code}: ${error.proxyError}`);
  }
});

test('behind what could not be read the connection closes', () => {
  for (const code of [
    'bad_request',
    'request_timeout',
    'body_too_large',
    'unsupported_coding',
    'head_too_large',
  ] as const) {
    assert.equal(new GatehouseError(code, '').close, true, code);
  }
});

test('an error keeps what is said beyond its code; close can be overruled', () => {
  const fields = [['WWW-Authenticate', 'Bearer']] as const;
  const error = new GatehouseError('rate_limited', 'wait', {
    rule: 'r',
    param: 'p',
    retryAfterMs: 5,
    close: true,
    fields,
  });
  assert.deepEqual(
    [error.status, error.message, error.rule, error.param, error.retryAfterMs, error.close, error.fields],
    [429, 'wait', 'r', 'p', 5, true, fields],
  );
  assert.equal(
    new GatehouseError('rate_limited', '', { retryAfterMs: 263.6675 }).retryAfterMs,
    264,
    'whole milliseconds',
  );
  assert.equal(new GatehouseError('rate_limited', '').close, false);
  assert.equal(new GatehouseError('bad_request', '', { close: false }).close, false);
});
