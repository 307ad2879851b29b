/**
 * Admits as many requests a second as the processors can carry, while they are too busy: the system rule of Sentinel
 * (`SystemRuleManager`) and the limiter of Kratos (`aegis/ratelimit/bbr`) for a proxy of streams. Those admit what is under
 * way ≤ most passed in a second × least round trip. Here the round trip is the model's, so Little's law is applied to the
 * processor instead (the utilization law of Denning and Buzen: busy share = rate × own time of a request): what came in
 * within a second, times `cpu` by the share that was busy, is the rate at which the processor would be just that busy.
 * Why: decisions/016-system-rule.md.
 */
import type { Clock } from '../../kernel/clock.ts';
import { Bucket } from './bucket.ts';
import type { OverloadConfig } from './config.ts';

/** What it goes by: shares from 0 to 1, and the smoothed delay of the event loop in milliseconds. */
export interface SystemReadings {
  cpu: { worker: number; quota: number; machine: number };
  loopDelayMs: number;
}

/** What can be seen of it. */
export interface SystemState {
  /** Requests a second that are admitted; 0: as many as come. */
  rate: number;
  /** Smoothed shares. */
  cpu: { worker: number; quota: number; machine: number };
  /** Processor time of a request, in milliseconds, streams included; 0: not known. */
  ownTimeMs: number;
  /** Requests that were refused or, under `observe`, would have been, since the state before. */
  refused: number;
}

/** What it goes by. */
export type SystemReason = 'cpu' | 'loopDelay';

/** Weight of the newest share: about a second counts. */
const NEWEST = 0.3;
/** Readings of which the best is remembered: ten seconds. */
const REMEMBERED = 40;
/** It gives way below this part of `cpu`, and of `loopDelay`: between that and the threshold it stays as it is. */
const CALM_CPU = 0.9;
const CALM_DELAY = 0.5;
/** How much faster with each calm reading: about twice as fast after two seconds. */
const FASTER = 1.08;
const MORE = 1.02;
/** How many times the best second of the last ten it takes at most. */
const MOST_GROWTH = 4;
/** A second is never cut by more than this for its delay. */
const SHARPEST = 0.5;
/** Calm readings in a row without a refusal, after which it is over. */
const OVER = 40;
/** Readings without fewer under way, after which that is no more waited for. */
const PATIENCE = 8;

/** See the file's head. Sampled every 250 ms. */
export class SystemRule {
  readonly #clock: Clock;
  #config: OverloadConfig['system'];
  /** Of all routes, the highest. */
  #top = 0;
  #reserve = 0;
  /** Requests admitted since the last reading. */
  passed = 0;
  /** Requests a second that came in, smoothed as the shares are: one by the other is the own time of a request. */
  #lately = 0;
  readonly #rates = new Float64Array(REMEMBERED);
  #readings = 0;
  readonly #cpu = { worker: 0, quota: 0, machine: 0 };
  /** Requests a second; 0: not in force. */
  #rate = 0;
  /** Requests that may be under way, at least `minUnderWay`; infinite: not known yet. */
  #most = Number.POSITIVE_INFINITY;
  /** Requests that were under way when others came, since the last reading: their sum, and how many came. */
  #sum = 0;
  #asked = 0;
  /** Their mean: a single look says little where requests are short. */
  #underWay = 0;
  /** The fewest under way since more than `#most` are, and readings since it was less. */
  #fewest = Number.POSITIVE_INFINITY;
  #stalled = 0;
  #because: SystemReason = 'cpu';
  #calm = 0;
  #refused = 0;
  /** What comes in; and of that, what comes in though more are under way than may be. */
  readonly #bucket = new Bucket();
  readonly #beyond = new Bucket();

  constructor(clock: Clock, config: OverloadConfig['system']) {
    this.#clock = clock;
    this.#config = config;
  }

  /** `top`: the highest importance of all routes; `shedFrom`: as of `overload`. */
  configure(config: OverloadConfig['system'], top: number, shedFrom: number): void {
    this.#config = config;
    this.#top = top;
    this.#reserve = 1 - shedFrom;
    if (config.mode === 'off') this.end();
  }

  /** It is in force no more. */
  end(): void {
    this.#rate = 0;
  }

  /** It is in force: every request has to ask. */
  get holds(): boolean {
    return this.#rate > 0;
  }

  /** Why a request of this importance is not to come in, if so; `underWay`: requests that are here, itself included. */
  refusal(priority: number, underWay: number): SystemReason | undefined {
    const { minPerSecond, mode } = this.#config;
    this.#sum += underWay - 1;
    this.#asked++;
    const now = this.#clock.now();
    // The less important leave a part to the others.
    const less = this.#top === 0 ? 0 : 1 - Math.min(1, priority / this.#top);
    const beyond = underWay > this.#most * (1 - this.#reserve * less);
    this.#bucket.fill(now, this.#rate);
    this.#beyond.fill(now, minPerSecond);
    if (
      this.#bucket.has(this.#rate, less, this.#reserve) &&
      (!beyond || this.#beyond.has(minPerSecond, less, this.#reserve))
    ) {
      this.#bucket.tokens--;
      if (beyond) this.#beyond.tokens--;
      return undefined;
    }
    this.#refused++;
    this.#calm = 0;
    return mode === 'enforce' ? this.#because : undefined;
  }

  /** Takes a reading in; `periodMs`: time since the one before. */
  sample({ cpu, loopDelayMs }: SystemReadings, periodMs: number): SystemState {
    const config = this.#config;
    for (const one of ['worker', 'quota', 'machine'] as const) this.#cpu[one] += NEWEST * (cpu[one] - this.#cpu[one]);
    this.#lately += NEWEST * ((this.passed * 1000) / periodMs - this.#lately);
    this.passed = 0;
    if (this.#asked > 0) this.#underWay = this.#sum / this.#asked;
    this.#sum = 0;
    this.#asked = 0;
    this.#rates[this.#readings++ % REMEMBERED] = this.#lately;
    // What runs in the same control group is ours; the rest of the machine is not ours to relieve.
    const own = Math.max(this.#cpu.worker, this.#cpu.quota);
    if (config.mode !== 'off') this.#decide(own, Math.max(own, this.#cpu.machine), loopDelayMs);
    const { worker, quota, machine } = this.#cpu;
    const refused = this.#refused;
    this.#refused = 0;
    const ownTimeMs = this.#lately > 0.1 ? (this.#cpu.worker / this.#lately) * 1000 : 0;
    return { rate: this.#rate, cpu: { worker, quota, machine }, ownTimeMs, refused };
  }

  #decide(own: number, busiest: number, delayMs: number): void {
    const { cpu, loopDelay, minPerSecond, minUnderWay } = this.#config;
    const slow = delayMs > loopDelay;
    const over = busiest > cpu || slow;
    if (over) {
      this.#because = slow ? 'loopDelay' : 'cpu';
      this.#calm = 0;
      if (this.#rate === 0) this.#begin();
    }
    if (this.#rate === 0) return;
    const part = Math.max(SHARPEST, Math.min(own > cpu ? cpu / own : 1, slow ? Math.sqrt(loopDelay / delayMs) : 1));
    if (part < 1) {
      if (this.#waits()) return;
      this.#rate = Math.max(minPerSecond, Math.min(this.#rate, this.#lately * part));
      this.#most = Math.max(minUnderWay, Math.min(this.#most, this.#underWay * part));
    } else if (own < cpu * CALM_CPU && delayMs < loopDelay * CALM_DELAY) {
      // A machine that others keep busy is not relieved by refusing: then only sudden growth is held back.
      const room = cpu / Math.max(own, 0.001);
      this.#rate = Math.min(Math.max(this.#rate * FASTER, this.#lately * room), MOST_GROWTH * this.#best());
      this.#most = Math.max(this.#most * MORE, this.#underWay * room);
      if (busiest < cpu * CALM_CPU && ++this.#calm >= OVER) this.#rate = 0;
    }
    if (this.#rate > 0) this.#rate = Math.max(this.#rate, minPerSecond);
  }

  /** What was too many is still under way, and becomes less: that has been answered, and what comes of it is to be waited for. */
  #waits(): boolean {
    if (this.#underWay <= this.#most) {
      this.#fewest = Number.POSITIVE_INFINITY;
      return false;
    }
    if (this.#underWay < this.#fewest) {
      this.#fewest = this.#underWay;
      this.#stalled = 0;
      return true;
    }
    return ++this.#stalled < PATIENCE;
  }

  /** What a second has carried it can carry. */
  #begin(): void {
    this.#rate = Math.max(this.#best(), this.#config.minPerSecond);
    this.#most = Number.POSITIVE_INFINITY;
    this.#fewest = Number.POSITIVE_INFINITY;
    this.#bucket.begin(this.#clock.now(), this.#rate);
    this.#beyond.begin(this.#clock.now(), this.#config.minPerSecond);
  }

  #best(): number {
    let best = 0;
    for (const rate of this.#rates) if (rate > best) best = rate;
    return best;
  }
}
