/** Refusals as the Anthropic API words them. */
import { Refusal } from '../answer.ts';
import type { Json } from '../json.ts';

const TYPES: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  500: 'api_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** `{"type":"error","error":{type,message},"request_id"}`. */
export function anthropicError(status: number, message: string, requestId: string): Json {
  const type =
    TYPES[status] ?? (status === 503 ? 'overloaded_error' : status < 500 ? 'invalid_request_error' : 'api_error');
  return { type: 'error', error: { type, message }, request_id: requestId };
}

/** A refusal with its status. */
export function refuse(status: number, message: string, requestId: string): Refusal {
  return new Refusal(status, anthropicError(status, message, requestId));
}
