/**
 * Refuses work before a worker breaks down under it: the newest, and of that the least important first, after Envoy's
 * overload manager (scaled triggers: nothing below `shedFrom`, everything at the limit, in between by how far it has
 * come). What is under way is left alone. A request pays one comparison while all is well.
 */
import type { Clock, Timer } from '../../kernel/clock.ts';
import { GatehouseError } from '../../kernel/error.ts';
import type { Events } from '../../kernel/event.ts';
import { formatDuration } from '../../kernel/limit.ts';
import { type OverloadConfig, overloadConfig } from './config.ts';
import { SystemRule } from './system.ts';

/** What was read of the process. */
export interface Readings {
  /** Memory that is in use. */
  residentBytes: number;
  heapUsedBytes: number;
  /** Where the engine gives up. */
  heapLimitBytes: number;
  /** Mean delay of the event loop since the reading before. */
  loopDelayMs: number;
  /** Busy shares since the reading before: this process of one core, its control group of its quota, the machine. */
  cpu: { worker: number; quota: number; machine: number };
}

/** What an overload guard is made with. */
export interface OverloadParts {
  clock: Clock;
  events: Events;
  /** Reads the process; without it only requests are counted. */
  readings?: (() => Readings) | undefined;
  /** Frees memory that is no longer used, if that can be asked for. */
  collect?: (() => void) | undefined;
}

/** Share of the limit on all requests that is this worker's. */
export interface Share {
  /** Number of this worker, from 0, and how many there are. */
  slot: number;
  workers: number;
}

/** Between two readings. */
const SAMPLE_MS = 250;
/** Weight of the newest reading of the loop's delay: about a second counts. */
const NEWEST = 0.3;
/** A reading counts as at most this many times the limit, so that one long stop alone sheds nothing. */
const MOST = 2;
/** How much of the way back is gone with each reading: what has been refused comes back over about two seconds. */
const EASE = 0.125;
/** Shortest time between two requests to free memory, and how many times as long as the last one took it must be. */
const COLLECT_MS = 1000;
const COLLECT_REST = 20;
/** An overload is over when nothing has been refused for so long. */
const QUIET_MS = 5000;

const RESOURCES = ['memory', 'heap', 'loopDelay'] as const;
type Resource = 'requests' | 'system.cpu' | 'system.loopDelay' | (typeof RESOURCES)[number];
const WORDS: Readonly<Record<Resource, string>> = {
  'system.cpu': 'its processor is busy',
  'system.loopDelay': 'it answers late',
  requests: 'as many requests are under way as it takes',
  memory: 'its memory is nearly used up',
  heap: 'its memory is nearly used up',
  loopDelay: 'it is too busy',
};

/** The guard of one worker. */
export class Overload {
  readonly #parts: OverloadParts;
  #config: OverloadConfig | undefined = undefined;
  /** Requests this worker may have under way. */
  #limit = Number.POSITIVE_INFINITY;
  /** The highest priority that any route has: those get all of the limit. */
  #top = 0;
  /** As many under way harm nobody, as far as `requests` goes. */
  #free = Number.POSITIVE_INFINITY;
  /** The same while nothing else is short; else -1, so that there is one thing to compare. */
  #calm = Number.POSITIVE_INFINITY;
  readonly #system: SystemRule;
  #sampledAt = 0;
  /** Priorities below are refused because of what was read; 0: none, Infinity: all. */
  #below = 0;
  #because: Resource = 'memory';
  /** From 0 (nothing is shed) to 1 (everything is). */
  #state = 0;
  #delay = 0;
  #collectAt = 0;
  #timer: Timer | undefined = undefined;
  // The episode under way, for the log.
  #refused = 0;
  #told = 0;
  #beganAt = 0;
  #refusedAt = 0;

  constructor(parts: OverloadParts) {
    this.#parts = parts;
    this.#system = new SystemRule(parts.clock, overloadConfig.parse({}).system);
  }

  /** A configuration is in force; `priorities`: of all routes. Undefined: no limits. */
  configure(config: OverloadConfig | undefined, priorities: readonly number[], share: Share): void {
    this.#config = config;
    this.#top = Math.max(0, ...priorities);
    this.#limit = config === undefined ? Number.POSITIVE_INFINITY : limitOf(config, share);
    this.#free = config === undefined ? this.#limit : this.#limitFor(Math.min(this.#top, ...priorities));
    if (config !== undefined) this.#system.configure(config.system, this.#top, config.shedFrom);
    this.#settle();
    if (config === undefined) this.close();
    else this.#timer ??= this.#parts.clock.every(SAMPLE_MS, () => this.#sample());
  }

  /** Whether a request of this priority may come in, `underWay` being all that are here, itself included. */
  admit(priority: number, underWay: number): GatehouseError | undefined {
    if (underWay <= this.#calm) {
      this.#system.passed++;
      return undefined;
    }
    if (priority < this.#below) return this.#refuse(this.#because);
    if (underWay > this.#limitFor(priority)) return this.#refuse('requests');
    const busy = this.#system.holds ? this.#system.refusal(priority, underWay) : undefined;
    if (busy !== undefined) return this.#refuse(`system.${busy}`);
    this.#system.passed++;
    return undefined;
  }

  /** Stops reading. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#below = 0;
    this.#state = 0;
    this.#system.end();
    this.#settle();
  }

  #settle(): void {
    this.#calm = this.#below === 0 && !this.#system.holds ? this.#free : -1;
  }

  /** Requests that may be under way for one of this priority to come in: the most important may fill the limit. */
  #limitFor(priority: number): number {
    const config = this.#config;
    if (config === undefined || priority >= this.#top) return this.#limit;
    return Math.max(1, Math.round(this.#limit * (config.shedFrom + (1 - config.shedFrom) * (priority / this.#top))));
  }

  #refuse(resource: Resource): GatehouseError {
    const { clock } = this.#parts;
    const now = clock.now();
    if (this.#refused++ === 0) this.#beganAt = now;
    this.#refusedAt = now;
    const retryAfterMs = Math.round((this.#config?.retryAfter ?? 0) * (1 + clock.random()));
    return new GatehouseError('load_shed', `this gateway is overloaded: ${WORDS[resource]}`, {
      rule: `overload.${resource}`,
      retryAfterMs,
      fields: [
        ['Retry-After-Ms', String(retryAfterMs)],
        ['x-should-retry', 'true'],
      ],
    });
  }

  #sample(): void {
    this.#tell();
    const { readings, events } = this.#parts;
    const config = this.#config;
    if (readings === undefined || config === undefined) return;
    const { residentBytes, heapUsedBytes, heapLimitBytes, loopDelayMs, cpu } = readings();
    this.#delay += NEWEST * (Math.min(loopDelayMs, MOST * config.loopDelay) - this.#delay);
    const pressures = {
      memory: config.memory === undefined ? 0 : residentBytes / config.memory,
      heap: heapUsedBytes / (heapLimitBytes * Math.max(config.heap, 0.01)),
      loopDelay: this.#delay / config.loopDelay,
    };
    let most: (typeof RESOURCES)[number] = 'memory';
    for (const resource of RESOURCES) if (pressures[resource] > pressures[most]) most = resource;
    const from = Math.min(config.shedFrom, 0.999);
    const scaled = Math.min(1, Math.max(0, (pressures[most] - from) / (1 - from)));
    if (scaled >= this.#state - EASE) this.#because = most;
    this.#state = Math.max(scaled, this.#state - EASE);
    this.#below = this.#state >= 1 ? Number.POSITIVE_INFINITY : this.#state * this.#top;
    if (this.#state > 0 && most !== 'loopDelay') this.#shrink();
    const now = this.#parts.clock.now();
    const system = this.#system.sample({ cpu, loopDelayMs: this.#delay }, Math.max(1, now - this.#sampledAt));
    this.#sampledAt = now;
    this.#settle();
    events.emit('overload', { pressures, shedding: this.#state, system });
  }

  /** What nobody uses any more is only given back when somebody asks: without that, shedding might never end. */
  #shrink(): void {
    const { clock, collect } = this.#parts;
    const before = clock.now();
    if (before < this.#collectAt || collect === undefined) return;
    collect();
    const after = clock.now();
    this.#collectAt = after + Math.max(COLLECT_MS, COLLECT_REST * (after - before));
  }

  #tell(): void {
    if (this.#refused === 0) return;
    const { clock, events } = this.#parts;
    const now = clock.now();
    if (this.#told === 0) {
      this.#told = this.#refused;
      const message = 'overload: refusing requests; gatehouse_denied_total{code="load_shed"} counts them by limit';
      events.emit('notice', { level: 'warn', message, attributes: { refused: this.#refused } });
    } else if (now - this.#refusedAt >= QUIET_MS) {
      const lasted = formatDuration(Math.round(this.#refusedAt - this.#beganAt));
      const message = `overload: over after ${lasted}; ${this.#refused} requests were refused`;
      events.emit('notice', { level: 'info', message, attributes: { refused: this.#refused } });
      this.#refused = 0;
      this.#told = 0;
    }
  }
}

/** A worker's own limit: never more than its share of what all may have. */
function limitOf(config: OverloadConfig, { slot, workers }: Share): number {
  if (config.totalRequests === undefined) return config.requests;
  const even = Math.floor(config.totalRequests / workers) + (slot < config.totalRequests % workers ? 1 : 0);
  return Math.min(config.requests, Math.max(1, even));
}
