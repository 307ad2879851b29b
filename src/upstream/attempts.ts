/**
 * The tries of one exchange: which endpoint and connection carry it, when it is sent again, and when it is sent twice. What
 * is common to all of them is counted here and given back at the end.
 */
import type { Response } from '../http/response.ts';
import type { Timer } from '../kernel/clock.ts';
import { GatehouseError } from '../kernel/error.ts';
import { type BodyLength, LENGTH_NONE, type ResponseHead } from '../kernel/exchange.ts';
import { flushCorked } from '../socket/cork.ts';
import type { Carrier } from './carrier.ts';
import { DISCARDED_BYTES, discarded } from './discard.ts';
import type { Endpoint } from './endpoint.ts';
import { type Hedge, type HedgeOwner, mayHedge, sendHedge } from './hedge.ts';
import { nowhere } from './nowhere.ts';
import { requestHead } from './outgoing.ts';
import type { UpstreamQueue } from './queue/upstreamqueue.ts';
import { Replay } from './replay.ts';
import { answerRetry, retryPause } from './retry.ts';
import { Try } from './try.ts';
import { tryGivenUp } from './verdict.ts';

const UNREPEATABLE = ['upstream_reset', 'the server failed, and the request could not be sent again'] as const;

/** The tries; what becomes of the answer is said by the class that extends this one. */
export abstract class Attempts extends Try implements HedgeOwner {
  #started = false;
  #tried: number[] | undefined = undefined;
  #retries = 0;
  /** Until the next try, or until the request is hedged. */
  #timer: Timer | undefined = undefined;
  #hedge: Hedge | undefined = undefined;

  /** The first try. */
  protected begin(): void {
    const { upstream } = this.plan;
    if (upstream.hedgeAfter > 0 && mayHedge(this.exchange, this.plan))
      this.#timer = upstream.clock.after(upstream.hedgeAfter, () => this.#sendAgain());
    this.#try();
  }

  #try(): void {
    const { upstream, hashKey } = this.plan;
    if (upstream.queue !== undefined && this.#started && upstream.full) {
      this.#awaitPlace(upstream.queue);
      return;
    }
    let endpoint =
      upstream.pick(hashKey, this.#tried) ??
      (this.#tried === undefined ? undefined : upstream.pick(hashKey, undefined));
    let connection = endpoint?.acquire(this.exchange.inbound);
    let full = false;
    while (endpoint !== undefined && connection === undefined) {
      // All its connections are in use: the next best one.
      full = true;
      tryGivenUp(endpoint, endpoint.standing.probing);
      this.#tried ??= [];
      this.#tried.push(endpoint.index);
      endpoint = upstream.pick(hashKey, this.#tried);
      connection = endpoint?.acquire(this.exchange.inbound);
    }
    if (endpoint === undefined || connection === undefined) {
      this.fail(nowhere(upstream, full));
      return;
    }
    const probe = endpoint.standing.probing;
    this.exchange.tries++;
    this.exchange.endpoint = endpoint.id;
    this.endpoint = endpoint;
    this.connection = connection;
    this.probe = probe;
    this.seat = endpoint.enter();
    this.#request(connection, endpoint);
  }

  /** Another try waits for a place, as the first one did before it began. */
  #awaitPlace(queue: UpstreamQueue): void {
    const { exchange, plan } = this;
    const now = plan.upstream.clock.now();
    this.#pause();
    this.#timer = queue.enter(plan.order(now - exchange.forwardedAt, this.totalAt - now), (error) => {
      if (error === undefined) this.#tryAgain();
      else this.fail(error);
      flushCorked();
    });
  }

  #request(connection: Carrier, endpoint: Endpoint): void {
    const plan = this.plan;
    const { head, requestLength, inbound, stream } = this.exchange;
    const length: BodyLength = plan.body === undefined ? requestLength : plan.body.length;
    const { perTry } = plan.upstream.config.timeouts;
    const text = requestHead(plan, head.method, endpoint.authority, length);
    connection.start(
      this,
      head.method,
      text,
      length,
      this.totalAt,
      perTry > 0 ? this.triedAt + perTry : Number.POSITIVE_INFINITY,
    );
    if (stream) this.watch?.began();
    if (plan.body !== undefined) {
      if (!this.#started) {
        this.#started = true;
        inbound.start(this.sink);
      }
      if (plan.body.length > 0) connection.write(plan.body, 0, plan.body.length);
      connection.end('');
    } else if (!this.#started) {
      this.#started = true;
      if (length !== LENGTH_NONE && length !== 0) this.replay = new Replay(plan.upstream.config.retries.replay);
      inbound.start(this.sink);
    } else {
      this.replay?.send(connection);
      if (this.requestTrailers !== undefined) connection.end(this.requestTrailers);
      else inbound.resume();
    }
  }

  // ---- another try

  /** Throws an answer away for another try, if its status and everything else allow that. */
  protected discard(response: Response, length: BodyLength, statuses: ReadonlySet<number>, now: number): boolean {
    const asked = answerRetry(response.status, response, statuses, this.idempotent, this.plan.upstream.clock.wall());
    if (asked === undefined) return false;
    const hedge = this.#hedge;
    const pause = hedge === undefined ? this.#mayRetry(asked, 'answered') : 0;
    if (pause === undefined) return false;
    this.endpoint?.succeeded(response.status, this.triedAt, now - this.triedAt);
    if (length >= 0 && length <= DISCARDED_BYTES) {
      this.connection?.handOver(discarded);
      this.connection = undefined;
    }
    if (hedge !== undefined) this.#adopt(hedge);
    else this.#retry(pause, true);
    return true;
  }

  /** Goes on after a try that failed before its answer: with the second sending, with another try, or not at all. */
  protected goOn(error: GatehouseError, sent: boolean): void {
    if (this.#hedge !== undefined) {
      this.#adopt(this.#hedge);
      return;
    }
    this.lost = sent && !this.idempotent;
    const never = error.code === 'total_timeout' || (sent && !this.idempotent);
    const pause = never ? undefined : this.#mayRetry(0, sent ? 'lost' : 'unsent');
    if (pause === undefined) this.fail(error);
    else this.#retry(pause, sent);
  }

  /**
   * The pause before another try; undefined: there must be none. `asked`: the pause the server asks for. `why`: an answer that
   * will not do; or it said nothing, so that the first retry may go to it again at once; or there was no connection, which
   * costs nothing of the budget.
   */
  #mayRetry(asked: number, why: 'answered' | 'lost' | 'unsent'): number | undefined {
    const { upstream, body } = this.plan;
    const { attempts, backoff } = upstream.config.retries;
    if (this.exchange.tries >= attempts || (body === undefined && this.replay?.complete === false)) return undefined;
    if (why !== 'unsent' && !this.retrying && !upstream.budget.mayRetry(why === 'lost')) return undefined;
    this.#tried ??= [];
    this.#tried.push(this.endpoint?.index ?? -1);
    const fresh = why !== 'answered' || upstream.hasBesides(this.#tried);
    return retryPause(++this.#retries, fresh, asked, backoff, upstream.clock.random());
  }

  /** `costs`: it counts against the budget. */
  #retry(pause: number, costs: boolean): void {
    this.connection?.abort();
    this.connection = undefined;
    this.leaveEndpoint();
    this.quiet();
    if (costs) this.#count();
    if (pause === 0) this.#tryAgain();
    else {
      this.#pause();
      this.#timer = this.plan.upstream.clock.after(pause, () => this.#tryAgain());
    }
  }

  #pause(): void {
    this.pausing = true;
    if (this.requestTrailers === undefined) this.exchange.inbound.pause();
  }

  #tryAgain(): void {
    this.pausing = false;
    this.#timer = undefined;
    this.triedAt = this.plan.upstream.clock.now();
    // More of the body has come meanwhile than may be kept.
    if (this.plan.body === undefined && this.replay?.complete === false) this.fail(new GatehouseError(...UNREPEATABLE));
    else this.#try();
  }

  /** Sends the request a second time, while the first one is still unanswered. */
  #sendAgain(): void {
    this.#timer = undefined;
    const { exchange, plan, replay, requestTrailers, retrying } = this;
    const { config, budget } = plan.upstream;
    const whole = plan.body !== undefined || (requestTrailers !== undefined && replay?.complete !== false);
    if (!whole || this.headSent || this.connection === undefined) return;
    if (exchange.tries >= config.retries.attempts || (!retrying && !budget.mayRetry(false))) return;
    const tried = [...(this.#tried ?? []), this.endpoint?.index ?? -1];
    this.#hedge = sendHedge(exchange, plan, tried, this.totalAt, replay, requestTrailers ?? '', this);
    if (this.#hedge !== undefined) this.#count();
  }

  hedgeAnswered(head: ResponseHead, length: BodyLength): void {
    const hedge = this.#hedge as Hedge;
    if (head.status >= 500 && this.connection !== undefined) {
      // The other one may still do better.
      this.#hedge = undefined;
      hedge.answered(head.status);
      return;
    }
    this.#adopt(hedge);
    this.onResponseHead(head, length);
  }

  hedgeFailed(): void {
    this.#hedge = undefined;
  }

  /** Goes on with the second sending instead of the first. */
  #adopt(hedge: Hedge): void {
    this.#hedge = undefined;
    this.connection?.abort();
    this.leaveEndpoint();
    this.endpoint = hedge.endpoint;
    this.seat = hedge.seat;
    this.connection = hedge.connection;
    this.triedAt = hedge.startedAt;
    this.probe = hedge.probe;
    this.exchange.endpoint = hedge.endpoint.id;
    hedge.connection.handOver(this);
  }

  #count(): void {
    if (!this.retrying) this.plan.upstream.budget.retried();
    this.retrying = true;
  }

  /** No second sending, and none to come. */
  protected quiet(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#hedge?.cancel();
    this.#hedge = undefined;
  }

  protected leaveEndpoint(): void {
    const endpoint = this.endpoint;
    if (endpoint === undefined) return;
    endpoint.leave(this.seat);
    this.seat = undefined;
    this.endpoint = undefined;
    tryGivenUp(endpoint, this.probe);
    this.probe = false;
  }
}
