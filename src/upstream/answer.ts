/** Reading one answer off a server's connection: interim heads, the head, the body, and what must not follow. */
import { BodyReader } from '../http/body.ts';
import type { ChunkedLimits, PayloadSink } from '../http/chunked.ts';
import { HttpFault } from '../http/fault.ts';
import { checkPartialHead, findHeadEnd } from '../http/head.ts';
import { parseResponse, type Response, startsResponse } from '../http/response.ts';
import { LENGTH_TUNNEL } from '../kernel/exchange.ts';

/** Limits of an answer. */
export interface AnswerLimits {
  /** Bytes of a head. */
  readonly head: number;
  /** Field lines of a head. */
  readonly fields: number;
  /** 1xx responses before the final one. */
  readonly interim: number;
}

/** Who takes the answer. */
export interface AnswerSink extends PayloadSink {
  onInterimHead(head: Response): void;
  onFinalHead(head: Response): void;
}

/** More bytes are awaited. */
export const MORE = 0;
/** The answer is complete. */
export const COMPLETE = 1;
/** The answer is complete, and bytes followed that nobody asked for. */
export const SURPLUS = 2;

/** Reads answers, one after the other. */
export class AnswerReader {
  /** The final head has been read. */
  headSeen = false;
  readonly #limits: AnswerLimits;
  readonly #bodyLimits: ChunkedLimits;
  readonly #body = new BodyReader();
  #method = '';
  #interims = 0;
  #held: Buffer | undefined = undefined;
  #stopped = false;

  constructor(limits: AnswerLimits, bodyLimits: ChunkedLimits) {
    this.#limits = limits;
    this.#bodyLimits = bodyLimits;
  }

  /** Starts on the answer to a request of this method. */
  begin(method: string): void {
    this.#method = method;
    this.headSeen = false;
    this.#interims = 0;
    this.#held = undefined;
    this.#stopped = false;
  }

  /** Reads no more: the exchange has ended while its answer was being read. */
  stop(): void {
    this.#stopped = true;
    this.#held = undefined;
  }

  /** The body ends when the server closes. */
  get closeDelimited(): boolean {
    return this.headSeen && this.#body.closeDelimited;
  }

  /** Trailer lines with CRLF, once complete. */
  get trailers(): string {
    return this.#body.trailers;
  }

  /** Takes bytes in. Returns MORE, COMPLETE, SURPLUS, or what is wrong. */
  read(buffer: Buffer, start: number, end: number, sink: AnswerSink): number | HttpFault {
    let from = buffer;
    let at = start;
    let to = end;
    if (this.#held !== undefined) {
      from = Buffer.concat([this.#held, buffer.subarray(start, end)]);
      this.#held = undefined;
      at = 0;
      to = from.length;
    }
    while (at < to && !this.#stopped) {
      if (this.headSeen) {
        const next = this.#body.read(from, at, to, sink);
        if (typeof next !== 'number') return new HttpFault(`response_${next.kind}`, 'upstream_protocol', next.message);
        if (this.#stopped) return MORE;
        if (this.#body.done) return next < to ? SURPLUS : COMPLETE;
        return MORE;
      }
      const headEnd = findHeadEnd(from, at, to);
      if (headEnd < 0) return this.#hold(from, at, to);
      const head = parseResponse(from, at, headEnd, this.#method, this.#limits);
      if (head instanceof HttpFault) return head;
      at = headEnd;
      const fault = this.#onHead(head, sink);
      if (fault) return fault;
      if (this.headSeen && this.#body.done && !this.#stopped) return at < to ? SURPLUS : COMPLETE;
    }
    return MORE;
  }

  #hold(from: Buffer, at: number, to: number): number | HttpFault {
    const { head } = this.#limits;
    if (!startsResponse(from, at, to)) {
      return new HttpFault('status_line', 'upstream_protocol', 'it does not start with HTTP/1. (RFC 9112 §4)');
    }
    const fault = checkPartialHead(from, at, to, head, head);
    if (fault) return new HttpFault(`response_${fault.kind}`, 'upstream_protocol', fault.message);
    this.#held = Buffer.from(from.subarray(at, to));
    return MORE;
  }

  #onHead(head: Response, sink: AnswerSink): HttpFault | undefined {
    if (head.status < 200 && head.status !== 101) {
      if (++this.#interims > this.#limits.interim) {
        return new HttpFault('interim_flood', 'upstream_protocol', 'too many 1xx responses (limits.interim)');
      }
      sink.onInterimHead(head);
      return undefined;
    }
    this.headSeen = true;
    this.#body.begin(head.status === 101 ? LENGTH_TUNNEL : head.length, this.#bodyLimits);
    sink.onFinalHead(head);
    return undefined;
  }
}
