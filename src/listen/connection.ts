/**
 * One client connection speaking HTTP/1.x: reads requests one after the other, hands each to the pipeline, and is the
 * client's side (`Inbound`) of the exchange under way. Pipelined requests wait until the one before is answered.
 */
import { BodyReader } from '../http/body.ts';
import type { PayloadSink } from '../http/chunked.ts';
import { HttpFault } from '../http/fault.ts';
import { checkPartialHead, findHeadEnd } from '../http/head.ts';
import { parseRequest, Request } from '../http/request.ts';
import { GatehouseError } from '../kernel/error.ts';
import {
  type BodyLength,
  Exchange,
  type Inbound,
  type InboundSink,
  LENGTH_CHUNKED,
  LENGTH_CLOSE,
  LENGTH_NONE,
  LENGTH_TUNNEL,
} from '../kernel/exchange.ts';
import type { Timed } from '../socket/deadlines.ts';
import { MessageWriter } from '../socket/message.ts';
import type { Wire, WireOwner } from '../socket/wire.ts';
import type { ListenerRuntime } from './listen.ts';
import { type Peer, trustedClient } from './peer.ts';

const IDLE = 0;
const HEAD = 1;
const EXCHANGE = 2;
const LINGER = 3;
const TUNNEL = 4;
const CLOSED = 5;

/** Bytes of pipelined requests that are kept while one is being answered. */
const PIPELINE_BYTES = 65_536;
/** A FIN this soon after the request is taken for a half-close; later, mid-answer, for a client that has left. */
const HALF_CLOSE_MS = 1000;
/** Between the two interim responses that find out whether a client that sent FIN is still there. */
const PROBE_MS = 50;
const EMPTY = Buffer.alloc(0);

/** A client connection. */
export class ServerConnection implements WireOwner, Inbound, Timed, PayloadSink {
  deadline = Number.POSITIVE_INFINITY;
  slot = -1;
  clientAddress: string;
  scheme: string;
  readonly #runtime: ListenerRuntime;
  readonly #peer: Peer;
  readonly #wire: Wire;
  readonly #writer: MessageWriter;
  readonly #body = new BodyReader();
  #state = IDLE;
  #request: Request | undefined = undefined;
  #exchange: Exchange | undefined = undefined;
  #sink: InboundSink | undefined = undefined;
  /** What has arrived and not been used: a window into the read buffer, or a copy of its rest. */
  #window: Buffer = EMPTY;
  #at = 0;
  #end = 0;
  #paused = false;
  #advancing = false;
  #keepAlive = true;
  #eof = false;
  #probes = 0;
  #headSent = false;
  #responded = false;
  #requests = 0;
  #requestEndAt = 0;
  #lastQueued = 0;

  constructor(wire: Wire, peer: Peer, runtime: ListenerRuntime) {
    this.#wire = wire;
    this.#peer = peer;
    this.#runtime = runtime;
    this.#writer = new MessageWriter(wire);
    this.clientAddress = peer.address;
    this.scheme = runtime.scheme;
    this.deadline = runtime.clock.now() + runtime.timeouts.head;
    wire.owner = this;
    runtime.deadlines.add(this);
    wire.resume();
  }

  get peerAddress(): string {
    return this.#peer.address;
  }

  get peerPort(): number {
    return this.#peer.port;
  }

  get peerTrusted(): boolean {
    return this.#peer.trusted;
  }

  get listener(): string {
    return this.#runtime.name;
  }

  /** Nothing is under way: may be closed without harm. */
  get idle(): boolean {
    return this.#state === IDLE;
  }

  // ---- bytes in

  onBytes(buffer: Buffer, start: number, end: number): void {
    if (this.#state === LINGER) return;
    if (this.#at < this.#end) {
      // A rest waits: join it. Small, for it is a partial head or a pipelined request.
      this.#window = Buffer.concat([this.#window.subarray(this.#at, this.#end), buffer.subarray(start, end)]);
      this.#at = 0;
      this.#end = this.#window.length;
    } else {
      this.#window = buffer;
      this.#at = start;
      this.#end = end;
    }
    this.#advance();
    if (this.#at < this.#end) {
      if (this.#window === buffer) {
        this.#window = Buffer.from(buffer.subarray(this.#at, this.#end));
        this.#end -= this.#at;
        this.#at = 0;
      }
      if (this.#state === EXCHANGE && this.#end - this.#at > PIPELINE_BYTES) this.#wire.pause();
    } else this.#window = EMPTY;
  }

  /** Goes as far as what has arrived allows. Not recursive: an answer given at once comes back to this loop. */
  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    while (this.#at < this.#end) {
      if (this.#state === IDLE || this.#state === HEAD) {
        if (!this.#readHead()) break;
      } else if (this.#state === EXCHANGE || this.#state === TUNNEL) {
        this.#feed();
        if (this.#state === EXCHANGE || this.#state === TUNNEL) break;
      } else {
        this.#at = this.#end;
      }
    }
    this.#advancing = false;
  }

  /** Delivers body bytes that have arrived. */
  #feed(): void {
    while (this.#at < this.#end && !this.#body.done && !this.#paused && this.#sink !== undefined) this.#readBody();
  }

  #readHead(): boolean {
    const { limits, clock, timeouts } = this.#runtime;
    const buffer = this.#window;
    if (this.#state === IDLE) {
      // One empty line before a request is let pass (RFC 9112 §2.2).
      if (buffer[this.#at] === 13 && buffer[this.#at + 1] === 10 && this.#at + 2 <= this.#end) {
        this.#at += 2;
        if (this.#at === this.#end) return false;
      }
    }
    const headEnd = findHeadEnd(buffer, this.#at, this.#end);
    if (headEnd < 0) {
      const fault = checkPartialHead(buffer, this.#at, this.#end, limits.head, limits.uri);
      if (fault) return this.#refuse(fault, undefined);
      if (this.#state === IDLE) {
        this.#state = HEAD;
        this.deadline = clock.now() + timeouts.head;
      }
      return false;
    }
    const request = parseRequest(buffer, this.#at, headEnd, limits);
    if (request instanceof HttpFault) return this.#refuse(request, undefined);
    this.#at = headEnd;
    this.#requests++;
    this.#request = request;
    this.#body.begin(request.length, limits);
    this.#begin(request);
    return true;
  }

  #begin(request: Request): void {
    const { clock } = this.#runtime;
    const now = clock.now();
    this.#state = EXCHANGE;
    this.#sink = undefined;
    this.#headSent = false;
    this.#responded = false;
    this.#probes = 0;
    this.#keepAlive =
      request.keepAlive &&
      this.#requests < this.#runtime.limits.requestsPerConnection &&
      !this.#runtime.draining &&
      !this.#eof;
    this.deadline = this.#body.done ? Number.POSITIVE_INFINITY : now + this.#runtime.timeouts.body;
    this.#requestEndAt = now;
    if (this.#peer.trusted) {
      const seen = trustedClient(request, this.#peer, this.#runtime);
      this.clientAddress = seen.address;
      this.scheme = seen.scheme;
    }
    const exchange = new Exchange(this, request, request.length);
    exchange.startedAt = now;
    this.#exchange = exchange;
    this.#runtime.onRequest(exchange);
  }

  /** Answers what cannot be parsed, then closes: after a framing fault nothing behind it can be trusted. */
  #refuse(fault: HttpFault | undefined, error: GatehouseError | undefined): boolean {
    const { clock } = this.#runtime;
    this.#at = this.#end;
    this.#body.done = true;
    if (fault) this.#runtime.fault(fault.kind);
    const failure =
      error ?? new GatehouseError((fault as HttpFault).code, (fault as HttpFault).message, { close: true });
    this.#keepAlive = false;
    this.#state = EXCHANGE;
    this.#headSent = false;
    this.#responded = false;
    this.#request = new Request();
    const exchange = new Exchange(this, this.#request, LENGTH_NONE);
    exchange.startedAt = clock.now();
    this.#exchange = exchange;
    this.#runtime.onRefused(exchange, failure);
    return false;
  }

  #readBody(): void {
    const at = this.#body.read(this.#window, this.#at, this.#end, this);
    if (typeof at !== 'number') {
      this.#at = this.#end;
      this.#runtime.fault(at.kind);
      this.#keepAlive = false;
      this.#abortSink(new GatehouseError(at.code, at.message, { close: true }));
      return;
    }
    this.#at = at;
    if (this.#body.done) this.#requestDone();
    else this.deadline = this.#runtime.clock.now() + this.#runtime.timeouts.body;
  }

  onPayload(buffer: Buffer, start: number, end: number): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.requestBytes += end - start;
    if (exchange.requestBytes > exchange.bodyLimit) {
      this.#runtime.fault('body_too_large');
      this.#keepAlive = false;
      this.#abortSink(
        new GatehouseError(
          'body_too_large',
          `the body is larger than ${exchange.bodyLimit} bytes (limits.body of the route)`,
        ),
      );
      return;
    }
    this.#sink?.onRequestData(buffer, start, end);
  }

  #requestDone(): void {
    this.#requestEndAt = this.#runtime.clock.now();
    if (this.#wire.pending === 0) this.deadline = Number.POSITIVE_INFINITY;
    this.#sink?.onRequestEnd(this.#body.trailers);
  }

  onEof(): void {
    this.#eof = true;
    if (this.#state === IDLE || this.#state === LINGER || this.#state === HEAD) {
      if (this.#state === HEAD) this.#runtime.fault('head_cut_short');
      this.#shut();
      return;
    }
    if (this.#state === TUNNEL) {
      this.#sink?.onRequestEnd('');
      return;
    }
    this.#keepAlive = false;
    if (!this.#body.done) {
      this.#runtime.fault('body_cut_short');
      this.#abortSink(new GatehouseError('client_closed', 'the client closed before its request was complete'));
      return;
    }
    const now = this.#runtime.clock.now();
    if (this.#headSent && now - this.#requestEndAt > HALF_CLOSE_MS) {
      this.#runtime.fault('client_left');
      this.#abortSink(new GatehouseError('client_closed', 'the client left before its answer was complete'));
    } else if (!this.#headSent && this.#request?.minor === 1) {
      // Half-closed or gone? Only writing tells: an interim response is harmless to who still reads (RFC 9110 §15.2).
      this.#probe(now);
    }
  }

  #probe(now: number): void {
    this.#wire.writeText('HTTP/1.1 100 Continue\r\n\r\n');
    this.deadline = ++this.#probes < 2 ? now + PROBE_MS : Number.POSITIVE_INFINITY;
  }

  onDrain(): void {
    if (this.#state === CLOSED) return;
    this.deadline =
      this.#state === EXCHANGE && !this.#body.done
        ? this.#runtime.clock.now() + this.#runtime.timeouts.body
        : Number.POSITIVE_INFINITY;
    if (this.#responded) this.#finished();
    else this.#sink?.onInboundDrain();
  }

  onBroken(): void {
    if (this.#state === CLOSED) return;
    if (this.#state === EXCHANGE) this.#runtime.fault(this.#headSent ? 'client_left' : 'client_left_early');
    const sink = this.#responded ? undefined : this.#sink;
    const exchange = this.#responded ? undefined : this.#exchange;
    this.#close();
    const error = new GatehouseError(
      'client_closed',
      'the client closed the connection before its answer was complete',
    );
    if (sink) sink.onInboundAbort(error);
    else if (exchange) this.#runtime.onAborted(exchange, error);
  }

  onDeadline(now: number): void {
    this.deadline = Number.POSITIVE_INFINITY;
    if (this.#state === IDLE || this.#state === LINGER) {
      this.#close();
    } else if (this.#state === HEAD) {
      this.#runtime.fault('slow_head');
      this.#refuse(
        undefined,
        new GatehouseError('request_timeout', 'the request head did not arrive in time (timeouts.head)'),
      );
    } else if (this.#wire.pending > 0) {
      const { queued } = this.#wire;
      if (queued !== this.#lastQueued) {
        this.#lastQueued = queued;
        this.deadline = now + this.#runtime.timeouts.write;
        return;
      }
      this.#runtime.fault('slow_reader');
      this.#abortSink(
        new GatehouseError('client_closed', 'the client took no byte of its answer in time (timeouts.write)'),
      );
    } else if (this.#eof && this.#probes > 0 && !this.#headSent) {
      this.#probe(now);
    } else if (!this.#body.done) {
      this.#runtime.fault('slow_body');
      this.#keepAlive = false;
      this.#abortSink(new GatehouseError('request_timeout', 'the request body did not arrive in time (timeouts.body)'));
    }
  }

  #abortSink(error: GatehouseError): void {
    const sink = this.#sink;
    const exchange = this.#exchange as Exchange;
    if (sink) sink.onInboundAbort(error);
    else if (exchange !== undefined) this.#runtime.onAborted(exchange, error);
    else this.#close();
  }

  // ---- Inbound

  start(sink: InboundSink): void {
    this.#sink = sink;
    const request = this.#request as Request;
    if (this.#state !== EXCHANGE || this.#body.done) {
      if (this.#state === EXCHANGE) sink.onRequestEnd('');
      return;
    }
    if (request.expectContinue && this.#at >= this.#end) this.#wire.writeText('HTTP/1.1 100 Continue\r\n\r\n');
    this.#feed();
  }

  pause(): void {
    this.#paused = true;
    if (!this.#body.done) this.deadline = Number.POSITIVE_INFINITY;
    this.#wire.pause();
  }

  resume(): void {
    if (!this.#paused || this.#state === CLOSED) return;
    this.#paused = false;
    if (!this.#body.done) this.deadline = this.#runtime.clock.now() + this.#runtime.timeouts.body;
    this.#advance();
    if (!this.#paused && !this.#eof) this.#wire.resume();
  }

  interim(status: number, fields: string): void {
    if (this.#request?.minor === 1 && !this.#headSent && this.#state === EXCHANGE) {
      this.#wire.writeText(`HTTP/1.1 ${status} \r\n${fields}\r\n`);
    }
  }

  closeAfter(): void {
    this.#keepAlive = false;
  }

  head(status: number, reason: string, fields: string, length: BodyLength): void {
    if (this.#state !== EXCHANGE) return;
    this.#headSent = true;
    const request = this.#request as Request;
    let framing = length;
    let lines: string;
    if (length === LENGTH_TUNNEL) {
      lines = '';
      this.#state = TUNNEL;
      this.deadline = Number.POSITIVE_INFINITY;
      this.#body.begin(LENGTH_TUNNEL, this.#runtime.limits);
    } else {
      if (length === LENGTH_CHUNKED || length === LENGTH_CLOSE) {
        if (request.minor === 1) {
          framing = LENGTH_CHUNKED;
          lines = 'Transfer-Encoding: chunked\r\n';
        } else {
          framing = LENGTH_CLOSE;
          this.#keepAlive = false;
          lines = '';
        }
      } else lines = length === LENGTH_NONE ? '' : `Content-Length: ${length}\r\n`;
      if (this.#runtime.draining) this.#keepAlive = false;
      if (!this.#keepAlive) lines += 'Connection: close\r\n';
      else if (request.minor === 0) lines += 'Connection: keep-alive\r\n';
    }
    this.#writer.start(
      `HTTP/1.1 ${status} ${reason}\r\n${fields}${lines}\r\n`,
      request.method === 'HEAD' ? LENGTH_NONE : framing,
    );
    if (length === LENGTH_TUNNEL) {
      this.#advance();
      if (!this.#eof) this.#wire.resume();
    }
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    if (this.#state !== EXCHANGE && this.#state !== TUNNEL) return true;
    if (this.#exchange !== undefined) this.#exchange.responseBytes += end - start;
    if (this.#request?.method === 'HEAD') return true;
    const ok = this.#writer.write(buffer, start, end);
    if (this.#wire.pending > 0 && this.deadline === Number.POSITIVE_INFINITY) {
      this.#lastQueued = this.#wire.queued;
      this.deadline = this.#runtime.clock.now() + this.#runtime.timeouts.write;
    }
    return ok;
  }

  end(trailers: string): void {
    if (this.#state !== EXCHANGE && this.#state !== TUNNEL) return;
    this.#writer.end(this.#request?.minor === 1 ? trailers : '');
    this.#responded = true;
    if (this.#wire.pending === 0) this.#finished();
    else if (this.deadline === Number.POSITIVE_INFINITY)
      this.deadline = this.#runtime.clock.now() + this.#runtime.timeouts.write;
  }

  abort(): void {
    if (this.#state === CLOSED) return;
    const closeDelimited = this.#state === TUNNEL || this.#request?.minor === 0;
    if (closeDelimited) this.#wire.reset();
    this.#close();
  }

  // ---- the connection's life

  #finished(): void {
    this.#exchange = undefined;
    this.#sink = undefined;
    this.#responded = false;
    this.#paused = false;
    if (this.#state === TUNNEL || !this.#keepAlive || !this.#body.done) {
      this.#shut();
      return;
    }
    this.#state = IDLE;
    this.#request = undefined;
    this.deadline = this.#runtime.clock.now() + this.#runtime.timeouts.keepAlive;
    if (this.#runtime.draining) this.#close();
    else if (this.#at < this.#end) {
      this.#wire.resume();
      this.#advance();
    } else this.#wire.resume();
  }

  /** Closes so that the peer can still read what was sent: FIN, then drop what comes, for a while (RFC 9112 §9.6). */
  #shut(): void {
    if (this.#state === CLOSED) return;
    if (this.#eof) {
      this.#close();
      return;
    }
    const quiet = this.#body.done && this.#at >= this.#end && this.#wire.pending === 0;
    this.#wire.end();
    if (quiet) {
      this.#close();
      return;
    }
    this.#state = LINGER;
    this.#at = this.#end;
    this.deadline = this.#runtime.clock.now() + this.#runtime.timeouts.linger;
    this.#wire.resume();
  }

  #close(): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#sink = undefined;
    this.#exchange = undefined;
    this.#window = EMPTY;
    this.#runtime.deadlines.remove(this);
    this.#wire.destroy();
    this.#runtime.onClosed(this);
  }

  /** Drain: closes now if idle, else after the response under way. */
  drain(): void {
    if (this.#state === IDLE) this.#close();
    else this.#keepAlive = false;
  }

  /** Closes at once, cutting what is under way. */
  destroy(): void {
    if (this.#state !== CLOSED) this.onBroken();
  }
}
