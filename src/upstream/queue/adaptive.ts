/**
 * A limit of concurrency, found by the time to the first token. What Envoy's adaptive concurrency filter and Netflix's Gradient2
 * do with the whole response time: the gradient is (time at rest × (1 + tolerance)) / time now, between 0.5 and 2 (Envoy), the
 * limit becomes gradient × limit + headroom, smoothed by 0.2 (Netflix). The time at rest is measured anew every now and then, and
 * when the limit has lain on its floor five times in a row (Envoy). A server that answers in streams is at work long after
 * its first token, so all other requests would be measured by how much they write.
 */
import type { AdaptiveConfig } from './config.ts';

/** Samples that make a window (Netflix's windowed limit: 10), and how long it is at least (Envoy: 100 ms), in milliseconds. */
const WINDOW_SAMPLES = 10;
const WINDOW_MS = 100;
/** A window that is not full after this long counts all the same, if it has any sample. */
const WINDOW_MOST_MS = 10_000;
/** Netflix: how much of a new limit counts. */
const SMOOTHING = 0.2;
/** Envoy: windows at the floor before the time at rest is measured anew. */
const FLOOR_WINDOWS = 5;
/** Envoy: by how much the time between two measurements is spread. */
const JITTER = 0.15;
/** Headroom in units of √limit. Netflix takes 1; each request too many costs all others of a model server their pace. */
const HEADROOM = 0.5;
/** A measurement at rest that has not ended by then is given up, in milliseconds. */
const PROBE_MOST_MS = 30_000;

/** What can be seen of a limit. */
export interface AdaptiveState {
  limit: number;
  gradient: number;
  /** Time to the first token at rest, and as last measured; milliseconds, 0: not known yet. */
  minRttMs: number;
  rttMs: number;
  probing: boolean;
}

/** See the file's head. Times are monotonic milliseconds. */
export class AdaptiveLimit {
  #config: AdaptiveConfig;
  readonly #random: () => number;
  #limit: number;
  #gradient = 1;
  #minRtt = 0;
  #rtt = 0;
  #samples: number[] = [];
  #since: number;
  /** Most requests under way in this window. */
  #peak = 0;
  #atFloor = 0;
  #probeAt: number;
  /** The limit to come back to; 0: nothing is measured at rest now. */
  #back = 0;
  /** Requests that began before the measurement are still under way. */
  #settling = false;

  /** `random`: a number in [0, 1). */
  constructor(config: AdaptiveConfig, now: number, random: () => number) {
    this.#config = config;
    this.#random = random;
    this.#limit = this.#clamp(config.initial);
    this.#since = now;
    this.#probeAt = this.#later(now);
  }

  /** Goes over to other bounds; what has been learned stays. */
  configure(config: AdaptiveConfig): void {
    this.#config = config;
    this.#limit = this.#clamp(this.#limit);
    if (this.#back > 0) this.#back = this.#clamp(this.#back);
  }

  /** Requests at once that are allowed now. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  get state(): AdaptiveState {
    const { limit } = this;
    return { limit, gradient: this.#gradient, minRttMs: this.#minRtt, rttMs: this.#rtt, probing: this.#back > 0 };
  }

  /** Requests that are under way. */
  seen(inflight: number): void {
    if (inflight > this.#peak) this.#peak = inflight;
  }

  /** First tokens have come after these many milliseconds; `inflight`: requests under way. Whether the limit may be another now. */
  measured(times: readonly number[], inflight: number, now: number): boolean {
    this.seen(inflight);
    if (this.#settling) {
      // What began under more load says nothing about rest.
      if (inflight <= this.#limit) {
        this.#settling = false;
        this.#begin(now);
      }
    } else for (const time of times) this.#samples.push(time);
    if (this.#back > 0 && now - this.#since > PROBE_MOST_MS) {
      this.#rest();
      this.#begin(now);
      return true;
    }
    const { length } = this.#samples;
    const age = now - this.#since;
    if (length === 0 || age < WINDOW_MS || (length < WINDOW_SAMPLES && age < WINDOW_MOST_MS)) return false;
    const rtt = Math.max(0.01, median(this.#samples));
    this.#window(rtt, now);
    this.#begin(now);
    return true;
  }

  #window(rtt: number, now: number): void {
    this.#rtt = rtt;
    if (this.#back > 0) {
      this.#minRtt = rtt;
      this.#rest();
      return;
    }
    if (this.#minRtt === 0 || rtt < this.#minRtt) this.#minRtt = rtt;
    this.#gradient = Math.max(0.5, Math.min(2, (this.#minRtt * (1 + this.#config.tolerance)) / rtt));
    const before = this.#limit;
    const target = this.#gradient * before + Math.sqrt(before) * HEADROOM;
    // What nobody has used up says nothing about how much more would be possible (Netflix).
    if (target <= before || this.#peak >= before / 2)
      this.#limit = this.#clamp(before * (1 - SMOOTHING) + target * SMOOTHING);
    this.#atFloor = this.#limit <= this.#config.min ? this.#atFloor + 1 : 0;
    if (now >= this.#probeAt || this.#atFloor >= FLOOR_WINDOWS) this.#probe();
  }

  /** Half the load, until a window has been measured under it. */
  #probe(): void {
    this.#atFloor = 0;
    this.#back = this.#limit;
    this.#limit = this.#clamp(this.#limit / 2);
    this.#settling = true;
  }

  #rest(): void {
    this.#limit = this.#back;
    this.#back = 0;
    this.#settling = false;
  }

  #begin(now: number): void {
    if (this.#back === 0 && now >= this.#probeAt) this.#probeAt = this.#later(now);
    this.#since = now;
    this.#samples = [];
    this.#peak = 0;
  }

  #later(now: number): number {
    return now + this.#config.probeEvery * (1 + (this.#random() * 2 - 1) * JITTER);
  }

  #clamp(limit: number): number {
    return Math.max(this.#config.min, Math.min(this.#config.max, limit));
  }
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}
