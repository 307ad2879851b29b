/**
 * The client's side (`Inbound`) of one exchange on a stream of HTTP/2. The same promises as on HTTP/1.x: what was cut is
 * seen to be cut, the client's leaving is told, and who is slow is waited for only so long.
 */

import { H2 } from '../../http/http2/frame.ts';
import type { Request } from '../../http/request.ts';
import { GatehouseError } from '../../kernel/error.ts';
import {
  type BodyLength,
  Exchange,
  type Inbound,
  type InboundSink,
  LENGTH_NONE,
  type Peer,
} from '../../kernel/exchange.ts';
import type { TlsFacts } from '../../kernel/identity.ts';
import { Http2Stream } from '../../socket/http2/stream.ts';
import type { ListenerRuntime } from '../runtime.ts';
import type { Http2Host } from './host.ts';

const NEVER = Number.POSITIVE_INFINITY;

const left = (how: string) => new GatehouseError('client_closed', `the client ${how}`);

/** One exchange as its client sees it. */
export class Http2Exchange extends Http2Stream implements Inbound {
  readonly httpVersion = '2';
  clientAddress: string;
  scheme: string;
  readonly peer: Peer;
  readonly listener: string;
  readonly tls: TlsFacts | undefined;
  readonly exchange: Exchange;
  /** The head of the answer is on its way. */
  headSent = false;
  readonly #connection: Http2Host;
  readonly #runtime: ListenerRuntime;
  readonly #request: Request;
  readonly #bodiless: boolean;
  #sink: InboundSink | undefined = undefined;
  #over = false;
  /** Bytes that Content-Length of the answer still promises; Infinity where nothing is promised. */
  #left = NEVER;
  #blocked = false;
  #lastSent = 0;
  #lastQueued = 0;

  constructor(connection: Http2Host, id: number, request: Request) {
    super(connection, id);
    const { runtime, peer } = connection;
    this.#connection = connection;
    this.#runtime = runtime;
    this.#request = request;
    this.#bodiless = request.method === 'HEAD';
    this.peer = peer;
    this.tls = connection.secured?.facts;
    this.clientAddress = peer.address;
    this.scheme = runtime.scheme;
    this.listener = runtime.name;
    this.expected = request.length;
    this.exchange = new Exchange(this, request, request.length);
    this.exchange.bodyMost = runtime.limits.body;
    this.exchange.startedAt = runtime.clock.now();
    if (request.length !== LENGTH_NONE) this.arm(runtime.timeouts.body);
  }

  // ---- the request body

  start(sink: InboundSink): void {
    this.#sink = sink;
    if (this.#over) return;
    if (this.#request.length === LENGTH_NONE) {
      sink.onRequestEnd('');
      return;
    }
    if (this.#request.expectContinue && !this.headSent) this.interim(100, '');
    this.resumeBody();
  }

  pause(): void {
    if (this.#over) return;
    this.pauseBody();
    if (!this.#blocked) this.arm(NEVER);
  }

  resume(): void {
    if (this.#over || this.#sink === undefined) return;
    if (this.paused && !this.remoteEnded && !this.#blocked) this.arm(this.#runtime.timeouts.body);
    this.resumeBody();
  }

  protected onBody(buffer: Buffer, start: number, end: number): void {
    if (this.#over) return;
    const { exchange } = this;
    const listenerLimit = this.#runtime.limits.body;
    exchange.requestBytes += end - start;
    if (exchange.requestBytes > exchange.bodyLimit || exchange.requestBytes > listenerLimit) {
      this.#runtime.fault('body_too_large');
      const whose = exchange.requestBytes > exchange.bodyLimit ? exchange.bodyLimit : listenerLimit;
      this.#tell(new GatehouseError('body_too_large', `the body is larger than ${whose} bytes (limits.body)`));
      return;
    }
    if (!this.#blocked) this.arm(this.#runtime.timeouts.body);
    this.#sink?.onRequestData(buffer, start, end);
  }

  protected onBodyEnd(trailers: string): void {
    if (!this.#blocked) this.arm(NEVER);
    if (!this.#over) this.#sink?.onRequestEnd(trailers);
  }

  // ---- the response

  interim(status: number, fields: string): void {
    if (!this.#over && !this.headSent) this.#connection.sendHead(this.id, status, fields, -1, false);
  }

  /** A stream that ends says nothing about its connection. */
  closeAfter(): void {}

  head(status: number, _reason: string, fields: string, length: BodyLength): void {
    if (this.#over) return;
    this.headSent = true;
    if (length >= 0) this.#left = length;
    const ended = this.#bodiless || length === LENGTH_NONE || length === 0;
    this.#connection.sendHead(this.id, status, fields, this.#bodiless ? length : ended ? -1 : length, ended);
    if (ended) this.endedBy();
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    if (this.#over || this.localEnded) return true;
    const to = Math.min(end, start + this.#left);
    this.exchange.responseBytes += to - start;
    this.#left -= to - start;
    const ok = this.send(buffer, start, to, this.#left === 0);
    if (!ok) this.#expectDrain();
    return ok;
  }

  end(trailers: string): void {
    if (this.#over) return;
    this.#over = true;
    this.sendEnd(trailers);
    if (this.stalled) this.#expectDrain();
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#connection.cut(this, H2.INTERNAL_ERROR);
  }

  protected override onSent(): void {
    this.#over = true;
    // The rest of the request is of no use (RFC 9113 §8.1).
    if (!this.remoteEnded) this.#connection.cut(this, H2.NO_ERROR);
  }

  #expectDrain(): void {
    if (this.#blocked) return;
    this.#blocked = true;
    this.#mark();
  }

  #mark(): void {
    this.#lastSent = this.sent;
    this.#lastQueued = this.#connection.wire.queued;
    this.arm(this.#runtime.timeouts.write);
  }

  protected onSendReady(): void {
    this.#blocked = false;
    if (this.remoteEnded || this.paused) this.arm(NEVER);
    else this.arm(this.#runtime.timeouts.body);
    if (!this.#over) this.#sink?.onInboundDrain();
  }

  // ---- the client leaves, or is slow

  onGone(code: number, why: string): void {
    if (this.#over) return;
    this.#over = true;
    // A stream that we reset by the client's mistake has been counted for that.
    if (code === H2.CANCEL || code === H2.NO_ERROR || this.#connection.gone)
      this.#runtime.fault(this.headSent ? 'client_left' : 'client_left_early');
    this.#tell(left(why));
  }

  /** The client has sent FIN: nothing more will come of its requests. */
  halfClosed(): void {
    if (this.remoteEnded) return;
    this.#runtime.fault('body_cut_short');
    this.#connection.reset(this, H2.STREAM_CLOSED, 'closed before its request was complete');
  }

  onOverdue(): void {
    if (this.#blocked) {
      if (this.sent !== this.#lastSent || this.#connection.wire.queued !== this.#lastQueued) this.#mark();
      else this.#connection.tooSlow(this);
      return;
    }
    if (this.#over || this.remoteEnded) return;
    this.#runtime.fault('slow_body');
    this.#tell(new GatehouseError('request_timeout', 'the request body did not arrive in time (timeouts.body)'));
  }

  #tell(error: GatehouseError): void {
    if (this.#sink) this.#sink.onInboundAbort(error);
    else this.#runtime.onAborted(this.exchange, error);
  }
}
