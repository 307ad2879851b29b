/**
 * Carries one exchange: picks an endpoint, sends the request, brings the answer back, tries elsewhere while nothing has
 * reached the client, and is the only place that moves body bytes between the two sides. Backpressure, cancellation and
 * accounting are written here once.
 */
import { HOP_BY_HOP } from '../http/known.ts';
import type { Response } from '../http/response.ts';
import { GatehouseError } from '../kernel/error.ts';
import {
  type BodyLength,
  type Exchange,
  type InboundSink,
  LENGTH_CHUNKED,
  LENGTH_TUNNEL,
  type Outcome,
  type ResponseHead,
} from '../kernel/exchange.ts';
import { Attempts } from './attempts.ts';
import type { Endpoint } from './endpoint.ts';
import { answerFields, isOpenStream } from './outgoing.ts';
import { overdue } from './overdue.ts';
import type { ForwardEnd, ForwardPlan, ResponseShape } from './plan.ts';
import { Rewriting, type RewritingOwner } from './rewriting.ts';
import { tryFailed } from './verdict.ts';
import { StreamWatch, type WatchOwner } from './watch.ts';

const COMMENT = Buffer.from(': keep-alive\n\n');

/** One exchange on its way. */
export class Forward extends Attempts implements InboundSink, WatchOwner, RewritingOwner {
  readonly #end: ForwardEnd;
  #shape: ResponseShape | undefined = undefined;
  #rewriting: Rewriting | undefined = undefined;
  #over = false;
  /** The first token is waited for, to be measured. */
  #measuring = false;
  /** A tunnel: directions that still go on. The exchange is over when both have ended. */
  #directions = 0;

  constructor(exchange: Exchange, plan: ForwardPlan, end: ForwardEnd) {
    super(exchange, plan);
    this.#end = end;
    const { watchLimits, clock, deadlines } = plan.upstream;
    if (watchLimits !== undefined) this.watch = new StreamWatch(watchLimits, this, deadlines, clock);
    this.begin();
  }

  protected get sink(): InboundSink {
    return this;
  }

  // ---- the client's side

  onRequestData(buffer: Buffer, start: number, end: number): void {
    const connection = this.connection;
    if (this.plan.body !== undefined) return;
    if (connection === undefined) {
      if (this.pausing) this.replay?.keep(buffer, start, end);
      return;
    }
    // Kept only where another try could use it: while nothing has been sent, or when sending twice does no harm.
    if (this.idempotent || connection.connecting || this.plan.upstream.retryStatuses !== undefined)
      this.replay?.keep(buffer, start, end);
    else this.replay?.forget();
    if (!connection.write(buffer, start, end)) this.exchange.inbound.pause();
  }

  onRequestEnd(trailers: string): void {
    this.requestTrailers = trailers;
    if (this.plan.body === undefined) this.connection?.end(trailers);
    if (this.#directions > 0 && --this.#directions === 0) this.#completed();
  }

  onInboundDrain(): void {
    if (this.#rewriting?.waits === true) return;
    this.connection?.resume();
    this.watch?.drained();
  }

  onInboundAbort(error: GatehouseError): void {
    if (this.#over) return;
    const connection = this.connection;
    this.connection = undefined;
    connection?.abort();
    if (error.code === 'client_closed' || this.headSent) {
      this.#finish('client_aborted', error);
      this.exchange.inbound.abort();
    } else this.fail(error);
  }

  // ---- the server's side

  onInterim(head: ResponseHead): void {
    // 100 is between us and the server: the client's own expectation has been answered already.
    if (head.status !== 100) this.exchange.inbound.interim(head.status, (head as Response).lines(HOP_BY_HOP));
  }

  onResponseHead(head: ResponseHead, length: BodyLength): void {
    const exchange = this.exchange;
    const plan = this.plan;
    const { clock, retryStatuses } = plan.upstream;
    const response = head as Response;
    const now = clock.now();
    if (head.status === 429 || head.status === 503) this.seat?.turnedAway();
    if (this.probe) {
      this.probe = false;
      this.endpoint?.standing.probeAnswered(head.status, now - this.triedAt);
    }
    if (retryStatuses !== undefined && head.status >= 400 && this.discard(response, length, retryStatuses, now)) return;
    this.headSent = true;
    this.replay?.forget();
    this.quiet();
    exchange.firstByteAt = now;
    exchange.status = head.status;
    if (length === LENGTH_TUNNEL) {
      this.watch?.stop();
      if (plan.upgrade === '') {
        this.headSent = false;
        this.connection?.abort();
        this.connection = undefined;
        this.endpoint?.fault('unasked_upgrade');
        this.fail(new GatehouseError('upstream_protocol', 'the server switched protocols without being asked to'));
        return;
      }
      this.#directions = 2;
      const lines = answerFields(plan, exchange.id, response, length);
      const upgrade = `Connection: Upgrade\r\nUpgrade: ${response.upgrade}\r\n`;
      exchange.inbound.head(101, head.reason, lines + upgrade, length);
      return;
    }
    const fields = answerFields(plan, exchange.id, response, length);
    const shape = plan.shape(head);
    this.#shape = shape;
    if (this.seat !== undefined) this.#measure(shape !== undefined, now);
    let outgoing = length;
    if (shape?.rewrite !== undefined) {
      if (length > 0) outgoing = LENGTH_CHUNKED;
      this.#rewriting = new Rewriting(shape.rewrite, this);
    }
    this.watch?.headed(shape !== undefined && exchange.stream, isOpenStream(response, outgoing));
    exchange.inbound.head(head.status, head.reason, fields, outgoing);
  }

  /** What tells how busy the server is: its first token; where answers are not read, their head. How long a whole answer takes does not. */
  #measure(read: boolean, now: number): void {
    if (this.exchange.status >= 400) return;
    if (read) this.#measuring = this.exchange.stream;
    else this.seat?.measured(now - this.triedAt, this.exchange.requestBytes);
  }

  onResponseData(buffer: Buffer, start: number, end: number): void {
    const shape = this.#shape;
    if (shape !== undefined) {
      if (shape.tap !== undefined) shape.tap.data(buffer, start, end);
      if (this.#measuring && this.exchange.firstTokenAt > 0) {
        this.#measuring = false;
        this.seat?.measured(this.exchange.firstTokenAt - this.triedAt, this.exchange.requestBytes);
      }
    }
    if (this.#rewriting === undefined) this.write(buffer, start, end);
    else this.#rewriting.data(buffer, start, end);
  }

  write(buffer: Buffer, start: number, end: number): void {
    const ok = this.exchange.inbound.write(buffer, start, end);
    if (!ok) this.connection?.pause();
    if (this.watch === undefined) return;
    this.watch.wrote(buffer, start, end, this.plan.tokens);
    if (!ok) this.watch.blocked();
  }

  onResponseEnd(trailers: string): void {
    const { inbound } = this.exchange;
    // The client may say more: it is told that no more will come, and that is all.
    if (this.#directions === 2) {
      this.#directions = 1;
      inbound.end('');
      return;
    }
    // It serves others from now on.
    this.connection = undefined;
    this.#shape?.tap?.end();
    if (this.#rewriting === undefined) this.complete(trailers);
    else this.#rewriting.end(trailers);
  }

  complete(trailers: string): void {
    this.#completed();
    this.exchange.inbound.end(trailers);
  }

  hold(): void {
    this.connection?.pause();
    this.watch?.blocked();
  }

  carryOn(): boolean {
    if (this.#over) return false;
    this.connection?.resume();
    this.watch?.drained();
    return true;
  }

  /** What reads along has ended the answer: complete for the client, cancelled for the server. */
  cutShort(): void {
    const { connection } = this;
    if (connection === undefined) return;
    this.#completed();
    connection.abort();
    this.exchange.inbound.end('');
  }

  #completed(): void {
    const { status, firstByteAt } = this.exchange;
    this.connection = undefined;
    this.endpoint?.succeeded(status, this.triedAt, firstByteAt - this.triedAt);
    this.#finish('completed', undefined);
  }

  onOutboundDrain(): void {
    this.exchange.inbound.resume();
  }

  onOutboundError(error: GatehouseError, sent: boolean, reused: boolean): void {
    this.connection = undefined;
    if (this.#over) return;
    const endpoint = this.endpoint as Endpoint;
    const probe = this.probe;
    this.probe = false;
    if (error.code === 'first_byte_timeout') this.seat?.turnedAway();
    tryFailed(endpoint, error.code, this.triedAt, probe, reused);
    if (this.headSent) this.#cutOff('upstream_aborted', error);
    else this.goOn(error, sent);
  }

  // ---- streams

  tokenOverdue(wait: 'firstToken' | 'betweenTokens'): void {
    const endpoint = this.endpoint;
    if (endpoint === undefined || this.connection === undefined) return;
    const [code, what] = overdue(wait, endpoint.config.timeouts);
    this.connection.abort();
    endpoint.fault(code);
    this.onOutboundError(new GatehouseError(code, what), true, false);
  }

  silent(): void {
    this.write(COMMENT, 0, COMMENT.length);
  }

  // ---- the end

  /** Ends it for a reason of our own: before the answer has begun by an error, in a stream by an event that says why. */
  cut(error: GatehouseError): void {
    if (this.#over) return;
    const connection = this.connection;
    this.connection = undefined;
    connection?.abort();
    if (this.headSent) this.#cutOff('denied', error);
    else this.fail(error);
  }

  /** Ends a stream as its protocol ends one of that length, also while it is silent; false: it is none, or cannot be ended yet. */
  stop(): boolean {
    if (this.connection === undefined || this.#rewriting?.close() !== true) return false;
    this.cutShort();
    return true;
  }

  /** What has begun is seen to be cut. */
  #cutOff(outcome: Outcome, error: GatehouseError): void {
    const { inbound } = this.exchange;
    const event = this.#end.cutEvent(this.exchange, this.#shape, error);
    if (event !== '') {
      const bytes = Buffer.from(event);
      inbound.write(bytes, 0, bytes.length);
    }
    this.#finish(outcome, error);
    inbound.abort();
  }

  protected fail(error: GatehouseError): void {
    const exchange = this.exchange;
    this.#finish('failed', error);
    if (!this.lost && this.#end.elsewhere(error)) return;
    this.#end.answer(exchange, error);
  }

  /** Gives back what was counted; the exchange is told to the observers when its last byte has been handed over. */
  #finish(outcome: Outcome, error: GatehouseError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.quiet();
    this.watch?.stop();
    this.leaveEndpoint();
    this.plan.upstream.budget.ended(this.retrying, outcome === 'completed' && this.exchange.status < 500);
    // A failure is counted by who answers it, with the status of that answer.
    if (outcome !== 'failed') this.#end.ended(this.exchange, outcome, error);
  }
}
