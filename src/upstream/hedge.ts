/** The second sending of a request whose first one is slow to answer; who answers first is kept. */
import type { GatehouseError } from '../kernel/error.ts';
import type { BodyLength, Exchange, OutboundSink, ResponseHead } from '../kernel/exchange.ts';
import type { Carrier } from './carrier.ts';
import type { Endpoint } from './endpoint.ts';
import { requestHead } from './outgoing.ts';
import type { ForwardPlan } from './plan.ts';
import type { Seats } from './queue/seats.ts';
import type { Replay } from './replay.ts';
import { isIdempotent } from './replay.ts';
import { tryFailed, tryGivenUp } from './verdict.ts';

/** Who decides between the two. */
export interface HedgeOwner {
  hedgeAnswered(head: ResponseHead, length: BodyLength): void;
  /** It has failed, and everything that was counted for it has been given back. */
  hedgeFailed(): void;
}

/** Whether a request declares that sending it twice does no harm: by its method, the upstream's settings, or a field. */
export function mayHedge(exchange: Exchange, plan: ForwardPlan): boolean {
  const { hedging } = plan.upstream.config;
  if (hedging === undefined || plan.upgrade !== '') return false;
  const { head } = exchange;
  return isIdempotent(head.method) || hedging.all || head.get(hedging.header.toLowerCase()) !== undefined;
}

/** Whether a request may be sent again though the server may have begun with it. */
export function mayRepeat(exchange: Exchange, plan: ForwardPlan): boolean {
  const { config, hedgeAfter } = plan.upstream;
  if (isIdempotent(exchange.head.method) || config.retries.nonIdempotent) return true;
  return hedgeAfter > 0 && mayHedge(exchange, plan);
}

/** One sending; everything that it cannot decide goes to its owner. */
export class Hedge implements OutboundSink {
  readonly endpoint: Endpoint;
  readonly connection: Carrier;
  /** When it was sent, in monotonic milliseconds. */
  readonly startedAt: number;
  /** It is the probe of the endpoint's breaker. */
  readonly probe: boolean;
  /** Its place at the endpoint. */
  readonly seat: Seats | undefined;
  readonly #owner: HedgeOwner;

  constructor(endpoint: Endpoint, connection: Carrier, startedAt: number, owner: HedgeOwner) {
    this.endpoint = endpoint;
    this.connection = connection;
    this.startedAt = startedAt;
    this.probe = endpoint.standing.probing;
    this.#owner = owner;
    this.seat = endpoint.enter();
  }

  onInterim(): void {}

  onResponseHead(head: ResponseHead, length: BodyLength): void {
    this.#owner.hedgeAnswered(head, length);
  }

  // The owner has taken the connection over, or closed it, before any of the following could come.
  onResponseData(): void {}
  onResponseEnd(): void {}
  /** The request was complete when it was sent. */
  onOutboundDrain(): void {}

  onOutboundError(error: GatehouseError, _sent: boolean, reused: boolean): void {
    this.endpoint.leave(this.seat);
    tryFailed(this.endpoint, error.code, this.startedAt, this.probe, reused);
    this.#owner.hedgeFailed();
  }

  /** It was answered, and that answer is not wanted. */
  answered(status: number): void {
    const { endpoint, startedAt } = this;
    const tookMs = endpoint.clock.now() - startedAt;
    if (this.probe) endpoint.standing.probeAnswered(status, tookMs);
    endpoint.succeeded(status, startedAt, tookMs);
    this.cancel();
  }

  /** The other one was faster, or the exchange is over. */
  cancel(): void {
    this.connection.abort();
    this.endpoint.leave(this.seat);
    tryGivenUp(this.endpoint, this.probe);
  }
}

/**
 * Sends the request to an endpoint that is not in `tried`; undefined when there is none to be had. `replay`: the request
 * body where it is not held, which must be complete; `trailers`: what ends it.
 */
export function sendHedge(
  exchange: Exchange,
  plan: ForwardPlan,
  tried: readonly number[],
  totalAt: number,
  replay: Replay | undefined,
  trailers: string,
  owner: HedgeOwner,
): Hedge | undefined {
  const { upstream, body } = plan;
  const endpoint = upstream.pick(plan.hashKey, tried);
  if (endpoint === undefined) return undefined;
  const connection = endpoint.acquire(exchange.inbound);
  if (connection === undefined) {
    tryGivenUp(endpoint, endpoint.standing.probing);
    return undefined;
  }
  const now = upstream.clock.now();
  const { perTry } = upstream.config.timeouts;
  const { method } = exchange.head;
  const length = body === undefined ? exchange.requestLength : body.length;
  const hedge = new Hedge(endpoint, connection, now, owner);
  exchange.tries++;
  const text = requestHead(plan, method, endpoint.authority, length);
  connection.start(hedge, method, text, length, totalAt, perTry > 0 ? now + perTry : Number.POSITIVE_INFINITY);
  if (body !== undefined) connection.write(body, 0, body.length);
  replay?.send(connection);
  connection.end(trailers);
  return hedge;
}
