/** The places of one upstream's endpoints, as the authority sees them: how many there are, and which worker has them. */
import type { Clock } from '../../kernel/clock.ts';
import { AdaptiveLimit } from './adaptive.ts';
import type { SeatNote } from './message.ts';
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

const NONE: readonly number[] = [];

const sumOf = (counts: ReadonlyMap<number, number>): number => {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
};

const mostOf = ({ most, adaptive }: Place): number => (adaptive === undefined ? most : Math.min(most, adaptive.limit));

/** See the file's head. */
export class Places {
  readonly #clock: Clock;
  readonly #places = new Map<string, Place>();
  /** Worker → endpoints that it may use. */
  readonly #usable = new Map<number, readonly string[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Goes over to other settings; what is held stays held. */
  configure({ adaptive, places }: DeskConfig): void {
    const make = () => adaptive && new AdaptiveLimit(adaptive, this.#clock.now(), () => this.#clock.random());
    for (const [name, place] of this.#places) {
      if (places.has(name)) continue;
      place.most = 0;
      if (place.granted === 0) this.#places.delete(name);
    }
    for (const [name, most] of places) {
      const place = this.#places.get(name);
      if (place === undefined) {
        this.#places.set(name, { most, adaptive: make(), held: new Map(), used: new Map(), granted: 0 });
        continue;
      }
      place.most = most;
      if (adaptive === undefined) place.adaptive = undefined;
      else if (place.adaptive !== undefined) place.adaptive.configure(adaptive);
      else place.adaptive = make();
    }
  }

  /** Nothing is held. */
  get idle(): boolean {
    for (const { granted } of this.#places.values()) if (granted > 0) return false;
    return true;
  }

  /** Workers have places that are not there any more. */
  get over(): boolean {
    for (const place of this.#places.values()) if (place.granted > mostOf(place)) return true;
    return false;
  }

  /** There is a free place. */
  get anyFree(): boolean {
    for (const place of this.#places.values()) if (place.granted < mostOf(place)) return true;
    return false;
  }

  /** No other worker has anything to do with this upstream. */
  aloneIs(worker: number): boolean {
    return this.#usable.size === 1 && this.#usable.has(worker);
  }

  /** A worker may use these endpoints. */
  use(worker: number, usable: readonly string[]): void {
    this.#usable.set(worker, usable);
  }

  /** Free places at an endpoint. */
  free(endpoint: string): number {
    const place = this.#places.get(endpoint);
    return place === undefined ? 0 : Math.max(0, mostOf(place) - place.granted);
  }

  /** Among the endpoints that a worker may use, the one of whose places the smallest share is taken. */
  freeFor(worker: number): string | undefined {
    let best: string | undefined;
    let least = 1;
    for (const name of this.#usable.get(worker) ?? []) {
      const place = this.#places.get(name);
      if (place === undefined) continue;
      const share = place.granted / mostOf(place);
      if (share < least) {
        least = share;
        best = name;
      }
    }
    return best;
  }

  /** A worker gets so many places more. `busy`: none that was granted is empty for long. */
  grant(worker: number, endpoint: string, count: number, busy: boolean): void {
    const place = this.#places.get(endpoint);
    if (place === undefined || count === 0) return;
    place.granted += count;
    const held = (place.held.get(worker) ?? 0) + count;
    if (held === 0) place.held.delete(worker);
    else place.held.set(worker, held);
    place.adaptive?.seen(this.#under(place, busy));
    if (place.granted === 0 && place.most === 0) this.#places.delete(endpoint);
  }

  /** A worker tells what has changed. */
  note(worker: number, { back, used, samples, refused, usable }: SeatNote, busy: boolean): void {
    this.#usable.set(worker, usable);
    for (const [name, count] of Object.entries(back)) {
      const place = this.#places.get(name);
      if (place !== undefined) this.grant(worker, name, -Math.min(count, place.held.get(worker) ?? 0), busy);
    }
    for (const [name, count] of Object.entries(used)) this.#places.get(name)?.used.set(worker, count);
    for (const [name, place] of this.#places) {
      if (place.adaptive === undefined) continue;
      const [times, away] = [samples[name] ?? NONE, refused[name] ?? 0];
      if (times.length === 0 && away === 0) continue;
      place.adaptive.measured(times, away, this.#under(place, busy), this.#clock.now());
    }
  }

  /** A worker has died: what it had is free. */
  gone(worker: number, busy: boolean): void {
    this.#usable.delete(worker);
    for (const [name, place] of this.#places) {
      this.grant(worker, name, -(place.held.get(worker) ?? 0), busy);
      place.used.delete(worker);
    }
  }

  /** For operators. */
  get standing(): QueueStanding['endpoints'] {
    return [...this.#places].map(([name, place]) => {
      const { granted, used, adaptive } = place;
      const state = adaptive?.state;
      return { name, limit: mostOf(place), granted, used: sumOf(used), ...(state && { adaptive: state }) };
    });
  }

  /** Requests under way: while somebody waits, no place that was granted is empty for long. */
  #under(place: Place, busy: boolean): number {
    return busy ? place.granted : sumOf(place.used);
  }
}
