/** What may be tried again: which requests, after which failures, and the part of a body that has been sent. */
import type { ErrorCode } from '../kernel/error.ts';

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
const SERVER_FAULTS: ReadonlySet<ErrorCode> = new Set([
  'upstream_refused',
  'upstream_reset',
  'upstream_protocol',
  'upstream_incomplete',
  'upstream_tls',
  'upstream_dns',
  'connect_timeout',
  'first_byte_timeout',
  'idle_timeout',
]);

/** Whether a request of this method may be sent twice without harm (RFC 9110 §9.2.2). */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}

/** Whether a failure speaks against the server, not against the request. */
export function speaksAgainstServer(code: ErrorCode): boolean {
  return SERVER_FAULTS.has(code);
}

/** Whether a failure is that of a server which said nothing for too long. */
export function isTimeout(code: ErrorCode): boolean {
  return code === 'first_byte_timeout' || code === 'connect_timeout' || code === 'idle_timeout';
}

/** Sent request bytes. Starts out complete: nothing has been sent. */
export class Replay {
  /** Everything that was sent is kept: the request can be sent again. */
  complete = true;
  #pieces: Buffer[] = [];
  readonly #room: number;
  #bytes = 0;

  /** `room`: bytes that are kept at most. */
  constructor(room: number) {
    this.#room = room;
  }

  /** A slice is sent that is not kept. */
  forget(): void {
    this.complete = false;
    this.#pieces = [];
  }

  /** A slice is sent; a copy is kept while there is room. */
  keep(buffer: Buffer, start: number, end: number): void {
    if (!this.complete) return;
    this.#bytes += end - start;
    if (this.#bytes > this.#room) this.forget();
    else this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
  }

  /** What was sent, in order. */
  get pieces(): readonly Buffer[] {
    return this.#pieces;
  }

  /** Sends all of it again. */
  send(to: { write(buffer: Buffer, start: number, end: number): boolean }): void {
    for (const piece of this.#pieces) to.write(piece, 0, piece.length);
  }
}
