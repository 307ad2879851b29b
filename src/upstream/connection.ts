/**
 * One connection to a server: carries one exchange at a time and is the server's side (`Outbound`) of it. What a server
 * sends is parsed as strictly as what a client sends; a connection on which anything was odd is never used again.
 */
import type { ProxyAddress } from '../http/proxy/header.ts';
import type { Response } from '../http/response.ts';
import { GatehouseError } from '../kernel/error.ts';
import { type BodyLength, LENGTH_TUNNEL, type OutboundSink } from '../kernel/exchange.ts';
import type { Timed } from '../socket/deadlines.ts';
import { type Dialer, type Dialing, errnoName } from '../socket/dial.ts';
import { MessageWriter } from '../socket/message.ts';
import type { Wire } from '../socket/wire.ts';
import { AnswerReader, type AnswerSink, MORE, SURPLUS } from './answer.ts';
import type { Carrier } from './carrier.ts';
import { dialFailure, UNRESOLVED } from './dialfailure.ts';
import { EarlyRequest } from './early.ts';
import { cutShort, invalidAnswer, unanswered } from './failure.ts';
import type { ConnectionHost } from './host.ts';
import { overdue } from './overdue.ts';

const CONNECTING = 0;
const IDLE = 1;
const BUSY = 2;
const TUNNEL = 3;
const CLOSED = 4;

const NEVER = Number.POSITIVE_INFINITY;

/** A connection to an endpoint. */
export class ClientConnection implements Dialer, Carrier, Timed, AnswerSink {
  deadline: number;
  slot = -1;
  /** Monotonic time after which an idle connection is not used any more. */
  idleUntil = 0;
  readonly #host: ConnectionHost;
  readonly #answer: AnswerReader;
  /** Address it is connected to; '' when there was none. */
  readonly address: string;
  /** Address of the client that it was opened for; '' where it may serve all. */
  readonly client: string;
  #dialing: Dialing | undefined = undefined;
  #early: EarlyRequest | undefined = undefined;
  #wire: Wire | undefined = undefined;
  #writer: MessageWriter | undefined = undefined;
  #sink: OutboundSink | undefined = undefined;
  #state = CONNECTING;
  #requests = 0;
  #requestDone = false;
  #keepAlive = true;
  #totalAt = NEVER;
  /** Until the head of the answer has come; after that Infinity. */
  #tryAt = NEVER;

  /** `from`: the client that a PROXY header names; undefined: there is none. */
  constructor(host: ConnectionHost, from?: ProxyAddress) {
    this.#host = host;
    this.#answer = new AnswerReader(host.config.limits, host.bodyLimits);
    this.deadline = host.clock.now() + host.config.timeouts.connect;
    host.deadlines.add(this);
    this.client = from?.address ?? '';
    const target = host.target(from);
    this.address = target === undefined ? '' : target.address;
    if (target !== undefined) this.#dialing = host.dial(target, this);
    else queueMicrotask(() => this.onDialFailed(UNRESOLVED, 'its name has not been resolved', false));
  }

  start(sink: OutboundSink, method: string, head: string, length: BodyLength, totalAt: number, tryAt: number): void {
    this.#sink = sink;
    this.#totalAt = totalAt;
    this.#tryAt = tryAt;
    this.#requestDone = false;
    this.#requests++;
    this.#answer.begin(method);
    if (this.#state === CONNECTING) {
      this.#early = new EarlyRequest(head, length, this.#host.config.retries.replay);
      this.deadline = Math.min(this.deadline, totalAt, tryAt);
      return;
    }
    this.#state = BUSY;
    this.deadline = Math.min(totalAt, tryAt);
    this.#writer?.start(head, length);
    this.#wire?.resume();
  }

  /** Another one takes the answer from now on. */
  handOver(sink: OutboundSink): void {
    this.#sink = sink;
  }

  get connecting(): boolean {
    return this.#state === CONNECTING;
  }

  // ---- Outbound

  write(buffer: Buffer, start: number, end: number): boolean {
    if (this.#early !== undefined) return this.#early.write(buffer, start, end);
    if (this.#writer === undefined || this.#state === CLOSED) return true;
    const ok = this.#writer.write(buffer, start, end);
    if (!ok) this.#arm(this.#host.config.timeouts.idle);
    return ok;
  }

  end(trailers: string): void {
    if (this.#early !== undefined) this.#early.end(trailers);
    else if (this.#state === TUNNEL) this.#wire?.end();
    else if (this.#state === BUSY) {
      this.#writer?.end(trailers);
      this.#requestSent();
    }
  }

  #requestSent(): void {
    this.#requestDone = true;
    if (!this.#answer.headSeen) this.#arm(this.#host.config.timeouts.firstByte);
  }

  pause(): void {
    this.#wire?.pause();
    this.deadline = Math.min(this.#totalAt, this.#tryAt);
  }

  resume(): void {
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
    this.#writer = new MessageWriter(wire);
    const early = this.#early;
    if (this.#sink === undefined || early === undefined) {
      this.close();
      return;
    }
    this.#early = undefined;
    this.#state = BUSY;
    this.deadline = Math.min(this.#totalAt, this.#tryAt);
    early.send(this.#writer);
    wire.resume();
    if (early.ended) this.#requestSent();
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
      if (this.#answer.headSeen) this.#armIdle();
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
    this.#tryAt = NEVER;
    if (head.status === 101) {
      this.#state = TUNNEL;
      // The request that asked for it had no body; what follows belongs to the tunnel and has no framing.
      this.#writer?.tunnel();
      this.#keepAlive = false;
      this.#totalAt = NEVER;
      this.#sink?.onResponseHead(head, LENGTH_TUNNEL);
      return;
    }
    this.#keepAlive = head.keepAlive && this.#requestDone;
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
    this.#totalAt = NEVER;
    if (this.#keepAlive && this.#requestDone && this.#requests < requestsPerConnection && this.#wire?.pending === 0) {
      this.#state = IDLE;
      this.deadline = NEVER;
      this.#wire.resume();
      this.#host.release(this);
    } else this.close();
    sink?.onResponseEnd(trailers);
  }

  onEof(): void {
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
    if (!this.#requestDone) this.deadline = Math.min(this.#totalAt, this.#tryAt);
    else if (!this.#answer.headSeen) this.#arm(this.#host.config.timeouts.firstByte);
    this.#sink?.onOutboundDrain();
  }

  onDeadline(now: number): void {
    const { timeouts } = this.#host.config;
    this.deadline = NEVER;
    if (this.#state === IDLE) {
      this.close();
      return;
    }
    const phase = this.#state === CONNECTING ? 'connect' : this.#state === TUNNEL ? 'tunnel' : 'answer';
    const waiting = this.#requestDone && !this.#answer.headSeen;
    const late = now >= this.#totalAt ? 'total' : now >= this.#tryAt ? 'perTry' : undefined;
    const [code, what] = overdue(late ?? (phase !== 'answer' ? phase : waiting ? 'firstByte' : 'idle'), timeouts);
    this.#fail(code, new GatehouseError(code, what));
  }

  #armIdle(): void {
    this.#arm(this.#state === TUNNEL ? this.#host.config.timeouts.tunnel : this.#host.config.timeouts.idle);
  }

  #arm(ms: number): void {
    this.deadline = Math.min(this.#host.clock.now() + ms, this.#totalAt, this.#tryAt);
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
    this.#early = undefined;
    this.#dialing?.cancel();
    this.#wire?.destroy();
    this.#host.deadlines.remove(this);
    this.#host.closed(this);
  }
}
