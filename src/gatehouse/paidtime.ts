/**
 * Requests whose time costs money, under limits on money. Before the time that is reserved has run out the next piece of it is
 * reserved; a stream that can get no more ends as one whose tokens are used up. It is looked at with each of its events, and for
 * those that are silent by one timer for all, which runs only while there are such requests.
 */
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Events, ForwardedEvent } from '../kernel/event.ts';
import type { Admission } from '../policy/quota/quota.ts';
import { flushCorked } from '../socket/cork.ts';
import { type Priced, timeCredits } from './cost.ts';

/** How often all of them are looked at, in milliseconds. A stream ends so much before its time is up: nobody looks later in time. */
const LOOK_MS = 100;
/** The next piece is asked for when half a piece is left, and so many milliseconds for the question. */
const AHEAD = 0.5;
const LEAD_MS = 250;
/** The largest piece that is asked for, where less is reserved at first; and the smallest, when there is no more of others. */
const PIECE_MS = 1000;
const LEAST_MS = 100;
/** Who could not get even the smallest asks again so much later: others may have ended. */
const AGAIN_MS = 1000;

/** A request that is followed. */
interface Timed extends ForwardedEvent, Priced {
  readonly worker: { readonly clock: Clock; readonly events: Events };
  /** Ends it cleanly in its protocol; false: it has not begun, or is no stream. */
  stop(): boolean;
}

/** One request's time. */
export class PaidTime {
  /** Place among all; -1: none. */
  slot = -1;
  /** Milliseconds that are reserved. */
  ms: number;
  readonly #request: Timed;
  readonly #admission: Admission;
  readonly #most: number;
  #step: number;
  #asking = false;
  #askAt = 0;

  constructor(request: Timed, admission: Admission) {
    this.#request = request;
    this.#admission = admission;
    this.ms = request.snapshot.prices.reserveMs;
    this.#most = Math.max(this.ms, PIECE_MS);
    this.#step = this.#most;
  }

  /** False when its time is up. Asks for more before. */
  allows(): boolean {
    const { exchange, worker } = this.#request;
    const now = worker.clock.now();
    // While it waits for a place at a server it costs nothing.
    const spent = exchange.forwardedAt > 0 ? now - exchange.forwardedAt : 0;
    if (!this.#asking && now >= this.#askAt && this.ms - spent < this.#step * AHEAD + LEAD_MS) this.#ask(now);
    // Where almost nothing was reserved at first, the first piece is waited for.
    return this.ms - spent > LOOK_MS || (this.#asking && this.ms < LEAD_MS);
  }

  /** Ends the request, if that can be done now. */
  stop(): boolean {
    return this.#request.stop();
  }

  #ask(now: number): void {
    const step = this.#step;
    const verdict = this.#admission.extend({ credits: timeCredits(this.#request, step) }, (granted) => {
      this.#asking = false;
      this.#answered(step, granted, this.#request.worker.clock.now());
    });
    this.#asking = verdict === 'wait';
    if (verdict !== 'wait') this.#answered(step, verdict, now);
  }

  #answered(step: number, granted: boolean, now: number): void {
    if (!granted) {
      // Less is asked for when less is left.
      if (step === LEAST_MS) this.#askAt = now + AGAIN_MS;
      this.#step = Math.max(LEAST_MS, step / 2);
      return;
    }
    this.ms += step;
    this.#step = Math.min(this.#most, step * 2);
    const { exchange, worker } = this.#request;
    if (exchange.outcome === 'open') worker.events.emit('requestForwarded', this.#request);
  }
}

/** See the file's head. */
export class PaidTimes {
  readonly #clock: Clock;
  readonly #all: PaidTime[] = [];
  #timer: Timer | undefined = undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From now on a request is followed, until `remove`. */
  follow(request: Timed, admission: Admission): PaidTime {
    const time = new PaidTime(request, admission);
    time.slot = this.#all.push(time) - 1;
    this.#timer ??= this.#clock.every(LOOK_MS, () => this.#look());
    return time;
  }

  /** A request has ended. */
  remove(time: PaidTime): void {
    if (time.slot < 0) return;
    const last = this.#all.pop() as PaidTime;
    if (last !== time) {
      this.#all[time.slot] = last;
      last.slot = time.slot;
    }
    time.slot = -1;
    if (this.#all.length > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(): void {
    let ended = false;
    // Who ends leaves the list; in his place comes one that was looked at.
    for (let i = this.#all.length - 1; i >= 0; i--) {
      const time = this.#all[i] as PaidTime;
      if (!time.allows() && time.stop()) ended = true;
    }
    if (ended) flushCorked();
  }
}
