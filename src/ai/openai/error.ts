/** Errors in OpenAI's shape: `{"error":{"message","type","param","code"}}`, with what Gatehouse knows beside them. */
import type { ErrorCode, GatehouseError } from '../../kernel/error.ts';
import { explain } from '../explain.ts';

/** Codes for which OpenAI has a word of its own that clients compare with. */
const CODES: Partial<Record<ErrorCode, string>> = {
  unauthorized: 'invalid_api_key',
  rate_limited: 'rate_limit_exceeded',
};

/** Error type by code, else by HTTP status. */
function typeOf({ code, status }: GatehouseError): string {
  if (code === 'insufficient_quota') return code;
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  if (status === 503) return 'service_unavailable_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}

/** The object under `error`. */
interface OpenAiError {
  message: string;
  type: string;
  param: string | null;
  code: string;
  rule?: string;
  retry_after_ms?: number;
  request_id?: string;
}

/** The object under `error`; `requestId` where the answer's head cannot carry it any more is left out. */
export function errorObject(error: GatehouseError, requestId: string | undefined): OpenAiError {
  const body: OpenAiError = {
    message: explain(error),
    type: typeOf(error),
    param: error.param ?? null,
    code: CODES[error.code] ?? error.code,
  };
  if (error.toldRule !== undefined) body.rule = error.toldRule;
  if (error.retryAfterMs !== undefined) body.retry_after_ms = error.retryAfterMs;
  if (requestId !== undefined) body.request_id = requestId;
  return body;
}

/** The body of an error answer. */
export function errorBody(error: GatehouseError, requestId: string): string {
  return JSON.stringify({ error: errorObject(error, requestId) });
}
