/** Errors in Anthropic's shape: `{"type":"error","error":{"type","message"},"request_id"}`. */
import type { GatehouseError } from '../../kernel/error.ts';
import { explain } from '../explain.ts';

/** Error type by code, else by HTTP status. */
function typeOf({ code, status }: GatehouseError): string {
  if (code === 'insufficient_quota') return 'billing_error';
  switch (status) {
    case 401:
      return 'authentication_error';
    case 402:
      return 'billing_error';
    case 403:
      return 'permission_error';
    case 404:
      return 'not_found_error';
    case 408:
    case 504:
      return 'timeout_error';
    case 413:
      return 'request_too_large';
    case 429:
      return 'rate_limit_error';
    case 503:
      return 'overloaded_error';
    default:
      return status >= 500 ? 'api_error' : 'invalid_request_error';
  }
}

/** The body of an error answer, and the data of an error event in a stream. */
export function errorBody(error: GatehouseError, requestId: string | undefined): string {
  return JSON.stringify({
    type: 'error',
    error: {
      type: typeOf(error),
      message: explain(error),
      code: error.code,
      param: error.param,
      rule: error.toldRule,
      retry_after_ms: error.retryAfterMs,
    },
    request_id: requestId,
  });
}
