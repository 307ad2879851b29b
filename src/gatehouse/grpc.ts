/** What gRPC makes of HTTP (PROTOCOL-HTTP2): its deadline, and refusals in its own shape. Pure. */

import { KNOWN } from '../http/known.ts';
import type { Request } from '../http/request.ts';
import type { ErrorCode, GatehouseError } from '../kernel/error.ts';

/** Status codes of gRPC (google.rpc.Code). */
const GRPC = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** What differs from the mapping by HTTP status. */
const BY_CODE: Partial<Record<ErrorCode, number>> = {
  body_too_large: GRPC.RESOURCE_EXHAUSTED,
  head_too_large: GRPC.RESOURCE_EXHAUSTED,
  not_found: GRPC.UNIMPLEMENTED,
  model_not_found: GRPC.NOT_FOUND,
  client_closed: 1,
  connect_timeout: GRPC.UNAVAILABLE,
  upstream_protocol: GRPC.INTERNAL,
  internal: GRPC.INTERNAL,
};

/** Statuses of HTTP → codes (gRPC's http-grpc-status-mapping, finer where we know more). */
const BY_STATUS: ReadonlyMap<number, number> = new Map([
  [400, GRPC.INVALID_ARGUMENT],
  [401, GRPC.UNAUTHENTICATED],
  [403, GRPC.PERMISSION_DENIED],
  [404, GRPC.UNIMPLEMENTED],
  [405, GRPC.UNIMPLEMENTED],
  [408, GRPC.DEADLINE_EXCEEDED],
  [415, GRPC.INVALID_ARGUMENT],
  [421, GRPC.UNAVAILABLE],
  [429, GRPC.RESOURCE_EXHAUSTED],
  [501, GRPC.UNIMPLEMENTED],
  [502, GRPC.UNAVAILABLE],
  [503, GRPC.UNAVAILABLE],
  [504, GRPC.DEADLINE_EXCEEDED],
]);

/** Milliseconds of each unit of `grpc-timeout`. */
const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Whether a request is one of gRPC: then errors are answered in its shape. */
export function isGrpc(head: Request): boolean {
  if ((head.seen & KNOWN['content-type']) === 0) return false;
  const type = head.known(KNOWN['content-type']) as string;
  // Not grpc-web: its clients read HTTP errors.
  return type.startsWith('application/grpc') && (type.length === 16 || type[16] === '+' || type[16] === ';');
}

/** `grpc-timeout` in milliseconds; Infinity where there is none, or none that can be read. */
export function grpcTimeout(value: string | undefined): number {
  const match = value === undefined ? null : /^(\d{1,8})([HMSmun])$/.exec(value);
  if (match === null) return Number.POSITIVE_INFINITY;
  return Number(match[1]) * (UNITS[match[2] as string] as number);
}

/** The status code of an error of ours. */
export function grpcStatus(error: GatehouseError): number {
  return BY_CODE[error.code] ?? BY_STATUS.get(error.status) ?? 2;
}

/** Field lines of a refusal: content type, status, and the message, percent-encoded. */
export function grpcFields(error: GatehouseError): string {
  const message = Buffer.from(error.message)
    .toString('latin1')
    .replace(/[^\x20-\x24\x26-\x7e]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
  return `Content-Type: application/grpc\r\ngrpc-status: ${grpcStatus(error)}\r\ngrpc-message: ${message}\r\n`;
}
