/** What is known of an exchange's try under way, and of what all its tries have in common. */
import type { GatehouseError } from '../kernel/error.ts';
import type { BodyLength, Exchange, InboundSink, OutboundSink, ResponseHead } from '../kernel/exchange.ts';
import type { Carrier } from './carrier.ts';
import type { Endpoint } from './endpoint.ts';
import { mayRepeat } from './hedge.ts';
import type { ForwardPlan } from './plan.ts';
import type { Seats } from './queue/seats.ts';
import type { Replay } from './replay.ts';
import type { StreamWatch } from './watch.ts';

/** See the file's head. Attempts says which tries there are, Forward what becomes of the answer. */
export abstract class Try implements OutboundSink {
  protected readonly exchange: Exchange;
  protected readonly plan: ForwardPlan;
  /** The request may be sent twice. */
  protected readonly idempotent: boolean;
  protected endpoint: Endpoint | undefined = undefined;
  protected connection: Carrier | undefined = undefined;
  /** Its place at the endpoint, where places are limited. */
  protected seat: Seats | undefined = undefined;
  /** When the try was sent. */
  protected triedAt: number;
  /** The try is the probe of its endpoint's breaker, which has not had its word yet. */
  protected probe = false;
  /** The answer has begun: no other try any more. */
  protected headSent = false;
  /** What has been sent of a relayed body; undefined when there is none. */
  protected replay: Replay | undefined = undefined;
  /** Set when the request is complete. */
  protected requestTrailers: string | undefined = undefined;
  /** Between two tries. */
  protected pausing = false;
  /** A server may have acted on it, and must not do so twice. */
  protected lost = false;
  /** Counted among the upstream's retries (not for tries that found no connection). */
  protected retrying = false;
  protected watch: StreamWatch | undefined = undefined;
  /** When the exchange is over at the latest, in monotonic milliseconds. */
  protected readonly totalAt: number;

  constructor(exchange: Exchange, plan: ForwardPlan) {
    this.exchange = exchange;
    this.plan = plan;
    const { upstream } = plan;
    const now = upstream.clock.now();
    this.triedAt = now;
    this.totalAt = now + Math.min(upstream.config.timeouts.total, plan.patience);
    this.idempotent = mayRepeat(exchange, plan);
    exchange.upstream = upstream.name;
    exchange.forwardedAt = now;
    upstream.budget.active++;
  }

  abstract onInterim(head: ResponseHead): void;
  abstract onResponseHead(head: ResponseHead, length: BodyLength): void;
  abstract onResponseData(buffer: Buffer, start: number, end: number): void;
  abstract onResponseEnd(trailers: string): void;
  abstract onOutboundDrain(): void;
  abstract onOutboundError(error: GatehouseError, sent: boolean, reused: boolean): void;
  /** Takes the request body. */
  protected abstract get sink(): InboundSink;
  /** Answers with an error of our own. */
  protected abstract fail(error: GatehouseError): void;
}
