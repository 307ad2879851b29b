/**
 * How many requests of an upstream may be tried again. At any time a share of those under way (Envoy's retry budget, at least
 * three): so retries never multiply the load. A server that dies breaks all its requests at once, though, which is a
 * third of them where there are three servers; so what went well saves up retries for that moment (Finagle's RetryBudget; gRPC A6,
 * "token_ratio").
 *
 * A try that found no connection is none: no server has worked for it, so trying another multiplies nothing.
 */

/** Retries that are always allowed, however few requests are under way (Envoy's `min_retry_concurrency`). */
const MIN_RETRIES = 3;
/** Retries that are saved up at most. */
const SAVED_MOST = 100;

/** The requests and retries of one upstream in one worker. */
export class RetryBudget {
  /** Exchanges under way. */
  active = 0;
  /** Of these, exchanges that have been sent again. */
  retrying = 0;
  readonly #share: number;
  #saved: number;

  /** `share`: retries per request, 0.2 for 20 %; `before`: the budget until now, whose savings stay. */
  constructor(share: number, before?: RetryBudget) {
    this.#share = share;
    this.#saved = share > 0 ? (before?.saved ?? 0) : 0;
  }

  /** Retries saved up, whole or in part. */
  get saved(): number {
    return this.#saved;
  }

  get #limit(): number {
    return Math.max(MIN_RETRIES, Math.floor(this.active * this.#share));
  }

  /**
   * Whether one more request may be sent again. `lost`: its server has gone without an answer, which is what retries are
   * saved for; an answer such as 503 says that there is more load than can be borne, and gets none of them.
   */
  mayRetry(lost: boolean): boolean {
    return this.retrying < this.#limit || (lost && this.#saved >= 1);
  }

  /** A request is sent again, as allowed. */
  retried(): void {
    if (this.retrying >= this.#limit) this.#saved = Math.max(0, this.#saved - 1);
    this.retrying++;
  }

  /** An exchange is over. `retried`: it was sent again; `good`: it was answered, and not with an error of the server's. */
  ended(retried: boolean, good: boolean): void {
    this.active--;
    if (retried) this.retrying--;
    else if (good && this.#saved < SAVED_MOST) this.#saved = Math.min(SAVED_MOST, this.#saved + this.#share);
  }
}
