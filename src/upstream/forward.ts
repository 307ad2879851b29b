/**
 * Carries one exchange: picks an endpoint, sends the request, brings the answer back, tries elsewhere while nothing has
 * reached the client, and is the only place that moves body bytes between the two sides. Backpressure, cancellation and
 * accounting are written here once.
 */
import { HOP_BY_HOP, KNOWN } from '../http/known.ts';
import type { Response } from '../http/response.ts';
import { GatehouseError } from '../kernel/error.ts';
import {
  type BodyLength,
  type Exchange,
  type InboundSink,
  LENGTH_CHUNKED,
  LENGTH_NONE,
  LENGTH_TUNNEL,
  type OutboundSink,
  type Outcome,
  type ResponseHead,
} from '../kernel/exchange.ts';
import type { ClientConnection } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import type { ForwardEnd, ForwardPlan, ResponseShape } from './plan.ts';
import { isIdempotent, Replay, speaksAgainstServer } from './replay.ts';

const NOT_COPIED = HOP_BY_HOP | KNOWN['x-request-id'];
/** One exchange on its way. */
export class Forward implements InboundSink, OutboundSink {
  readonly #exchange: Exchange;
  readonly #plan: ForwardPlan;
  readonly #end: ForwardEnd;
  readonly #totalAt: number;
  readonly #idempotent: boolean;
  #endpoint: Endpoint | undefined = undefined;
  #connection: ClientConnection | undefined = undefined;
  #shape: ResponseShape | undefined = undefined;
  #pass: ((buffer: Buffer, start: number, end: number) => void) | undefined = undefined;
  #tried: number[] | undefined = undefined;
  #retrying = false;
  #started = false;
  #headSent = false;
  #over = false;
  /** What has been sent of a relayed body; undefined when there is none. */
  #replay: Replay | undefined = undefined;
  #requestTrailers: string | undefined = undefined;

  constructor(exchange: Exchange, plan: ForwardPlan, end: ForwardEnd) {
    this.#exchange = exchange;
    this.#plan = plan;
    this.#end = end;
    const { upstream } = plan;
    const now = upstream.clock.now();
    this.#totalAt = now + upstream.config.timeouts.total;
    this.#idempotent = isIdempotent(exchange.head.method) || upstream.config.retries.nonIdempotent;
    exchange.upstream = upstream.name;
    exchange.forwardedAt = now;
    upstream.active++;
    this.#try();
  }

  #try(): void {
    const { upstream, hashKey } = this.#plan;
    let endpoint =
      upstream.pick(hashKey, this.#tried) ??
      (this.#tried === undefined ? undefined : upstream.pick(hashKey, undefined));
    let connection = endpoint?.acquire();
    let full = '';
    while (endpoint !== undefined && connection === undefined) {
      // All its connections are in use: the next best one.
      full = endpoint.id;
      this.#tried ??= [];
      this.#tried.push(endpoint.index);
      endpoint = upstream.pick(hashKey, this.#tried);
      connection = endpoint?.acquire();
    }
    if (endpoint === undefined || connection === undefined) {
      const detail = { retryAfterMs: 1000 };
      this.#fail(
        full === ''
          ? new GatehouseError('no_endpoint', `no server of upstream ${upstream.name} is available`, detail)
          : new GatehouseError('overloaded', `all connections to ${full} are in use (pool.connections)`, detail),
      );
      return;
    }
    this.#exchange.tries++;
    this.#exchange.endpoint = endpoint.id;
    this.#endpoint = endpoint;
    this.#connection = connection;
    endpoint.inflight++;
    this.#request(connection, endpoint);
  }

  #request(connection: ClientConnection, endpoint: Endpoint): void {
    const plan = this.#plan;
    const { head, requestLength, inbound } = this.#exchange;
    const length: BodyLength = plan.body === undefined ? requestLength : plan.body.length;
    const host = plan.host === 'endpoint' ? endpoint.authority : plan.host;
    let text = `${head.method} ${plan.target} HTTP/1.1\r\nHost: ${host}\r\n${plan.fields}`;
    if (length >= 0) text += `Content-Length: ${length}\r\n\r\n`;
    else if (length === LENGTH_CHUNKED) text += 'Transfer-Encoding: chunked\r\n\r\n';
    else if (plan.upgrade !== '') text += `Connection: Upgrade\r\nUpgrade: ${plan.upgrade}\r\n\r\n`;
    else text += '\r\n';
    connection.start(this, head.method, text, length, this.#totalAt);
    if (plan.body !== undefined) {
      if (!this.#started) {
        this.#started = true;
        inbound.start(this);
      }
      if (plan.body.length > 0) connection.write(plan.body, 0, plan.body.length);
      connection.end('');
    } else if (!this.#started) {
      this.#started = true;
      if (length !== LENGTH_NONE && length !== 0) this.#replay = new Replay(this.#plan.upstream.config.retries.replay);
      inbound.start(this);
    } else {
      for (const piece of this.#replay?.pieces ?? []) connection.write(piece, 0, piece.length);
      if (this.#requestTrailers !== undefined) connection.end(this.#requestTrailers);
      else inbound.resume();
    }
  }

  // ---- the client's side

  onRequestData(buffer: Buffer, start: number, end: number): void {
    const connection = this.#connection;
    if (connection === undefined || this.#plan.body !== undefined) return;
    // Kept only where another try could use it: while nothing has been sent, or when sending twice does no harm.
    if (this.#idempotent || connection.connecting) this.#replay?.keep(buffer, start, end);
    else this.#replay?.forget();
    if (!connection.write(buffer, start, end)) this.#exchange.inbound.pause();
  }

  onRequestEnd(trailers: string): void {
    this.#requestTrailers = trailers;
    if (this.#plan.body === undefined) this.#connection?.end(trailers);
  }

  onInboundDrain(): void {
    this.#connection?.resume();
  }

  onInboundAbort(error: GatehouseError): void {
    if (this.#over) return;
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.abort();
    if (error.code === 'client_closed' || this.#headSent) {
      this.#finish('client_aborted', error);
      this.#exchange.inbound.abort();
    } else this.#fail(error);
  }

  // ---- the server's side

  onInterim(head: ResponseHead): void {
    // 100 is between us and the server: the client's own expectation has been answered already.
    if (head.status !== 100) this.#exchange.inbound.interim(head.status, (head as Response).lines(HOP_BY_HOP));
  }

  onResponseHead(head: ResponseHead, length: BodyLength): void {
    const exchange = this.#exchange;
    const plan = this.#plan;
    const response = head as Response;
    this.#headSent = true;
    this.#replay?.forget();
    exchange.firstByteAt = plan.upstream.clock.now();
    exchange.status = head.status;
    if (length === LENGTH_TUNNEL) {
      if (plan.upgrade === '') {
        this.#headSent = false;
        this.#connection?.abort();
        this.#connection = undefined;
        this.#endpoint?.fault('unasked_upgrade');
        this.#fail(new GatehouseError('upstream_protocol', 'the server switched protocols without being asked to'));
        return;
      }
      const fields = `${this.#fields(response)}Connection: Upgrade\r\nUpgrade: ${response.upgrade}\r\n`;
      exchange.inbound.head(101, head.reason, fields, LENGTH_TUNNEL);
      return;
    }
    let fields = this.#fields(response);
    // HEAD and 304 say how long the body would be (RFC 9110 §8.6).
    if (length === LENGTH_NONE && response.contentLength >= 0 && head.status !== 204) {
      fields += `Content-Length: ${response.contentLength}\r\n`;
    }
    const shape = plan.shape(head);
    this.#shape = shape;
    let outgoing = length;
    if (shape?.rewrite !== undefined) {
      if (length > 0) outgoing = LENGTH_CHUNKED;
      this.#pass = (buffer, start, end) => this.#write(buffer, start, end);
    }
    exchange.inbound.head(head.status, head.reason, fields, outgoing);
  }

  #fields(response: Response): string {
    const { id } = this.#exchange;
    const drop = response.known(KNOWN['x-request-id']) === undefined ? NOT_COPIED : HOP_BY_HOP;
    const lines = this.#plan.responseFields(response, drop);
    return drop === NOT_COPIED ? `${lines}x-request-id: ${id}\r\n` : lines;
  }

  onResponseData(buffer: Buffer, start: number, end: number): void {
    const shape = this.#shape;
    if (shape !== undefined) {
      if (shape.tap !== undefined) shape.tap.data(buffer, start, end);
      if (shape.rewrite !== undefined && this.#pass !== undefined) {
        shape.rewrite.data(buffer, start, end, this.#pass);
        return;
      }
    }
    this.#write(buffer, start, end);
  }

  #write(buffer: Buffer, start: number, end: number): void {
    if (!this.#exchange.inbound.write(buffer, start, end)) this.#connection?.pause();
  }

  onResponseEnd(trailers: string): void {
    const { inbound } = this.#exchange;
    const shape = this.#shape;
    this.#connection = undefined;
    if (shape !== undefined) {
      shape.tap?.end();
      if (shape.rewrite !== undefined && this.#pass !== undefined) shape.rewrite.end(this.#pass);
    }
    this.#endpoint?.succeeded();
    this.#finish('completed', undefined);
    inbound.end(trailers);
  }

  onOutboundDrain(): void {
    this.#exchange.inbound.resume();
  }

  onOutboundError(error: GatehouseError, sent: boolean, reused: boolean): void {
    this.#connection = undefined;
    if (this.#over) return;
    // A kept connection that the server has closed meanwhile says nothing about the server's health.
    if (speaksAgainstServer(error.code) && !(reused && error.code === 'upstream_reset')) this.#endpoint?.failed();
    if (this.#headSent) {
      const event = this.#end.cutEvent(this.#exchange, this.#shape, error);
      const { inbound } = this.#exchange;
      if (event !== '') {
        const bytes = Buffer.from(event);
        inbound.write(bytes, 0, bytes.length);
      }
      this.#finish('upstream_aborted', error);
      inbound.abort();
      return;
    }
    if (this.#mayRetry(error, sent)) {
      if (this.#endpoint !== undefined) {
        this.#tried ??= [];
        this.#tried.push(this.#endpoint.index);
      }
      this.#leaveEndpoint();
      if (!this.#retrying) {
        this.#retrying = true;
        this.#plan.upstream.retrying++;
      }
      this.#try();
    } else this.#fail(error);
  }

  #mayRetry(error: GatehouseError, sent: boolean): boolean {
    const { upstream } = this.#plan;
    if (error.code === 'total_timeout' || this.#exchange.tries >= upstream.config.retries.attempts) return false;
    if (sent && !this.#idempotent) return false;
    if (this.#plan.body === undefined && this.#replay?.complete === false) return false;
    return this.#retrying || upstream.mayRetry();
  }

  #fail(error: GatehouseError): void {
    const exchange = this.#exchange;
    this.#finish('failed', error);
    this.#end.answer(exchange, error);
  }

  #leaveEndpoint(): void {
    if (this.#endpoint !== undefined) {
      this.#endpoint.inflight--;
      this.#endpoint = undefined;
    }
  }

  /** Gives back what was counted; the exchange is told to the observers when its last byte has been handed over. */
  #finish(outcome: Outcome, error: GatehouseError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#leaveEndpoint();
    const { upstream } = this.#plan;
    upstream.active--;
    if (this.#retrying) upstream.retrying--;
    // A failure is counted by who answers it, with the status of that answer.
    if (outcome !== 'failed') this.#end.ended(this.#exchange, outcome, error);
  }
}
