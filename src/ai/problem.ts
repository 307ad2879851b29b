/** Errors for plain HTTP clients: problem details (RFC 9457, `application/problem+json`). */
import type { GatehouseError } from '../kernel/error.ts';
import { explain } from './explain.ts';

/** Phrase of each status in the error table (RFC 9110 §15). */
const TITLES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  411: 'Length Required',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  499: 'Client Closed Request',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  508: 'Loop Detected',
};

/** The body of an error answer. `type` is left out, which means about:blank: the status says what kind it is. */
export function problemBody(error: GatehouseError, requestId: string): string {
  return JSON.stringify({
    title: TITLES[error.status] ?? error.code,
    status: error.status,
    detail: explain(error),
    code: error.code,
    param: error.param,
    rule: error.toldRule,
    retry_after_ms: error.retryAfterMs,
    request_id: requestId,
  });
}
