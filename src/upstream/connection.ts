/**
 * One connection to a server: carries one exchange at a time and is the server's side (`Outbound`) of it. What a server
 * sends is parsed as strictly as what a client sends; a connection on which anything was odd is never used again.
 */
import { BodyReader } from '../http/body.ts';
import type { ChunkedLimits, PayloadSink } from '../http/chunked.ts';
import { HttpFault } from '../http/fault.ts';
import { checkPartialHead, findHeadEnd } from '../http/head.ts';
import { parseResponse, type Response } from '../http/response.ts';
import { type ErrorCode, GatehouseError } from '../kernel/error.ts';
import { type BodyLength, LENGTH_TUNNEL, type Outbound, type OutboundSink } from '../kernel/exchange.ts';
import type { Timed } from '../socket/deadlines.ts';
import { type Dialer, type Dialing, dial, errnoName } from '../socket/dial.ts';
import { MessageWriter } from '../socket/message.ts';
import type { Wire } from '../socket/wire.ts';
import type { Endpoint } from './endpoint.ts';

const CONNECTING = 0;
const IDLE = 1;
const BUSY = 2;
const TUNNEL = 3;
const CLOSED = 4;

/** Bytes of a request that are kept while its connection is being made. */
const EARLY_BYTES = 65_536;
const NEVER = Number.POSITIVE_INFINITY;

/** A connection to an endpoint. */
export class ClientConnection implements Dialer, Outbound, Timed, PayloadSink {
  deadline = NEVER;
  slot = -1;
  /** Monotonic time after which an idle connection is not used any more. */
  idleUntil = 0;
  readonly #endpoint: Endpoint;
  readonly #body = new BodyReader();
  readonly #limits: ChunkedLimits;
  #dialing: Dialing | undefined;
  #wire: Wire | undefined = undefined;
  #writer: MessageWriter | undefined = undefined;
  #sink: OutboundSink | undefined = undefined;
  #state = CONNECTING;
  #method = '';
  #requests = 0;
  #reused = false;
  #sent = false;
  #requestDone = false;
  #headSeen = false;
  #interims = 0;
  #keepAlive = true;
  #totalAt = NEVER;
  #held: Buffer | undefined = undefined;
  // What waits for the connection to stand.
  #earlyHead = '';
  #earlyLength: BodyLength = 0;
  #early: Buffer[] | undefined = undefined;
  #earlyBytes = 0;
  #earlyTrailers: string | undefined = undefined;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.#limits = { ...endpoint.bodyLimits };
    endpoint.deadlines.add(this);
    this.deadline = endpoint.clock.now() + endpoint.config.timeouts.connect;
    this.#dialing = dial(endpoint.target(), this);
  }

  /** Sends a request head (complete, with its empty line); `totalAt` is the deadline of the whole exchange. */
  start(sink: OutboundSink, method: string, head: string, length: BodyLength, totalAt: number): void {
    this.#sink = sink;
    this.#method = method;
    this.#totalAt = totalAt;
    this.#requestDone = false;
    this.#headSeen = false;
    this.#interims = 0;
    this.#reused = this.#requests++ > 0;
    this.#sent = false;
    if (this.#state === CONNECTING) {
      this.#earlyHead = head;
      this.#earlyLength = length;
      return;
    }
    this.#state = BUSY;
    this.deadline = totalAt;
    this.#send(head, length);
  }

  #send(head: string, length: BodyLength): void {
    this.#sent = true;
    this.#writer?.start(head, length);
    this.#wire?.resume();
  }

  /** The connection does not stand yet: nothing has been sent. */
  get connecting(): boolean {
    return this.#state === CONNECTING;
  }

  // ---- Outbound

  write(buffer: Buffer, start: number, end: number): boolean {
    if (this.#state === CONNECTING) {
      this.#early ??= [];
      this.#early.push(Buffer.from(buffer.subarray(start, end)));
      this.#earlyBytes += end - start;
      return this.#earlyBytes < EARLY_BYTES;
    }
    if (this.#writer === undefined || this.#state === CLOSED) return true;
    const ok = this.#writer.write(buffer, start, end);
    if (!ok) this.#arm(this.#endpoint.config.timeouts.idle);
    return ok;
  }

  end(trailers: string): void {
    if (this.#state === CONNECTING) {
      this.#earlyTrailers = trailers;
      return;
    }
    if (this.#state === TUNNEL) {
      this.#wire?.end();
      return;
    }
    if (this.#state === CLOSED) return;
    this.#writer?.end(trailers);
    this.#requestDone = true;
    if (!this.#headSeen) this.#arm(this.#endpoint.config.timeouts.firstByte);
  }

  pause(): void {
    this.#wire?.pause();
    this.deadline = this.#totalAt;
  }

  resume(): void {
    if (this.#state === CLOSED || this.#wire === undefined) return;
    this.#wire.resume();
    if (this.#headSeen)
      this.#arm(this.#state === TUNNEL ? this.#endpoint.config.timeouts.tunnel : this.#endpoint.config.timeouts.idle);
  }

  abort(): void {
    this.#sink = undefined;
    this.close();
  }

  // ---- the wire

  onConnected(wire: Wire): void {
    this.#dialing = undefined;
    wire.owner = this;
    wire.readsOut = true;
    this.#wire = wire;
    this.#writer = new MessageWriter(wire);
    this.deadline = this.#totalAt;
    if (this.#sink === undefined) {
      this.close();
      return;
    }
    this.#state = BUSY;
    const early = this.#early;
    this.#send(this.#earlyHead, this.#earlyLength);
    this.#earlyHead = '';
    this.#early = undefined;
    this.#earlyBytes = 0;
    if (early) for (const piece of early) this.#writer.write(piece, 0, piece.length);
    if (this.#earlyTrailers !== undefined) {
      this.end(this.#earlyTrailers);
      this.#earlyTrailers = undefined;
    } else if (wire.pending === 0) this.#sink.onOutboundDrain();
  }

  onDialFailed(code: string, message: string, tls: boolean): void {
    this.#dialing = undefined;
    const what: ErrorCode = tls ? 'upstream_tls' : 'upstream_refused';
    this.#endpoint.fault(tls ? 'upstream_tls' : 'upstream_refused');
    this.#fail(
      new GatehouseError(what, `the server could not be reached: ${this.#endpoint.id}: ${tls ? message : code}`),
    );
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    if (this.#state === IDLE) {
      this.#endpoint.fault('bytes_after_response');
      this.close();
      return;
    }
    let from = buffer;
    let at = start;
    let to = end;
    if (this.#held !== undefined) {
      from = Buffer.concat([this.#held, buffer.subarray(start, end)]);
      this.#held = undefined;
      at = 0;
      to = from.length;
    }
    while (at < to && this.#sink !== undefined) {
      if (this.#headSeen) {
        const next = this.#body.read(from, at, to, this);
        if (typeof next !== 'number') {
          this.#broken(next);
          return;
        }
        at = next;
        if (this.#state === CLOSED) return;
        if (this.#body.done) {
          if (at < to) {
            this.#endpoint.fault('bytes_after_response');
            this.#keepAlive = false;
          }
          this.#finish();
          return;
        }
        this.#arm(this.#state === TUNNEL ? this.#endpoint.config.timeouts.tunnel : this.#endpoint.config.timeouts.idle);
      } else {
        const headEnd = findHeadEnd(from, at, to);
        if (headEnd < 0) {
          const { head } = this.#endpoint.config.limits;
          const fault = checkPartialHead(from, at, to, head, head);
          if (fault) this.#broken(new HttpFault(`response_${fault.kind}`, 'upstream_protocol', fault.message));
          else this.#held = Buffer.from(from.subarray(at, to));
          return;
        }
        const head = parseResponse(from, at, headEnd, this.#method, this.#endpoint.config.limits);
        if (head instanceof HttpFault) {
          this.#broken(head);
          return;
        }
        at = headEnd;
        if (!this.#onHead(head, at < to)) return;
      }
    }
  }

  /** Takes a parsed head; false when the connection or the exchange has ended with it. */
  #onHead(head: Response, more: boolean): boolean {
    const sink = this.#sink as OutboundSink;
    if (head.status < 200 && head.status !== 101) {
      if (++this.#interims > this.#endpoint.config.limits.interim) {
        this.#broken(new HttpFault('interim_flood', 'upstream_protocol', 'too many 1xx responses (limits.interim)'));
        return false;
      }
      sink.onInterim(head);
      return this.#state !== CLOSED;
    }
    this.#headSeen = true;
    if (head.status === 101) {
      this.#state = TUNNEL;
      this.#body.begin(LENGTH_TUNNEL, this.#limits);
      this.#keepAlive = false;
      this.#totalAt = NEVER;
      this.#arm(this.#endpoint.config.timeouts.tunnel);
      sink.onResponseHead(head, LENGTH_TUNNEL);
      return this.#state === TUNNEL;
    }
    this.#keepAlive = head.keepAlive && this.#requestDone;
    if (head.keepAliveSeconds > 0) this.#endpoint.hint(head.keepAliveSeconds * 1000);
    this.#body.begin(head.length, this.#limits);
    sink.onResponseHead(head, head.length);
    if (this.#isClosed) return false;
    if (this.#body.done) {
      if (more) {
        this.#endpoint.fault('bytes_after_response');
        this.#keepAlive = false;
      }
      this.#finish();
      return false;
    }
    this.#arm(this.#endpoint.config.timeouts.idle);
    return true;
  }

  get #isClosed(): boolean {
    return this.#state === CLOSED;
  }

  onPayload(buffer: Buffer, start: number, end: number): void {
    this.#sink?.onResponseData(buffer, start, end);
  }

  /** The response is complete: the connection goes back to the pool if everything about it was in order. */
  #finish(): void {
    const sink = this.#sink as OutboundSink;
    const { trailers } = this.#body;
    this.#sink = undefined;
    this.#held = undefined;
    this.#totalAt = NEVER;
    if (
      this.#keepAlive &&
      this.#requestDone &&
      this.#requests < this.#endpoint.config.pool.requestsPerConnection &&
      this.#wire?.pending === 0
    ) {
      this.#state = IDLE;
      this.deadline = NEVER;
      this.#wire.resume();
      this.#endpoint.release(this);
    } else this.close();
    sink.onResponseEnd(trailers);
  }

  onEof(): void {
    if (this.#state === TUNNEL) {
      const sink = this.#sink;
      this.#sink = undefined;
      this.close();
      sink?.onResponseEnd('');
      return;
    }
    if (this.#state === BUSY && this.#headSeen && this.#body.closeDelimited) {
      this.#keepAlive = false;
      this.#finish();
      return;
    }
    this.#lost('the server closed the connection');
  }

  onBroken(code: number): void {
    this.#lost(`the connection broke: ${errnoName(code)}`);
  }

  #lost(what: string): void {
    if (this.#state !== BUSY && this.#state !== TUNNEL) {
      this.close();
      return;
    }
    const cut = this.#headSeen;
    this.#endpoint.fault(cut ? 'upstream_cut_short' : 'upstream_reset');
    const code: ErrorCode = cut ? 'upstream_incomplete' : 'upstream_reset';
    this.#fail(
      new GatehouseError(
        code,
        `${what} ${cut ? 'in the middle of its answer' : 'before it answered'}: ${this.#endpoint.id}`,
      ),
    );
  }

  #broken(fault: HttpFault): void {
    this.#endpoint.fault(fault.kind);
    this.#fail(new GatehouseError('upstream_protocol', `the server's answer is not valid HTTP: ${fault.message}`));
  }

  onDrain(): void {
    if (this.#state !== BUSY && this.#state !== TUNNEL) return;
    if (this.#requestDone && !this.#headSeen) this.#arm(this.#endpoint.config.timeouts.firstByte);
    else if (!this.#requestDone) this.deadline = this.#totalAt;
    this.#sink?.onOutboundDrain();
  }

  onDeadline(now: number): void {
    const { timeouts } = this.#endpoint.config;
    this.deadline = NEVER;
    if (this.#state === CONNECTING) {
      this.#endpoint.fault('connect_timeout');
      this.#fail(
        new GatehouseError(
          'connect_timeout',
          `no connection within ${timeouts.connect} ms (timeouts.connect): ${this.#endpoint.id}`,
        ),
      );
    } else if (this.#state === IDLE) {
      this.close();
    } else if (now >= this.#totalAt) {
      this.#endpoint.fault('total_timeout');
      this.#fail(
        new GatehouseError('total_timeout', `the answer took longer than ${timeouts.total} ms (timeouts.total)`),
      );
    } else if (this.#headSeen || !this.#requestDone) {
      this.#endpoint.fault('idle_timeout');
      this.#fail(
        new GatehouseError(
          'idle_timeout',
          `nothing moved for ${timeouts.idle} ms (timeouts.idle): ${this.#endpoint.id}`,
        ),
      );
    } else {
      this.#endpoint.fault('first_byte_timeout');
      this.#fail(
        new GatehouseError(
          'first_byte_timeout',
          `no answer within ${timeouts.firstByte} ms (timeouts.firstByte): ${this.#endpoint.id}`,
        ),
      );
    }
  }

  #arm(ms: number): void {
    const at = this.#endpoint.clock.now() + ms;
    this.deadline = at < this.#totalAt ? at : this.#totalAt;
  }

  #fail(error: GatehouseError): void {
    const sink = this.#sink;
    const reused = this.#reused;
    const sent = this.#sent;
    this.#sink = undefined;
    this.close();
    sink?.onOutboundError(error, reused, sent);
  }

  /** Closes; an exchange under way is not told (see `abort`). */
  close(): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#held = undefined;
    this.#early = undefined;
    this.#dialing?.cancel();
    this.#wire?.destroy();
    this.#endpoint.deadlines.remove(this);
    this.#endpoint.closed(this);
  }
}
