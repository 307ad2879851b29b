/** The upstreams of a worker: what an upstream's endpoints share, and which of them answers next. */
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Events } from '../kernel/event.ts';
import type { Deadlines } from '../socket/deadlines.ts';
import { dial } from '../socket/dial.ts';
import { type Balancer, createBalancer, type HashSource, hashSource, type Tried } from './balance/balance.ts';
import { type Home, LevelBalancer, rankLevels } from './balance/levels.ts';
import { Panic, pickInPanic } from './balance/panic.ts';
import { Ramp } from './balance/slowstart.ts';
import { BreakerWatch } from './breakerwatch.ts';
import { RetryBudget } from './budget.ts';
import { type Carried, carryOver } from './carry.ts';
import type { UpstreamConfig } from './config.ts';
import type { Endpoint } from './endpoint.ts';
import type { EndpointParts } from './endpointparts.ts';
import { compareOutliers } from './outlier.ts';
import { tlsOptions, type UpstreamParts } from './parts.ts';
import type { UpstreamQueue } from './queue/upstreamqueue.ts';
import { systemLookup } from './resolve.ts';
import type { WatchLimits } from './watch.ts';

export type { Endpoint } from './endpoint.ts';
export type { UpstreamParts } from './parts.ts';
export { speaksAgainstServer } from './replay.ts';
export type { AgentWord, AskProbe } from './standing.ts';

const NOWHERE: Home = { zone: undefined, region: undefined };

/** A named group of servers that give the same answers. */
export class Upstream {
  readonly name: string;
  readonly config: UpstreamConfig;
  readonly endpoints: readonly Endpoint[];
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** After how long without an answer a request is hedged, in milliseconds; 0: never. */
  readonly hedgeAfter: number;
  /** Where the key of the hash policy comes from; undefined for the other policies. */
  readonly hashSource: HashSource | undefined;
  /** Exchanges and retries under way. */
  readonly budget: RetryBudget;
  /** Statuses of answers that are thrown away for another try; undefined when there are none. */
  readonly retryStatuses: ReadonlySet<number> | undefined;
  /** What is watched in streams; undefined: nothing. */
  readonly watchLimits: WatchLimits | undefined;
  /** Where requests wait for a place; undefined: nothing limits the requests at once. */
  readonly queue: UpstreamQueue | undefined;
  #balancer: Balancer;
  /** Endpoints of the configuration before that stay, with the settings they are to have. */
  readonly #carried: Carried[];
  readonly #shared: EndpointParts;
  readonly #events: Events;
  #started = false;
  readonly #home: Home;
  /** Whether there was an upstream of this name before. */
  readonly #after: boolean;
  #levels: LevelBalancer | undefined = undefined;
  readonly #comparing: Timer | undefined;
  readonly #breakers: BreakerWatch;
  readonly #panic: Panic;
  readonly #ramp: Ramp;

  /**
   * Throws when the TLS settings cannot be used. `before`: the upstream of this name until now; endpoints that stay are
   * carried over with their connections, health, ejections and load. They serve `before` until `takeOver`.
   */
  constructor(name: string, config: UpstreamConfig, parts: UpstreamParts, before?: Upstream) {
    this.name = name;
    this.config = config;
    this.clock = parts.clock;
    this.deadlines = parts.deadlines;
    this.hedgeAfter = config.hedging === undefined ? 0 : config.hedging.after;
    this.hashSource = hashSource(config.balance);
    this.budget = new RetryBudget(config.retries.budget, before?.budget);
    this.retryStatuses = config.retries.statuses.length === 0 ? undefined : new Set(config.retries.statuses);
    const { firstToken, betweenTokens } = config.timeouts;
    const comments = config.keepAliveComments;
    this.watchLimits = firstToken + betweenTokens + comments > 0 ? { firstToken, betweenTokens, comments } : undefined;
    this.#events = parts.events;
    const shared: EndpointParts = {
      clock: parts.clock,
      events: parts.events,
      deadlines: parts.deadlines,
      lookup: parts.lookup ?? systemLookup,
      dial: parts.dial ?? dial,
      tls: tlsOptions(config, parts.readText),
      askProbe: parts.askProbe,
      mayEject: () => this.#mayEject(),
      changed: () => this.#changed(),
    };
    this.#shared = shared;
    this.#after = before !== undefined;
    const { endpoints, carried } = carryOver(name, config, shared, before?.endpoints ?? []);
    this.endpoints = endpoints;
    this.#carried = carried;
    this.#home = parts.home ?? NOWHERE;
    this.#balancer = this.#makeBalancer();
    this.#breakers = new BreakerWatch(endpoints);
    this.#panic = new Panic(config.panicThreshold, endpoints, (...news) => this.#tellPanic('', ...news));
    this.#ramp = new Ramp(parts.clock, config.slowStart, endpoints, () => this.#balancer.changed());
    this.#comparing = compareOutliers(parts.clock, config.passive, endpoints);
    this.queue = parts.queues?.of(name, config);
    if (before === undefined) this.#seat();
  }

  /** Resolves host names. Serving may start before; endpoints without an address then fail to connect. */
  async start(): Promise<void> {
    const old = new Set(this.#carried.map(({ endpoint }) => endpoint));
    await Promise.all(this.endpoints.filter((endpoint) => !old.has(endpoint)).map((endpoint) => endpoint.start()));
    // At the start there is nothing to take over from.
    if (!this.#after) this.#begin();
  }

  /** The upstream before is not asked any more: its endpoints get their new settings. */
  takeOver(): void {
    for (const { endpoint, index, to } of this.#carried.splice(0)) endpoint.adopt(index, to, this.config, this.#shared);
    // Made anew, for the places and weights it was made of have changed.
    this.#levels?.close();
    this.#balancer = this.#makeBalancer();
    this.#seat();
    this.#begin();
    this.#changed();
  }

  /** Gives the endpoints that have a limit their places. */
  #seat(): void {
    const { queue, config } = this;
    for (const [index, { maxConcurrency }] of config.endpoints.entries()) {
      const endpoint = this.endpoints[index] as Endpoint;
      const limited = maxConcurrency !== undefined || config.adaptive !== undefined;
      endpoint.seats = limited ? queue?.seats(endpoint.id) : undefined;
    }
    queue?.adopt(
      config,
      () => this.#usable(),
      () => this.down,
    );
  }

  /** Names of the endpoints that a request may be sent to, if there is a place. */
  #usable(): string[] {
    const all = (this.#panic.all ?? this.endpoints) as readonly Endpoint[];
    const panic = this.#panic.all !== undefined;
    return all.filter(({ available, weight }) => (panic || available) && weight > 0).map(({ id }) => id);
  }

  /** No endpoint is healthy and may be used. */
  get down(): boolean {
    return !this.endpoints.some(({ available, weight }) => available && weight > 0);
  }

  /** Whether only the wait for a place keeps a request from being sent. `tried` may be used again. */
  get full(): boolean {
    let full = false;
    const panic = this.#panic.all !== undefined;
    for (const endpoint of this.endpoints) {
      if (!(endpoint.available || panic) || endpoint.weight <= 0) continue;
      if (endpoint.hasRoom) return false;
      full ||= endpoint.seats !== undefined;
    }
    return full;
  }

  /** From now on it is in use. */
  #begin(): void {
    this.#started = true;
    this.#tellLevels();
  }

  #makeBalancer(): Balancer {
    const { config, clock } = this;
    const endpoints = this.endpoints as Endpoint[];
    const ranks = rankLevels(config.endpoints, this.#home);
    this.#levels = undefined;
    if (!ranks.some((rank) => rank > 0)) return createBalancer(config.balance, endpoints, clock);
    const weights = config.endpoints.map(({ weight }) => weight);
    this.#levels = new LevelBalancer(
      config,
      endpoints,
      ranks,
      weights,
      clock,
      () => this.#tellLevels(),
      (level, ...news) => this.#tellPanic(` level ${level}`, ...news),
    );
    return this.#levels;
  }

  /** It never came into force: what is not carried over closes. */
  abandon(): void {
    this.#comparing?.cancel();
    this.#levels?.close();
    const kept = new Set(this.#carried.splice(0).map(({ endpoint }) => endpoint));
    for (const endpoint of this.endpoints) if (!kept.has(endpoint)) endpoint.close();
  }

  /**
   * The endpoint for the next try. `key`: what the hash policy hashes; `tried`: the endpoints that have been tried
   * already. Undefined when none may be used.
   */
  pick(key: string | undefined, tried: Tried): Endpoint | undefined {
    if (this.#breakers.broken > 0) {
      const probe = this.#breakers.probe(tried, this.clock.now());
      if (probe !== undefined) return probe;
    }
    const { all } = this.#panic;
    if (all !== undefined) {
      const open = this.queue === undefined ? all : (all as readonly Endpoint[]).filter(({ hasRoom }) => hasRoom);
      return pickInPanic(open, tried, this.clock) as Endpoint | undefined;
    }
    const endpoint = this.#balancer.pick(key, tried) as Endpoint | undefined;
    return endpoint === undefined || endpoint.hasRoom ? endpoint : this.#besides(endpoint, key, tried);
  }

  /** Where only the probe of a breaker may find an endpoint: resolves when it is known who sends it. Else undefined. */
  probeDecision(): Promise<undefined> | undefined {
    if (this.#breakers.broken === 0 || this.#panic.all !== undefined || this.hasBesides([])) return undefined;
    return this.#breakers.decision(this.clock);
  }

  /** Another endpoint than one that has all the requests it may have. */
  #besides(full: Endpoint, key: string | undefined, tried: Tried): Endpoint | undefined {
    const out = tried === undefined ? [full.index] : [...tried, full.index];
    for (;;) {
      const endpoint = this.#balancer.pick(key, out) as Endpoint | undefined;
      if (endpoint === undefined || endpoint.hasRoom) return endpoint;
      out.push(endpoint.index);
    }
  }

  /** Whether an endpoint may be chosen that is not in `tried`. */
  hasBesides(tried: readonly number[]): boolean {
    return this.endpoints.some(({ available, weight, index }) => available && weight > 0 && !tried.includes(index));
  }

  /** What active health checks say of one endpoint; unknown names are ignored. */
  setHealth(endpointId: string, healthy: boolean, reason: string): void {
    for (const endpoint of this.endpoints) if (endpoint.id === endpointId) endpoint.setHealthy(healthy, reason);
  }

  /** The endpoint of this name. */
  endpoint(endpointId: string): Endpoint | undefined {
    return this.endpoints.find(({ id }) => id === endpointId);
  }

  /** When trying again may find an endpoint, in milliseconds. */
  retryAfter(): number {
    return this.#breakers.retryAfter(this.clock.now());
  }

  /** Takes no new requests; connections close as they become free. What `after` has carried over goes on there. */
  close(after?: Upstream): void {
    this.#ramp.cancel();
    this.#comparing?.cancel();
    for (const endpoint of this.endpoints) if (!after?.endpoints.includes(endpoint)) endpoint.close();
    this.#levels?.close();
    if (after === undefined) this.queue?.strand();
  }

  /** Says nothing before it is in use: a configuration that is tried may still be refused. */
  #tellLevels(): void {
    if (this.#started)
      this.#events.emit('levelsChanged', { upstream: this.name, levels: this.#levels?.states() ?? [] });
  }

  #tellPanic(where: string, panic: boolean, available: number, of: number): void {
    if (panic) this.#events.emit('fault', { kind: 'panic', where: this.name });
    const what = panic
      ? `panic: only ${available} of ${of} endpoints are available, so all are used`
      : `panic is over: ${available} of ${of} endpoints are available`;
    this.#events.emit('notice', { level: panic ? 'error' : 'info', message: `upstream ${this.name}${where}: ${what}` });
  }

  #mayEject(): boolean {
    const out = this.endpoints.filter(({ standing }) => standing.ejected).length;
    return out + 1 <= this.endpoints.length * this.config.passive.maxEjected;
  }

  #changed(): void {
    this.#breakers.count();
    // Levels judge their own.
    this.#panic.judge(this.#levels !== undefined);
    this.#ramp.start();
    this.#balancer.changed();
    this.queue?.changed();
  }
}
