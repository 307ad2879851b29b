/**
 * One connection to a server: carries one exchange at a time and is the server's side (`Outbound`) of it. What a server
 * sends is parsed as strictly as what a client sends; a connection on which anything was odd is never used again.
 */

import type { Response } from '../http/response.ts';
import { type ErrorCode, GatehouseError } from '../kernel/error.ts';
import { type BodyLength, LENGTH_TUNNEL, type OutboundSink } from '../kernel/exchange.ts';
import { type Dialer, type Dialing, errnoName } from '../socket/dial.ts';
import type { ProxyAddress } from '../socket/proxy/header.ts';
import type { Wire } from '../socket/wire.ts';
import { AnswerReader, type AnswerSink, MORE, SURPLUS } from './answer.ts';
import type { Carrier } from './carrier.ts';
import { dialFailure, UNRESOLVED } from './dialfailure.ts';
import { cutShort, invalidAnswer, unanswered } from './failure.ts';
import type { ConnectionHost } from './host.ts';
import type { Wait } from './overdue.ts';
import { Patience, type Patient } from './patience.ts';
import { RequestSender } from './sender.ts';

const CONNECTING = 0;
const IDLE = 1;
const BUSY = 2;
const TUNNEL = 3;
const CLOSED = 4;

/** A connection to an endpoint. */
export class ClientConnection implements Dialer, Carrier, Patient, AnswerSink {
  idleUntil = 0;
  readonly #host: ConnectionHost;
  readonly #answer: AnswerReader;
  /** Address it is connected to; '' when there was none. */
  readonly address: string;
  /** Address of the client that it was opened for; '' where it may serve all. */
  readonly client: string;
  #dialing: Dialing | undefined = undefined;
  #wire: Wire | undefined = undefined;
  #sink: OutboundSink | undefined = undefined;
  #state = CONNECTING;
  #requests = 0;
  #keepAlive = true;
  /** Nobody takes what the server sends: its silence is not its own. */
  #paused = false;
  /** A tunnel in which only the client still speaks. */
  #serverEnded = false;
  readonly #patience: Patience;
  readonly #request = new RequestSender();

  /** `from`: the client that a PROXY header names; undefined: there is none. */
  constructor(host: ConnectionHost, from?: ProxyAddress) {
    this.#host = host;
    this.#answer = new AnswerReader(host.config.limits, host.bodyLimits);
    this.#patience = new Patience(this, host.clock, host.deadlines, host.config.timeouts);
    this.client = from?.address ?? '';
    const target = host.target(from);
    this.address = target === undefined ? '' : target.address;
    if (target !== undefined) this.#dialing = host.dial(target, this);
    else queueMicrotask(() => this.onDialFailed(UNRESOLVED, 'its name has not been resolved', false));
  }

  start(sink: OutboundSink, method: string, head: string, length: BodyLength, totalAt: number, tryAt: number): void {
    this.#sink = sink;
    this.#request.done = false;
    this.#requests++;
    this.#answer.begin(method);
    this.#patience.begin(totalAt, tryAt, this.#state === CONNECTING);
    this.#request.start(head, length, this.#host.config.retries.replay);
    if (this.#state === CONNECTING) return;
    this.#state = BUSY;
    this.#wire?.resume();
  }

  /** Another one takes the answer from now on. */
  handOver(sink: OutboundSink): void {
    this.#sink = sink;
  }

  get connecting(): boolean {
    return this.#state === CONNECTING;
  }

  /** Nobody uses it until then. */
  rest(until: number): void {
    this.idleUntil = until;
    this.#patience.deadline = until;
  }

  // ---- Outbound

  write(buffer: Buffer, start: number, end: number): boolean {
    const ok = this.#request.write(buffer, start, end);
    if ((!ok && this.#state !== CONNECTING) || this.#serverEnded) this.#armIdle();
    return ok;
  }

  end(trailers: string): void {
    if (this.#state === TUNNEL) this.#endTunnel();
    else if (this.#state !== IDLE) this.#request.end(trailers);
    if (this.#state === BUSY) this.#requestSent();
  }

  /** The client's direction of a tunnel has ended. */
  #endTunnel(): void {
    this.#wire?.end();
    this.#request.done = true;
    if (this.#serverEnded && this.#wire?.pending === 0) this.close();
  }

  #requestSent(): void {
    if (!this.#answer.headSeen) this.#patience.arm(this.#host.config.timeouts.firstByte);
  }

  pause(): void {
    this.#paused = true;
    this.#wire?.pause();
    this.#patience.rest();
  }

  resume(): void {
    this.#paused = false;
    if (this.#state === CLOSED || this.#wire === undefined) return;
    this.#wire.resume();
    if (this.#answer.headSeen) this.#armIdle();
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
    if (this.#sink === undefined || !this.#request.connected(wire)) {
      this.close();
      return;
    }
    this.#state = BUSY;
    this.#patience.rest();
    wire.resume();
    if (this.#request.done) this.#requestSent();
    else if (wire.pending === 0) this.#sink.onOutboundDrain();
  }

  onDialFailed(code: string, message: string, tls: boolean): void {
    this.#dialing = undefined;
    if (this.#state === CLOSED) return;
    const [kind, error] = dialFailure(code, message, tls);
    this.#fail(kind, error);
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    if (this.#sink === undefined) {
      this.#host.fault('bytes_after_response');
      this.close();
      return;
    }
    const result = this.#answer.read(buffer, start, end, this);
    if (this.#isClosed) return;
    if (typeof result !== 'number') {
      this.#fail(result.kind, invalidAnswer(result));
      return;
    }
    if (result === MORE) {
      if (this.#answer.headSeen && !this.#paused) this.#armIdle();
      return;
    }
    if (result === SURPLUS) {
      this.#host.fault('bytes_after_response');
      this.#keepAlive = false;
    }
    this.#finish();
  }

  /** A call to the sink may have closed us. */
  get #isClosed(): boolean {
    return this.#state === CLOSED;
  }

  onInterimHead(head: Response): void {
    this.#sink?.onInterim(head);
  }

  onFinalHead(head: Response): void {
    this.#patience.answered();
    if (head.status === 101) {
      this.#state = TUNNEL;
      this.#request.tunnel();
      this.#request.done = false;
      this.#keepAlive = false;
      this.#patience.unbounded();
      this.#sink?.onResponseHead(head, LENGTH_TUNNEL);
      return;
    }
    this.#keepAlive = head.keepAlive && this.#request.done;
    if (head.keepAliveSeconds > 0) this.#host.hint(head.keepAliveSeconds * 1000);
    this.#sink?.onResponseHead(head, head.length);
  }

  onPayload(buffer: Buffer, start: number, end: number): void {
    this.#sink?.onResponseData(buffer, start, end);
  }

  /** The response is complete: the connection goes back to the pool if everything about it was in order. */
  #finish(): void {
    const sink = this.#sink;
    const { trailers } = this.#answer;
    const { requestsPerConnection } = this.#host.config.pool;
    this.#sink = undefined;
    this.#paused = false;
    this.#patience.done();
    if (this.#keepAlive && this.#request.done && this.#requests < requestsPerConnection && this.#wire?.pending === 0) {
      this.#state = IDLE;
      this.#wire.resume();
      this.#host.release(this);
    } else this.close();
    sink?.onResponseEnd(trailers);
  }

  onEof(): void {
    if (this.#state === TUNNEL && !this.#request.done) {
      // Its direction has ended; the client's may go on.
      this.#serverEnded = true;
      this.#sink?.onResponseEnd('');
      return;
    }
    if (this.#sink !== undefined && this.#answer.closeDelimited) {
      this.#keepAlive = false;
      this.#finish();
    } else this.#lost('the server closed the connection');
  }

  onBroken(code: number): void {
    this.#lost(`the connection broke: ${errnoName(code)}`);
  }

  #lost(what: string): void {
    if (this.#sink === undefined) this.close();
    else if (this.#answer.headSeen) this.#fail('upstream_cut_short', cutShort(what));
    else this.#fail('upstream_reset', unanswered(what));
  }

  onDrain(): void {
    if (this.#state !== BUSY && this.#state !== TUNNEL) return;
    if (this.#state === TUNNEL) {
      if (this.#serverEnded && this.#request.done) this.close();
      else this.#armIdle();
    } else if (!this.#request.done) this.#patience.rest();
    else if (!this.#answer.headSeen) this.#patience.arm(this.#host.config.timeouts.firstByte);
    this.#sink?.onOutboundDrain();
  }

  get waitsFor(): Wait | undefined {
    if (this.#state === IDLE) return undefined;
    if (this.#state === CONNECTING) return 'connect';
    if (this.#state === TUNNEL) return 'tunnel';
    return this.#request.done && !this.#answer.headSeen ? 'firstByte' : 'idle';
  }

  onOverdue(code: ErrorCode, message: string): void {
    this.#fail(code, new GatehouseError(code, message));
  }

  #armIdle(): void {
    const { timeouts } = this.#host.config;
    this.#patience.arm(this.#state === TUNNEL ? timeouts.tunnel : timeouts.idle);
  }

  #fail(kind: string, error: GatehouseError): void {
    const sink = this.#sink;
    const sent = this.#state !== CONNECTING;
    this.#sink = undefined;
    this.close();
    this.#host.fault(kind);
    sink?.onOutboundError(error, sent, this.#requests > 1);
  }

  /** Closes; an exchange under way is not told (see `abort`). */
  close(): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#answer.stop();
    this.#request.stop();
    this.#dialing?.cancel();
    this.#wire?.destroy();
    this.#patience.stop();
    this.#host.closed(this);
  }
}
