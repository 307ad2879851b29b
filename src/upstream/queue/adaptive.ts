/**
 * A limit of concurrency, found by the time to the first token. What Envoy's adaptive concurrency filter and Netflix's Gradient2
 * do with the whole response time: the gradient is (1 + tolerance) / (time now / time at rest), between 0.5 and 2 (Envoy), the
 * limit becomes gradient × limit + headroom, smoothed by 0.2 (Netflix). A server that answers in streams is at work long after
 * its first token, so all other requests would be measured by how much they write. A long prompt takes longer than a short
 * one by itself: each is compared with what its like take at rest (rest.ts), so that other traffic is not taken for load.
 * Requests that the server has turned away, or not answered in time, make the limit fall by their share.
 */
import type { AdaptiveConfig } from './config.ts';
import { median, RestTimes } from './rest.ts';

/** Samples that make a window, and how long it is at least (Envoy: 100 ms), in milliseconds. */
const WINDOW_SAMPLES = 20;
const WINDOW_MS = 100;
/** A window that is not full after this long counts all the same, by as much as it has. */
const WINDOW_MOST_MS = 10_000;
/** Samples that tell what rest is (Envoy: 50, of both measurements). */
const PROBE_SAMPLES = 30;
/** Netflix: how much of a new limit counts. */
const SMOOTHING = 0.2;
/** Envoy: windows at the floor before the time at rest is measured anew. */
const FLOOR_WINDOWS = 5;
/** Windows faster than rest can be, before that is rest. */
const FASTER_WINDOWS = 3;
/** Envoy: by how much the time between two measurements is spread. */
const JITTER = 0.15;
/** Headroom in units of √limit. Netflix takes 1; each request too many costs all others of a model server their pace. */
const HEADROOM = 0.5;
/** A measurement at rest that has not ended by then is given up, in milliseconds. */
const PROBE_MOST_MS = 30_000;
/** The load is halved again as long as the time falls at least to this part. */
const LESS = 0.85;
/** The first measurement; the following ones twice as late each, until it is `probeEvery`. */
const FIRST_PROBE_MS = 5000;
/** Half the load costs half the goodput where answers are long: at most a tenth of the time is spent so. */
const PROBE_REST = 10;

/** What can be seen of a limit. */
export interface AdaptiveState {
  limit: number;
  /** The same, a measurement at rest left aside. */
  found: number;
  gradient: number;
  /** Time to the first token at rest of requests as they came lately, and what they took; milliseconds, 0: not known yet. */
  minRttMs: number;
  rttMs: number;
  probing: boolean;
}

/** See the file's head. Times are monotonic milliseconds. */
export class AdaptiveLimit {
  #config: AdaptiveConfig;
  readonly #random: () => number;
  readonly #rest = new RestTimes();
  #limit: number;
  #gradient = 1;
  #minRtt = 0;
  #rtt = 0;
  /** Of this window: milliseconds, and how large the prompts were (`sizeClass`). */
  #times: number[] = [];
  #classes: number[] = [];
  #refused = 0;
  #since: number;
  /** Most requests under way in this window. */
  #peak = 0;
  #atFloor = 0;
  #faster = 0;
  #probeAt: number;
  #probeEvery = FIRST_PROBE_MS;
  #probeBegan = 0;
  /** Of this measurement: how many times what it was at rest it took, before the load was halved again. */
  #slowest = Number.POSITIVE_INFINITY;
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
    this.#probeAt = now + this.#spread(Math.min(FIRST_PROBE_MS, config.probeEvery));
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
    const found = Math.floor(this.#back > 0 ? this.#back : this.#limit);
    return {
      limit,
      found,
      gradient: this.#gradient,
      minRttMs: this.#minRtt,
      rttMs: this.#rtt,
      probing: this.#back > 0,
    };
  }

  /** Requests that are under way. */
  seen(inflight: number): void {
    if (inflight > this.#peak) this.#peak = inflight;
  }

  /**
   * First tokens have come. `samples`: pairs of milliseconds and `sizeClass` of the prompt; `refused`: requests that the server
   * has turned away; `inflight`: requests under way. Whether the limit may be another now.
   */
  measured(samples: readonly number[], refused: number, inflight: number, now: number): boolean {
    this.seen(inflight);
    const probing = this.#back > 0;
    if (this.#settling) {
      // What began under more load says nothing about rest.
      if (inflight <= this.#limit) {
        this.#settling = false;
        this.#begin(now);
      }
    } else {
      this.#refused += refused;
      for (let i = 0; i < samples.length; i += 2) {
        this.#times.push(samples[i] as number);
        this.#classes.push(samples[i + 1] as number);
      }
    }
    const count = this.#times.length + this.#refused;
    const age = now - this.#since;
    if (probing) {
      const late = now - this.#since > PROBE_MOST_MS;
      if (!late && (this.#settling || age < WINDOW_MS || count < PROBE_SAMPLES)) return false;
      if (this.#settling || this.#times.length < WINDOW_SAMPLES) this.#resume(now);
      else if (!this.#deeper()) {
        this.#rest.measured(this.#times, this.#classes);
        this.#resume(now);
      }
    } else {
      if (count === 0 || age < WINDOW_MS || (count < WINDOW_SAMPLES && age < WINDOW_MOST_MS)) return false;
      this.#window(now, count);
    }
    this.#begin(now);
    return true;
  }

  #window(now: number, count: number): void {
    const before = this.#limit;
    const { ratio, known } = this.#rest.compare(this.#times, this.#classes);
    if (this.#times.length > 0) {
      this.#rtt = median(this.#times);
      this.#minRtt = this.#rtt / ratio;
    }
    // So few have come that the server was at rest anyway: no need to measure it apart.
    const idle = this.#peak <= before / 2;
    if (idle) this.#rest.drift(this.#times, this.#classes);
    const { tolerance, min, probeEvery } = this.#config;
    this.#faster = ratio < 1 / (1 + tolerance) ? this.#faster + 1 : 0;
    if (this.#faster >= FASTER_WINDOWS) {
      this.#faster = 0;
      this.#rest.scale(ratio);
    }
    this.#gradient = Math.max(0.5, Math.min(2, (1 + tolerance) / ratio)) * (1 - this.#refused / count);
    const target = this.#gradient * before + Math.sqrt(before) * HEADROOM;
    // What nobody has used up says nothing about how much more would be possible (Netflix).
    if (target <= before || this.#peak >= before / 2) {
      const weight = SMOOTHING * Math.min(1, count / WINDOW_SAMPLES);
      this.#limit = this.#clamp(before * (1 - weight) + target * weight);
    }
    this.#atFloor = this.#limit <= min ? this.#atFloor + 1 : 0;
    // Prompts as there were none before: what they take at rest is a guess.
    if (!known) this.#probeAt = Math.min(this.#probeAt, now + this.#spread(Math.min(FIRST_PROBE_MS, probeEvery)));
    if (idle && known) this.#probeAt = Math.max(this.#probeAt, now + this.#spread(FIRST_PROBE_MS));
    else if (now >= this.#probeAt || this.#atFloor >= FLOOR_WINDOWS) this.#probe(now);
  }

  /** Half the load, until enough has been measured under it. */
  #probe(now: number): void {
    this.#atFloor = 0;
    this.#probeBegan = now;
    this.#slowest = Number.POSITIVE_INFINITY;
    this.#back = this.#limit;
    this.#limit = this.#clamp(this.#limit / 2);
    this.#settling = true;
    this.#since = now;
  }

  /** Slower than it was at rest: perhaps this is still more than the server can do. Then half of it must be faster. */
  #deeper(): boolean {
    const { ratio } = this.#rest.compare(this.#times, this.#classes);
    const { tolerance, min } = this.#config;
    if (ratio <= 1 + tolerance || ratio > this.#slowest * LESS || this.#limit <= min) return false;
    this.#slowest = ratio;
    this.#limit = this.#clamp(this.#limit / 2);
    this.#settling = true;
    return true;
  }

  #resume(now: number): void {
    this.#limit = this.#back;
    this.#back = 0;
    this.#settling = false;
    this.#probeEvery = Math.min(this.#config.probeEvery, this.#probeEvery * 2);
    this.#probeAt = now + this.#spread(Math.max(this.#probeEvery, PROBE_REST * (now - this.#probeBegan)));
  }

  #begin(now: number): void {
    this.#since = now;
    this.#times = [];
    this.#classes = [];
    this.#refused = 0;
    this.#peak = 0;
  }

  #spread(ms: number): number {
    return ms * (1 + (this.#random() * 2 - 1) * JITTER);
  }

  #clamp(limit: number): number {
    return Math.max(this.#config.min, Math.min(this.#config.max, limit));
  }
}
