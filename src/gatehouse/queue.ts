/** Waiting for a place: at the servers of its version and, after a while, at those to which that one spills over. */
import type { Timer } from '../kernel/clock.ts';
import type { GatehouseError } from '../kernel/error.ts';
import { flushCorked } from '../socket/cork.ts';
import type { Ticket } from '../upstream/queue/queue.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { refusalOf } from './cost.ts';
import { orderOf } from './order.ts';
import { ANSWERED, type Passage, type Step } from './passage.ts';
import { type Elsewhere, elsewhere, goOver } from './spill.ts';

/** Waits, where all servers have as many requests as they may. */
export function awaitPlace(passage: Passage): Step {
  const { upstream } = passage;
  if (upstream.queue === undefined || !upstream.full) return undefined;
  passage.exchange.upstream = upstream.name;
  new Wait(passage, passage.worker.clock.now()).begin();
  return ANSWERED;
}

/** One request's wait, in one queue or in two; the first place is taken. */
class Wait {
  readonly #passage: Passage;
  readonly #since: number;
  #own: Ticket | undefined = undefined;
  #other: Ticket | undefined = undefined;
  #joined = false;
  /** It is being asked whether limits allow it. */
  #asking = false;
  #over = false;
  #timer: Timer | undefined = undefined;
  #unwatch: (() => void) | undefined = undefined;

  /** `since`: when it began to wait. */
  constructor(passage: Passage, since: number) {
    this.#passage = passage;
    this.#since = since;
  }

  begin(): void {
    const passage = this.#passage;
    passage.ticket = this;
    this.#own = this.#enter(passage.upstream, (error) => {
      this.#own = undefined;
      if (error === undefined) this.#called();
      else this.#refused(error);
    });
    if (passage.spillStep < 0) return;
    const { worker, version } = passage;
    const wait = (version?.spillover?.after ?? 0) - (worker.clock.now() - this.#since);
    if (wait > 0) this.#timer = worker.clock.after(wait, () => this.#whenBusy());
    else this.#whenBusy();
  }

  /** The client has left, or the request has ended otherwise. */
  cancel(): void {
    this.#end();
  }

  /** That it waits does not mean that others do: it may be the moment until its place is granted. */
  #whenBusy(): void {
    this.#unwatch = this.#passage.upstream.queue?.whenBusy(() => {
      if (this.#over) return;
      this.#join();
      flushCorked();
    });
  }

  /** Waits in the other queue as well, where limits that count by version allow it there. Whether it does, or may. */
  #join(): boolean {
    if (this.#joined) return this.#asking || this.#other !== undefined;
    const other = elsewhere(this.#passage);
    if (other === undefined) return false;
    this.#joined = true;
    const verdict = this.#passage.admission?.prepare(other.version.name, (exhausted) => {
      this.#asking = false;
      if (this.#over || this.#passage.exchange.outcome !== 'open') return;
      if (exhausted === undefined) this.#joinOther(other);
      else if (this.#own === undefined) this.#fail(refusalOf(this.#passage, exhausted));
      flushCorked();
    });
    this.#asking = verdict === 'wait';
    if (verdict === undefined) this.#joinOther(other);
    return verdict === undefined || verdict === 'wait';
  }

  #joinOther(other: Elsewhere): void {
    if (!other.upstream.full) {
      this.#goOver(other);
      return;
    }
    this.#other = this.#enter(other.upstream, (error) => {
      this.#other = undefined;
      if (error === undefined) this.#goOver(other);
      else if (this.#own === undefined) this.#fail(error);
      flushCorked();
    });
  }

  #enter(upstream: Upstream, done: (error: GatehouseError | undefined) => void): Ticket | undefined {
    const passage = this.#passage;
    const waitedMs = passage.worker.clock.now() - this.#since;
    const patience = Math.min(upstream.config.timeouts.total, passage.patience) - waitedMs;
    return upstream.queue?.enter(orderOf(passage, waitedMs, patience, upstream), (error) => {
      if (!this.#over && passage.exchange.outcome === 'open') done(error);
    });
  }

  /** Its own servers have a place. */
  #called(): void {
    const passage = this.#passage;
    const { upstream, worker } = passage;
    this.#end();
    passage.admission?.stay();
    // The server that had a place has been taken out meanwhile.
    if (upstream.full) new Wait(passage, this.#since).begin();
    else {
      this.#spend();
      worker.proceed(passage);
    }
    flushCorked();
  }

  /** Its own queue does not have it any more. */
  #refused(error: GatehouseError): void {
    if (!this.#join()) this.#fail(error);
    flushCorked();
  }

  #fail(error: GatehouseError): void {
    this.#end();
    this.#passage.refuse(error);
  }

  #goOver(other: Elsewhere): void {
    const passage = this.#passage;
    const reason = passage.upstream.down ? 'unavailable' : 'full';
    this.#end();
    this.#spend();
    goOver(passage, other, reason);
    passage.worker.proceed(passage);
  }

  /** Time spent here is time of the exchange. */
  #spend(): void {
    const passage = this.#passage;
    const { upstream, worker } = passage;
    passage.patience = Math.min(upstream.config.timeouts.total, passage.patience) - (worker.clock.now() - this.#since);
  }

  #end(): void {
    this.#over = true;
    this.#passage.ticket = undefined;
    this.#timer?.cancel();
    this.#unwatch?.();
    this.#own?.cancel();
    this.#other?.cancel();
    this.#own = undefined;
    this.#other = undefined;
  }
}
