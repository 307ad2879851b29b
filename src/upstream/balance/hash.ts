/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam: "Consistent hashing with bounded loads",
 * 2016). Endpoints own points on a ring, as many as their weight says; a key belongs to the next point. An endpoint
 * that has its bound of requests under way, `ceil((1 + ε) × mean × share)`, is passed over for the next on the ring, so
 * one hot key cannot drown one endpoint. When an endpoint goes, only its keys move.
 */
import type { Clock } from '../../kernel/clock.ts';
import { hashNumber, hashString } from '../../kernel/hash.ts';
import { type Balancer, type Candidate, isEligible, type Tried } from './candidate.ts';
import { drawAmong } from './draw.ts';

/** Points for each unit of weight, where the ring has room: loads come out within some 6 %. */
const POINTS_PER_WEIGHT = 256;
const POINTS_MAX = 32_768;

/** See the file's head. */
export class HashBalancer implements Balancer {
  readonly #candidates: readonly Candidate[];
  readonly #clock: Clock;
  readonly #factor: number;
  /** Where the points are, ascending; whose they are; and the how-manieth of its endpoint. */
  #points = new Uint32Array(0);
  #owners = new Uint32Array(0);
  #ordinals = new Uint32Array(0);
  /** Points of each endpoint on the ring, and how many of them count now (fewer during a slow start). */
  #built: Uint32Array;
  #active: Uint32Array;
  #scale = 0;

  /** `boundedLoad`: ε, how far above the mean an endpoint may be loaded (0.25 is 25 %). */
  constructor(candidates: readonly Candidate[], boundedLoad: number, clock: Clock) {
    this.#candidates = candidates;
    this.#clock = clock;
    this.#factor = 1 + boundedLoad;
    this.#built = new Uint32Array(candidates.length);
    this.#active = new Uint32Array(candidates.length);
    this.#build();
  }

  pick(key: string | number | undefined, tried: Tried): Candidate | undefined {
    const candidates = this.#candidates;
    let inflight = 0;
    let weight = 0;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i] as Candidate;
      if (!isEligible(candidate, tried)) continue;
      inflight += candidate.inflight;
      weight += candidate.weight;
    }
    if (weight === 0) return undefined;
    const boundPerWeight = (this.#factor * (inflight + 1)) / weight;
    const count = this.#points.length;
    const start = this.#locate(key);
    for (let step = 0; step < count; step++) {
      const at = start + step < count ? start + step : start + step - count;
      const owner = this.#owners[at] as number;
      if ((this.#ordinals[at] as number) >= (this.#active[owner] as number)) continue;
      const candidate = candidates[owner] as Candidate;
      if (isEligible(candidate, tried) && candidate.inflight < Math.ceil(boundPerWeight * candidate.weight)) {
        return candidate;
      }
    }
    // Bounds add up to more than what is under way, so only a weight that nobody told of (`changed`) leads here.
    return drawAmong(candidates, tried, this.#clock.random());
  }

  changed(): void {
    for (const [i, { weight }] of this.#candidates.entries()) {
      const points = pointsFor(weight, this.#scale);
      if (points > (this.#built[i] as number)) {
        this.#build();
        return;
      }
      this.#active[i] = points;
    }
  }

  #locate(key: string | number | undefined): number {
    const hash =
      typeof key === 'string'
        ? hashString(key)
        : hashNumber(key === undefined ? this.#clock.random() * 0x1_0000_0000 : key);
    const points = this.#points;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((points[middle] as number) < hash) low = middle + 1;
      else high = middle;
    }
    return low === points.length ? 0 : low;
  }

  #build(): void {
    const sum = this.#candidates.reduce((total, { weight }) => total + weight, 0);
    // A power of two, so that it rarely changes with the endpoints: when it does, half the points go or come.
    this.#scale = POINTS_PER_WEIGHT;
    while (this.#scale * sum > POINTS_MAX) this.#scale /= 2;
    const points: { hash: number; owner: number; ordinal: number }[] = [];
    for (const [owner, { id, weight }] of this.#candidates.entries()) {
      const seed = hashString(id);
      this.#built[owner] = pointsFor(weight, this.#scale);
      this.#active[owner] = this.#built[owner] as number;
      for (let ordinal = 0; ordinal < (this.#built[owner] as number); ordinal++) {
        points.push({ hash: hashNumber(ordinal, seed), owner, ordinal });
      }
    }
    // At a collision the name decides, never the place in the list.
    const idOf = (owner: number) => this.#candidates[owner]?.id ?? '';
    points.sort((a, b) => a.hash - b.hash || (idOf(a.owner) < idOf(b.owner) ? -1 : 1));
    this.#points = Uint32Array.from(points, (point) => point.hash);
    this.#owners = Uint32Array.from(points, (point) => point.owner);
    this.#ordinals = Uint32Array.from(points, (point) => point.ordinal);
  }
}

function pointsFor(weight: number, scale: number): number {
  return weight > 0 ? Math.max(1, Math.round(weight * scale)) : 0;
}
