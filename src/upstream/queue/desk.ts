/** One upstream as the authority sees it: its places, who has them, and who waits. */
import type { Clock } from '../../kernel/clock.ts';
import { AdaptiveLimit } from './adaptive.ts';
import { FairQueue } from './fairqueue.ts';
import { Waiter } from './flow.ts';
import type { QueueAnswer, RefusedFor, SeatNote, WaitAsk } from './message.ts';
import type { DeskConfig, QueueStanding } from './standing.ts';

/** An endpoint's places. */
interface Place {
  most: number;
  adaptive: AdaptiveLimit | undefined;
  /** Worker → places that it has. */
  held: Map<number, number>;
  /** Worker → places in use, as it last said. */
  used: Map<number, number>;
  /** Sum of `held`. */
  granted: number;
}

/** A request of a worker. */
interface Applicant {
  worker: number;
  id: number;
  answer(answer: QueueAnswer): void;
}

const NONE: readonly number[] = [];
/** Weight of the newest time between two turns. */
const NEWEST = 0.1;
/** Turns that must have been seen before an estimate is good enough to refuse somebody by it. */
const TRUSTED = 20;
/** Somebody is refused at once when he can wait for less than this part of what is estimated. */
const HOPELESS = 0.5;
/** Part of the free places that one worker gets ahead, where nobody waits: so much, divided by the number of workers. */
const AHEAD = 0.5;
/** Nobody has waited for this long: workers may keep places again (milliseconds). */
const CALM_MS = 50;

const sumOf = (counts: ReadonlyMap<number, number>): number => {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
};

/** See the file's head. */
export class Desk {
  readonly name: string;
  readonly #clock: Clock;
  readonly #tell: (busy: boolean) => void;
  readonly #places = new Map<string, Place>();
  readonly #queue: FairQueue<Applicant>;
  /** Worker → its requests that wait, by their id. */
  readonly #waiting = new Map<number, Map<number, Waiter<Applicant>>>();
  /** Worker → endpoints that it may use. */
  readonly #usable = new Map<number, readonly string[]>();
  /** Workers must not keep places that they do not use. */
  #busy = false;
  /** Mean time between two turns, in milliseconds; 0: not known. */
  #interval = 0;
  #turns = 0;
  #turnAt = 0;

  /** `tell`: workers must, or need not, give back what they do not use. */
  constructor(name: string, config: DeskConfig, clock: Clock, tell: (busy: boolean) => void) {
    this.name = name;
    this.#clock = clock;
    this.#tell = tell;
    this.#queue = new FairQueue(config.queue);
    this.configure(config);
  }

  /** Goes over to other settings; who waits, waits on. */
  configure({ queue, adaptive, places }: DeskConfig): void {
    this.#queue.rules = queue;
    for (const [name, place] of this.#places) {
      if (places.has(name)) continue;
      place.most = 0;
      if (place.granted === 0) this.#places.delete(name);
    }
    for (const [name, most] of places) {
      const place = this.#places.get(name);
      if (place === undefined) {
        const found = adaptive && new AdaptiveLimit(adaptive, this.#clock.now(), () => this.#clock.random());
        this.#places.set(name, { most, adaptive: found, held: new Map(), used: new Map(), granted: 0 });
        continue;
      }
      place.most = most;
      if (adaptive === undefined) place.adaptive = undefined;
      else if (place.adaptive !== undefined) place.adaptive.configure(adaptive);
      else place.adaptive = new AdaptiveLimit(adaptive, this.#clock.now(), () => this.#clock.random());
    }
    this.#dispatch();
  }

  /** Nothing is held and nobody waits. */
  get idle(): boolean {
    return this.#queue.size === 0 && [...this.#places.values()].every(({ granted }) => granted === 0);
  }

  /** A request wants a place; `answer` is called once, now or later. `workers`: how many there are. */
  wait(worker: number, ask: WaitAsk, workers: number, answer: (answer: QueueAnswer) => void): void {
    this.#usable.set(worker, ask.usable);
    if (this.#queue.size === 0) {
      const endpoint = this.#freeFor(worker);
      if (endpoint !== undefined) {
        this.#grant(worker, endpoint, 1);
        const ahead = this.#busy ? 0 : Math.floor((this.#free(endpoint) * AHEAD) / Math.max(1, workers));
        this.#grant(worker, endpoint, ahead);
        answer({ type: 'granted', endpoint, ahead, busy: this.#busy });
        return;
      }
    }
    const now = this.#clock.now();
    const before = this.#queue.before(ask.priority);
    const waitMs = (before + 1) * this.#interval;
    if (this.#turns >= TRUSTED && ask.patienceMs < waitMs * HOPELESS) {
      answer({ type: 'refused', reason: 'late', ahead: before, waitMs });
      return;
    }
    const waiter = new Waiter<Applicant>({ worker, id: ask.id, answer }, ask, now - ask.waitedMs);
    if (this.#queue.size === 0) this.#turnAt = now;
    const victim = this.#queue.offer(waiter);
    if (victim !== waiter) this.#of(worker).set(ask.id, waiter);
    if (victim !== undefined) this.#refuse(victim, victim === waiter ? 'full' : 'evicted');
    this.#makeBusy();
    // Others may keep places that this one could have; and it may find one that those before it cannot use.
    this.#dispatch();
  }

  /** A request waits no more. */
  leave(worker: number, id: number): void {
    const waiter = this.#waiting.get(worker)?.get(id);
    if (waiter === undefined) return;
    this.#waiting.get(worker)?.delete(id);
    this.#queue.remove(waiter);
    waiter.value.answer({ type: 'left', ...this.#prospect(waiter) });
  }

  /** A worker tells what has changed. */
  note(worker: number, { back, used, samples, refused, usable }: SeatNote): void {
    this.#usable.set(worker, usable);
    for (const [name, count] of Object.entries(back)) {
      const place = this.#places.get(name);
      if (place !== undefined) this.#grant(worker, name, -Math.min(count, place.held.get(worker) ?? 0));
    }
    for (const [name, count] of Object.entries(used)) this.#places.get(name)?.used.set(worker, count);
    for (const [name, place] of this.#places) {
      const [times, away] = [samples[name] ?? NONE, refused[name] ?? 0];
      if (place.adaptive === undefined || (times.length === 0 && away === 0)) continue;
      place.adaptive.measured(times, away, this.#under(place), this.#clock.now());
      if (place.granted > this.#most(place)) this.#makeBusy();
    }
    this.#dispatch();
  }

  /** A worker has died: what it had is free, and its requests are gone. */
  gone(worker: number): void {
    for (const waiter of this.#waiting.get(worker)?.values() ?? []) this.#queue.remove(waiter);
    this.#waiting.delete(worker);
    this.#usable.delete(worker);
    for (const [name, place] of this.#places) {
      this.#grant(worker, name, -(place.held.get(worker) ?? 0));
      place.used.delete(worker);
    }
    this.#dispatch();
  }

  get standing(): QueueStanding {
    const now = this.#clock.now();
    return {
      upstream: this.name,
      waiting: this.#queue.size,
      length: this.#queue.rules.length,
      estimatedWaitMs: Math.round(this.#queue.size * this.#interval),
      classes: this.#queue.classes().map(({ since, ...rest }) => ({ ...rest, oldestMs: Math.round(now - since) })),
      endpoints: [...this.#places].map(([name, place]) => {
        const limit = this.#most(place);
        const { granted } = place;
        const state = place.adaptive?.state;
        return { name, limit, granted, used: sumOf(place.used), ...(state && { adaptive: state }) };
      }),
    };
  }

  #most({ most, adaptive }: Place): number {
    return adaptive === undefined ? most : Math.min(most, adaptive.limit);
  }

  /** Requests under way: while somebody waits, no place that was granted is empty for long. */
  #under(place: Place): number {
    return this.#busy ? place.granted : sumOf(place.used);
  }

  #free(endpoint: string): number {
    const place = this.#places.get(endpoint);
    return place === undefined ? 0 : Math.max(0, this.#most(place) - place.granted);
  }

  /** Among the endpoints that a worker may use, the one of whose places the smallest share is taken. */
  #freeFor(worker: number): string | undefined {
    let best: string | undefined;
    let least = 1;
    for (const name of this.#usable.get(worker) ?? []) {
      const place = this.#places.get(name);
      if (place === undefined) continue;
      const share = place.granted / this.#most(place);
      if (share < least) {
        least = share;
        best = name;
      }
    }
    return best;
  }

  #grant(worker: number, endpoint: string, count: number): void {
    const place = this.#places.get(endpoint);
    if (place === undefined || count === 0) return;
    place.granted += count;
    const held = (place.held.get(worker) ?? 0) + count;
    if (held === 0) place.held.delete(worker);
    else place.held.set(worker, held);
    place.adaptive?.seen(this.#under(place));
    if (place.granted === 0 && place.most === 0) this.#places.delete(endpoint);
  }

  /** Gives free places to those who wait. */
  #dispatch(): void {
    while (this.#queue.size > 0) {
      let endpoint: string | undefined;
      const now = this.#clock.now();
      if (!this.#anyFree()) return;
      const waiter = this.#queue.next(now, ({ worker }) => {
        endpoint = this.#freeFor(worker);
        return endpoint !== undefined;
      });
      if (waiter === undefined || endpoint === undefined) return;
      const { worker, id, answer } = waiter.value;
      this.#waiting.get(worker)?.delete(id);
      this.#grant(worker, endpoint, 1);
      this.#turn(now);
      answer({ type: 'granted', endpoint, ahead: 0, busy: this.#busy });
    }
  }

  #anyFree(): boolean {
    for (const place of this.#places.values()) if (place.granted < this.#most(place)) return true;
    return false;
  }

  #turn(now: number): void {
    const passed = now - this.#turnAt;
    this.#turnAt = now;
    this.#interval = this.#turns === 0 ? passed : this.#interval * (1 - NEWEST) + passed * NEWEST;
    this.#turns++;
  }

  #refuse(waiter: Waiter<Applicant>, reason: RefusedFor): void {
    const { worker, id, answer } = waiter.value;
    this.#waiting.get(worker)?.delete(id);
    answer({ type: 'refused', reason, ...this.#prospect(waiter) });
  }

  /** What one like this would find. */
  #prospect({ priority }: Waiter<Applicant>): { ahead: number; waitMs: number } {
    const ahead = this.#queue.before(priority);
    return { ahead, waitMs: (ahead + 1) * this.#interval };
  }

  #of(worker: number): Map<number, Waiter<Applicant>> {
    let own = this.#waiting.get(worker);
    if (own === undefined) {
      own = new Map();
      this.#waiting.set(worker, own);
    }
    return own;
  }

  #makeBusy(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#tell(true);
    this.#clock.after(CALM_MS, () => this.#calm());
  }

  /** Once nobody waits any more, and nobody has places that are not there any more. */
  #calm(): void {
    const over = [...this.#places.values()].some((place) => place.granted > this.#most(place));
    if (this.#queue.size > 0 || over) {
      this.#clock.after(CALM_MS, () => this.#calm());
      return;
    }
    this.#busy = false;
    this.#tell(false);
  }
}
