/** One client connection speaking HTTP/2: opens an exchange for each stream, waits no longer than for HTTP/1.x, drains. */
import { HttpFault } from '../../http/fault.ts';
import { H2, PREFACE, SETTING } from '../../http/http2/frame.ts';
import { Malformed } from '../../http/http2/head.ts';
import { Request } from '../../http/request.ts';
import { GatehouseError } from '../../kernel/error.ts';
import type { Peer } from '../../kernel/exchange.ts';
import type { HostedStream } from '../../socket/http2/host.ts';
import { Http2Session } from '../../socket/http2/session.ts';
import type { Wire } from '../../socket/wire.ts';
import { trustedClient } from '../peer.ts';
import type { Drainable, ListenerRuntime } from '../runtime.ts';
import type { Secured } from '../tls.ts';
import { Http2Exchange } from './exchange.ts';
import type { Http2Host } from './host.ts';

/** GOAWAY names this stream while those that are on their way are still taken (RFC 9113 §6.8). */
const ANY_STREAM = 2 ** 31 - 1;
/** While draining: how long streams that are on their way are awaited, in milliseconds. */
const LAST_CALL_MS = 1000;
/** Between the two PINGs that find out whether a client that sent FIN is still there. */
const PROBE_MS = 25;
const PROBES = 2;
/** Of a client that was sent away, so many octets are still read and dropped, so that it can read why. */
const LINGER_BYTES = 1 << 20;

/** A client connection. */
export class Http2Connection extends Http2Session<Http2Exchange> implements Drainable, Http2Host {
  readonly runtime: ListenerRuntime;
  readonly peer: Peer;
  /** The connection has broken: its streams end because of that. */
  gone = false;
  #preface = 0;
  #closed = false;
  #requests = 0;
  #eof = false;
  #probes = 0;
  #dropped = 0;
  /** When a client that has sent FIN counts as gone. */
  #goneAt = Infinity;
  /** GOAWAY has been sent: 1 for any stream, 2 for no further one. */
  #leaving = 0;
  #idleSince = Infinity;
  readonly secured: Secured | undefined;

  constructor(wire: Wire, peer: Peer, runtime: ListenerRuntime, secured?: Secured) {
    const { limits, http2 } = runtime;
    super(wire, {
      window: http2.window,
      connectionWindow: http2.connectionWindow,
      head: limits.head,
      streams: http2.streams,
      floods: http2.floods,
    });
    this.peer = peer;
    this.runtime = runtime;
    this.secured = secured;
    this.own(runtime.timeouts.head);
    runtime.deadlines.add(this);
    this.greet([[SETTING.MAX_CONCURRENT_STREAMS, http2.streams]]);
    wire.resume();
  }

  now(): number {
    return this.runtime.clock.now();
  }

  fault(kind: string): void {
    this.runtime.fault(kind);
  }

  // ---- the wire

  override onBytes(buffer: Buffer, start: number, end: number): void {
    if (this.stopped) {
      this.#dropped += end - start;
      if (this.#dropped > LINGER_BYTES) this.close();
      return;
    }
    let from = start;
    for (; this.#preface < PREFACE.length && from < end; from++) {
      if (buffer[from] === PREFACE[this.#preface++]) continue;
      this.fail(H2.PROTOCOL_ERROR, 'h2_preface', 'this is not the preface of HTTP/2 (RFC 9113 §3.4)');
      return;
    }
    const before = this.waitsForRest;
    super.onBytes(buffer, from, end);
    if (this.stopped || this.#leaving === 2) return;
    const { timeouts } = this.runtime;
    if (this.waitsForRest) {
      if (!before) this.own(timeouts.head);
    } else if (this.streams.size > 0) this.ownAt = this.#leaving === 0 ? Infinity : this.ownAt;
    else if (before || this.ownAt === Infinity || this.#requests === 0) this.#idle();
  }

  #idle(): void {
    const { keepAlive, head } = this.runtime.timeouts;
    this.#idleSince = this.now();
    if (this.#leaving === 0) this.own(this.#requests === 0 ? head : keepAlive);
  }

  onEof(): void {
    this.#eof = true;
    if (this.stopped || this.streams.size === 0) {
      this.close();
      return;
    }
    this.#goneAt = this.now() + this.runtime.timeouts.halfClose;
    for (const stream of this.streams.all()) stream.halfClosed();
    if (this.streams.size > 0) this.#probe();
  }

  /** Half-closed or gone? Only writing tells, and a PING is harmless to who still reads. */
  #probe(): void {
    this.ping();
    this.own(++this.#probes < PROBES ? PROBE_MS : this.#goneAt - this.now());
  }

  onBroken(): void {
    if (this.#closed) return;
    this.gone = true;
    this.abandon(H2.CANCEL, 'closed the connection before its answer was complete');
    this.close();
  }

  // ---- streams

  protected isIdle(id: number): boolean {
    return id > this.lastPeerId || id % 2 === 0;
  }

  protected onHeaders(id: number, ended: boolean, block: Buffer, start: number, end: number): void {
    const open = this.streams.get(id);
    if (open !== undefined) {
      this.#trailers(open, ended, block, start, end);
      return;
    }
    const { limits } = this.runtime;
    if (id % 2 === 0) {
      this.fail(H2.PROTOCOL_ERROR, 'h2_stream_id', 'a client opens odd streams only (RFC 9113 §5.1.1)');
      return;
    }
    if (!this.unfold('request', limits.head, block, start, end)) return;
    if (id <= this.lastPeerId) {
      if (!this.isForgotten(id)) this.fail(H2.STREAM_CLOSED, 'h2_stream_closed', `stream ${id} has ended`);
      return;
    }
    // Behind our last GOAWAY: it may be sent elsewhere (RFC 9113 §6.8).
    if (this.#leaving === 2) return;
    this.lastPeerId = id;
    if (this.streams.size >= this.limits.streams) {
      this.refuseBlock(id, H2.REFUSED_STREAM, 'h2_too_many_streams');
      return;
    }
    const request = this.collector.request(limits, ended);
    if (request instanceof Malformed) {
      this.refuseBlock(id, H2.PROTOCOL_ERROR, request.kind);
      return;
    }
    this.#open(id, request, ended);
  }

  #open(id: number, request: Request | HttpFault, ended: boolean): void {
    const { runtime } = this;
    this.#requests++;
    this.ownAt = this.#leaving === 0 ? Infinity : this.ownAt;
    this.#idleSince = Infinity;
    const fault = request instanceof HttpFault ? request : undefined;
    const head = request instanceof HttpFault ? new Request() : request;
    const exchange = new Http2Exchange(this, id, head);
    this.add(exchange);
    exchange.remoteEnded = ended;
    if (this.#requests >= runtime.limits.requestsPerConnection) this.drain();
    if (fault !== undefined) {
      runtime.fault(fault.kind);
      runtime.onRefused(exchange.exchange, new GatehouseError(fault.code, fault.message));
      return;
    }
    if (this.peer.trusted) {
      const seen = trustedClient(head, this.peer, runtime);
      exchange.clientAddress = seen.address;
      exchange.scheme = seen.scheme;
    }
    const refused = this.secured?.standing.refusal(head.host);
    if (refused === undefined) {
      runtime.onRequest(exchange.exchange);
      return;
    }
    runtime.fault(refused.code);
    runtime.onRefused(exchange.exchange, refused);
    if (refused.close) this.drain();
  }

  #trailers(stream: Http2Exchange, ended: boolean, block: Buffer, start: number, end: number): void {
    const { limits } = this.runtime;
    if (!this.unfold('trailers', limits.trailers, block, start, end)) return;
    if (stream.remoteEnded) {
      this.wrong(stream, H2.STREAM_CLOSED, 'h2_stream_closed', 'a header block behind the end of its stream');
      return;
    }
    if (!ended) {
      this.malformed(stream, new Malformed('h2_trailers', 'trailers that do not end their stream (RFC 9113 §8.1)'));
      return;
    }
    const trailers = this.collector.trailers(limits);
    if (typeof trailers === 'string') stream.receiveEnd(trailers);
    else if (trailers instanceof Malformed) this.malformed(stream, trailers);
    else this.wrong(stream, H2.ENHANCE_YOUR_CALM, trailers.kind, trailers.message);
  }

  /** Sends a head, final or not. `length`: of the body, where it is known. */
  sendHead(id: number, status: number, fields: string, length: number, ended: boolean): void {
    const { encoder } = this;
    encoder.begin();
    encoder.status(status);
    encoder.lines(fields);
    if (length >= 0) encoder.field('content-length', String(length));
    this.sendBlock(id, ended);
  }

  /** A client that takes no byte of an answer: if no other one moves either, it is done with. */
  tooSlow(stream: HostedStream): void {
    if (this.sendWindow <= 0 || this.wire.pending > 0)
      this.fail(H2.ENHANCE_YOUR_CALM, 'slow_reader', 'no byte of an answer was taken in time (timeouts.write)');
    else this.wrong(stream, H2.ENHANCE_YOUR_CALM, 'slow_reader', 'took no byte of its answer in time (timeouts.write)');
  }

  protected onGoaway(): void {}

  protected onEmpty(): void {
    if (this.#leaving === 2 || this.#eof) this.#end();
    else this.#idle();
  }

  // ---- the end

  get idleSince(): number {
    return this.streams.size === 0 && this.#requests > 0 ? this.#idleSince : Infinity;
  }

  drain(): void {
    if (this.#leaving !== 0 || this.stopped) return;
    this.#leaving = 1;
    this.goaway(ANY_STREAM, H2.NO_ERROR, '');
    this.ping();
    this.own(LAST_CALL_MS);
  }

  /** Our PING behind GOAWAY has been answered: all that the client sent before it knew is here. */
  protected onPong(): void {
    if (this.#leaving === 1) this.#lastCall();
  }

  #lastCall(): void {
    this.#leaving = 2;
    this.ownAt = Infinity;
    this.goaway(this.lastPeerId, H2.NO_ERROR, '');
    if (this.streams.size === 0) this.#end();
  }

  protected onFailed(): void {
    this.#end();
  }

  /** FIN, and a while in which the client can read what was sent. */
  #end(): void {
    this.stopped = true;
    this.wire.end();
    if (this.#eof && this.wire.pending === 0) this.close();
    else this.own(this.runtime.timeouts.linger);
  }

  destroy(): void {
    this.onBroken();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = this.stopped = true;
    this.runtime.deadlines.remove(this);
    this.wire.destroy();
    this.runtime.http2Connections(-1);
    this.runtime.onClosed(this);
  }

  protected overdue(): void {
    if (this.stopped) this.close();
    else if (this.#leaving === 1) this.#lastCall();
    else if (this.#eof) {
      if (this.now() >= this.#goneAt) this.onBroken();
      else this.#probe();
    } else if (this.waitsForRest || this.#requests === 0) {
      this.fail(H2.PROTOCOL_ERROR, 'slow_head', 'a frame was not complete in time (timeouts.head)');
    } else this.drain();
  }
}
