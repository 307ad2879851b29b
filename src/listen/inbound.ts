/**
 * The client's side (`Inbound`) of one exchange on an HTTP/1.x connection: delivers the request body, takes the response,
 * and notices when the client leaves or is slow. Lives from a request's head to the last byte of its response.
 */
import { BodyReader } from '../http/body.ts';
import type { PayloadSink } from '../http/chunked.ts';
import type { Request } from '../http/request.ts';
import { GatehouseError } from '../kernel/error.ts';
import {
  type BodyLength,
  Exchange,
  type Inbound,
  type InboundSink,
  LENGTH_TUNNEL,
  type Peer,
} from '../kernel/exchange.ts';
import type { TlsFacts } from '../kernel/identity.ts';
import { Farewell } from './farewell.ts';
import type { Host } from './host.ts';
import { ResponseWriter } from './response.ts';

const NEVER = Number.POSITIVE_INFINITY;
/** A rest of a request body that is read and dropped after an early answer, so that the connection can go on. */
const DISCARD_BYTES = 65_536;
const TOO_LONG = 'ended its side too long ago (timeouts.halfClose)';

/** One exchange as its client sees it. */
export class ServerExchange implements Inbound, PayloadSink {
  clientAddress: string;
  scheme: string;
  readonly peer: Peer;
  readonly listener: string;
  readonly tls: TlsFacts | undefined;
  readonly exchange: Exchange;
  readonly #host: Host;
  readonly #request: Request;
  readonly #body = new BodyReader();
  readonly #response: ResponseWriter;
  #sink: InboundSink | undefined = undefined;
  #paused = false;
  #tunnel = false;
  /** A tunnel in which only the client still speaks. */
  #serverEnded = false;
  #over = false;
  /** Over, and the rest of the request body is read and dropped. */
  #discarding = false;
  /** The client has sent FIN. */
  #farewell: Farewell | undefined = undefined;
  #lastQueued = 0;

  constructor(host: Host, request: Request, keepAlive: boolean) {
    const { runtime, peer } = host;
    this.#host = host;
    this.#request = request;
    this.peer = peer;
    this.tls = host.tls;
    this.clientAddress = peer.address;
    this.scheme = runtime.scheme;
    this.listener = runtime.name;
    this.#response = new ResponseWriter(host.wire, request, keepAlive);
    this.#body.begin(request.length, runtime.limits);
    this.exchange = new Exchange(this, request, request.length);
    this.exchange.bodyMost = runtime.limits.body;
    const now = runtime.clock.now();
    this.exchange.startedAt = now;
    host.deadline = this.#body.done ? NEVER : now + runtime.timeouts.body;
  }

  // ---- the request body

  /** The request has been read to its end. */
  get requestDone(): boolean {
    return this.#body.done;
  }

  /** There is more to come of it, in its time; of a tunnel it may come at any time. */
  get #awaitsBody(): boolean {
    return !this.#body.done && !this.#tunnel;
  }

  /** Delivers body bytes that have arrived. */
  feed(): void {
    const { input, runtime } = this.#host;
    if (this.#over ? !this.#discarding : this.#sink === undefined) return;
    while (!input.empty && !this.#body.done && !this.#paused) {
      const at = this.#body.read(input.buffer, input.at, input.end, this);
      if (typeof at !== 'number') {
        input.drop();
        runtime.fault(at.kind);
        if (this.#over) this.#host.finished(false);
        else this.#cut(new GatehouseError(at.code, at.message, { close: true }));
        return;
      }
      if (!input.empty) input.at = at;
      if (this.#discarding) {
        if (this.#body.done) this.#host.finished(true);
      } else if (this.#over) return;
      else if (this.#awaitsBody) this.#arm(runtime.timeouts.body);
      else if (this.#body.done) {
        if (this.#host.wire.pending === 0) this.#host.deadline = NEVER;
        this.#sink?.onRequestEnd(this.#body.trailers);
      }
    }
  }

  onPayload(buffer: Buffer, start: number, end: number): void {
    if (this.#over) return;
    const { exchange } = this;
    exchange.requestBytes += end - start;
    if (exchange.requestBytes > exchange.bodyLimit) {
      this.#host.runtime.fault('body_too_large');
      const what = `the body is larger than ${exchange.bodyLimit} bytes (limits.body of the route)`;
      this.#cut(new GatehouseError('body_too_large', what));
    } else this.#sink?.onRequestData(buffer, start, end);
  }

  start(sink: InboundSink): void {
    this.#sink = sink;
    if (this.#over) return;
    if (this.#body.done) {
      sink.onRequestEnd('');
      return;
    }
    if (this.#request.expectContinue && this.#host.input.empty) this.#response.interim(100, '');
    this.feed();
  }

  pause(): void {
    if (this.#over) return;
    this.#paused = true;
    if (!this.#body.done) this.#host.deadline = NEVER;
    this.#host.wire.pause();
  }

  resume(): void {
    if (!this.#paused || this.#over) return;
    this.#paused = false;
    if (this.#awaitsBody) this.#arm(this.#host.runtime.timeouts.body);
    this.feed();
    if (!this.#paused && !this.#host.eof) this.#host.wire.resume();
  }

  // ---- the response

  interim(status: number, fields: string): void {
    if (!this.#over) this.#response.interim(status, fields);
  }

  closeAfter(): void {
    this.#response.keepAlive = false;
  }

  head(status: number, reason: string, fields: string, length: BodyLength): void {
    if (this.#over) return;
    const { runtime, wire, eof, input, draining } = this.#host;
    if (draining || (eof && input.empty) || !this.#reusable) this.#response.keepAlive = false;
    this.#response.head(status, reason, fields, length);
    if (length !== LENGTH_TUNNEL) return;
    this.#tunnel = true;
    this.#host.deadline = NEVER;
    this.#body.begin(LENGTH_TUNNEL, runtime.limits);
    this.feed();
    if (eof) this.#sink?.onRequestEnd('');
    else wire.resume();
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    if (this.#over) return true;
    this.exchange.responseBytes += end - start;
    const ok = this.#response.write(buffer, start, end);
    if (this.#host.wire.pending > 0) this.#expectDrain();
    return ok;
  }

  end(trailers: string): void {
    if (this.#over) return;
    if (this.#tunnel) this.#host.wire.end();
    if (this.#tunnel && !this.#host.eof) {
      this.#serverEnded = true;
      return;
    }
    this.#response.end(trailers);
    this.#over = true;
    if (this.#host.wire.pending > 0) this.#expectDrain();
    else this.#finish();
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#tunnel || this.#response.cutByReset) this.#host.wire.reset();
    this.#host.close();
  }

  /** The request has been read, or the rest of it is small and surely on its way. */
  get #reusable(): boolean {
    return this.#body.done || (!this.#request.expectContinue && this.#body.left <= DISCARD_BYTES);
  }

  #finish(): void {
    // Both have sent FIN.
    if (this.#tunnel) return void this.#host.close();
    const reusable = this.#response.keepAlive && this.#reusable;
    if (!reusable || this.#body.done || this.#host.eof) {
      this.#host.finished(reusable && this.#body.done);
      return;
    }
    this.#discarding = true;
    this.#paused = false;
    this.#arm(this.#host.runtime.timeouts.linger);
    this.#host.wire.resume();
    this.feed();
  }

  #expectDrain(): void {
    if (this.#host.deadline !== (this.#farewell?.until ?? NEVER)) return;
    this.#lastQueued = this.#host.wire.queued;
    this.#arm(this.#host.runtime.timeouts.write);
  }

  #arm(ms: number): void {
    this.#host.deadline = this.#host.runtime.clock.now() + ms;
  }

  // ---- the client leaves, or is slow

  /** Everything written has been taken. */
  drained(): void {
    if (this.#awaitsBody && !this.#paused) this.#arm(this.#host.runtime.timeouts.body);
    else this.#host.deadline = this.#farewell?.until ?? NEVER;
    if (this.#over) this.#finish();
    else this.#sink?.onInboundDrain();
  }

  /** The client has sent FIN. */
  halfClosed(): void {
    if (this.#over) {
      if (this.#discarding) this.#host.finished(false);
      return;
    }
    if (this.#tunnel) {
      this.#sink?.onRequestEnd('');
      if (this.#serverEnded) this.#over = true;
      if (this.#over && this.#host.wire.pending === 0) this.#finish();
      return;
    }
    this.#response.keepAlive = false;
    if (!this.#body.done) this.#left('body_cut_short', 'closed before its request was complete');
    else if (this.#farewell === undefined) {
      this.#farewell = new Farewell(this.#response, this.#host);
      if (!this.#farewell.look(this.#host)) this.#gone(TOO_LONG);
    }
  }

  #gone(how: string): void {
    this.#left(this.#response.headSent ? 'client_left' : 'client_left_early', how);
  }

  #left(kind: string, how: string): void {
    this.#host.runtime.fault(kind);
    this.#cut(new GatehouseError('client_closed', `the client ${how}`));
  }

  /** The connection has broken and is closed. */
  broken(): void {
    if (this.#over) return;
    this.#over = true;
    this.#gone('closed the connection before its answer was complete');
  }

  /** The deadline has passed; the host has cleared it. */
  overdue(now: number): void {
    const { runtime, wire } = this.#host;
    if (wire.pending > 0) {
      const { queued } = wire;
      if (queued !== this.#lastQueued) {
        this.#lastQueued = queued;
        this.#host.deadline = now + runtime.timeouts.write;
        return;
      }
      if (!this.#over) this.#left('slow_reader', 'took no byte of its answer in time (timeouts.write)');
      else {
        runtime.fault('slow_reader');
        this.#host.close();
      }
    } else if (this.#over) this.#host.finished(false);
    else if (this.#farewell?.look(this.#host) === false) this.#gone(TOO_LONG);
    else if (this.#awaitsBody) {
      runtime.fault('slow_body');
      this.#cut(new GatehouseError('request_timeout', 'the request body did not arrive in time (timeouts.body)'));
    }
  }

  /** The exchange cannot go on by the client's doing: who owns it answers or aborts. */
  #cut(error: GatehouseError): void {
    this.#response.keepAlive = false;
    if (this.#sink) this.#sink.onInboundAbort(error);
    else this.#host.runtime.onAborted(this.exchange, error);
  }
}
