/** The upstreams of a worker: what an upstream's endpoints share, and which of them answers next. */
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Events } from '../kernel/event.ts';
import type { Deadlines } from '../socket/deadlines.ts';
import { dial } from '../socket/dial.ts';
import {
  type Balancer,
  createBalancer,
  effectiveWeight,
  type HashSource,
  hashSource,
  pickInPanic,
  type Tried,
} from './balance/balance.ts';
import { type Home, LevelBalancer, rankLevels } from './balance/levels.ts';
import { type Carried, carryOver } from './carry.ts';
import type { UpstreamConfig } from './config.ts';
import type { Endpoint, EndpointParts } from './endpoint.ts';
import { successRateOutliers } from './outlier.ts';
import { tlsOptions, type UpstreamParts } from './parts.ts';
import { ProbeDecision, soonestAgain } from './probedecision.ts';
import { systemLookup } from './resolve.ts';
import type { WatchLimits } from './watch.ts';

export type { UpstreamParts } from './parts.ts';
export type { AgentWord } from './standing.ts';

/** Retries that are always allowed, however few requests are under way (Envoy's `min_retry_concurrency`). */
const MIN_RETRIES = 3;
/** How often weights are raised during slow start, as a share of its duration. */
const SLOW_START_STEPS = 20;

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
  /** Exchanges under way. */
  active = 0;
  /** Retries under way. */
  retrying = 0;
  /** Statuses of answers that are thrown away for another try; undefined when there are none. */
  readonly retryStatuses: ReadonlySet<number> | undefined;
  /** What is watched in streams; undefined: nothing. */
  readonly watchLimits: WatchLimits | undefined;
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
  /** Endpoints whose breaker is not closed. */
  #broken = 0;
  readonly #decision = new ProbeDecision();
  /** Whom panic chooses from; undefined when there is none. */
  #panic: readonly Endpoint[] | undefined = undefined;
  #ramp: Timer | undefined = undefined;

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
    this.#home = parts.home ?? { zone: undefined, region: undefined };
    this.#balancer = this.#makeBalancer();
    const { successRate, interval } = config.passive;
    if (successRate !== undefined) this.#comparing = parts.clock.every(interval, () => this.#compare());
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
    this.#begin();
    this.#changed();
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
    this.#levels = new LevelBalancer(config, endpoints, ranks, weights, clock, () => this.#tellLevels());
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
    if (this.#broken > 0) {
      const probe = this.#probe(tried);
      if (probe !== undefined) return probe;
    }
    if (this.#panic !== undefined) return pickInPanic(this.#panic, tried, this.clock) as Endpoint | undefined;
    const endpoint = this.#balancer.pick(key, tried) as Endpoint | undefined;
    return endpoint === undefined || endpoint.inflight < endpoint.maxInflight
      ? endpoint
      : this.#besides(endpoint, key, tried);
  }

  /** Where only the probe of a breaker may find an endpoint: resolves when it is known who sends it. Else undefined. */
  probeDecision(): Promise<undefined> | undefined {
    if (this.#broken === 0 || this.#panic !== undefined || this.hasBesides([])) return undefined;
    return this.#decision.ask(this.endpoints, this.clock);
  }

  /** An endpoint whose breaker lets this request through as its probe. */
  #probe(tried: Tried): Endpoint | undefined {
    const now = this.clock.now();
    for (const endpoint of this.endpoints) {
      const { standing } = endpoint;
      if (standing.breaker === undefined || standing.breaker.state !== 'open' || endpoint.weight <= 0) continue;
      if (tried?.includes(endpoint.index) || endpoint.inflight >= endpoint.maxInflight) continue;
      if (standing.takeProbe(now)) return endpoint;
    }
    return undefined;
  }

  /** Another endpoint than one that has all the requests its agent allows. */
  #besides(full: Endpoint, key: string | undefined, tried: Tried): Endpoint | undefined {
    const out = tried === undefined ? [full.index] : [...tried, full.index];
    for (;;) {
      const endpoint = this.#balancer.pick(key, out) as Endpoint | undefined;
      if (endpoint === undefined || endpoint.inflight < endpoint.maxInflight) return endpoint;
      out.push(endpoint.index);
    }
  }

  /** Whether an endpoint may be chosen that is not in `tried`. */
  hasBesides(tried: readonly number[]): boolean {
    return this.endpoints.some(({ available, weight, index }) => available && weight > 0 && !tried.includes(index));
  }

  /** Whether one more retry keeps within the budget (Envoy's retry budget: a share of the active, at least three). */
  mayRetry(): boolean {
    return this.retrying < Math.max(MIN_RETRIES, Math.floor(this.active * this.config.retries.budget));
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
    return soonestAgain(this.endpoints, this.clock.now());
  }

  /** Takes no new requests; connections close as they become free. What `after` has carried over goes on there. */
  close(after?: Upstream): void {
    this.#ramp?.cancel();
    this.#comparing?.cancel();
    for (const endpoint of this.endpoints) if (!after?.endpoints.includes(endpoint)) endpoint.close();
    this.#levels?.close();
  }

  /** Says nothing before it is in use: a configuration that is tried may still be refused. */
  #tellLevels(): void {
    if (this.#started)
      this.#events.emit('levelsChanged', { upstream: this.name, levels: this.#levels?.states() ?? [] });
  }

  #mayEject(): boolean {
    const out = this.endpoints.filter(({ standing }) => standing.ejected).length;
    return out + 1 <= this.endpoints.length * this.config.passive.maxEjected;
  }

  /** Ejects whose success rate lies far below that of the others, at the end of each interval. */
  #compare(): void {
    const { successRate } = this.config.passive;
    if (successRate === undefined) return;
    const counts = this.endpoints.map(({ standing }) => standing.outliers);
    for (const at of successRateOutliers(counts, successRate)) {
      const { good, requests } = counts[at] as (typeof counts)[number];
      this.endpoints[at]?.standing.eject(`only ${good} of ${requests} requests succeeded, far fewer than elsewhere`);
    }
    for (const count of counts) count.renew();
  }

  #changed(): void {
    this.#decision.decided();
    this.#broken = 0;
    for (const { standing } of this.endpoints)
      if (standing.breaker !== undefined && standing.breaker.state !== 'closed') this.#broken++;
    this.#judgePanic();
    this.#reweigh();
    const { slowStart } = this.config;
    if (slowStart > 0)
      this.#ramp ??= this.clock.every(Math.max(50, slowStart / SLOW_START_STEPS), () => this.#reweigh());
  }

  /**
   * Envoy's panic threshold: when so few endpoints are available that they could not bear the load, better all are used. An
   * endpoint whose breaker or agent says that it must be left alone is not.
   */
  #judgePanic(): void {
    const { panicThreshold } = this.config;
    if (panicThreshold === 0) return;
    const weighted = this.endpoints.filter(({ fullWeight }) => fullWeight > 0);
    const available = weighted.filter((endpoint) => endpoint.available).length;
    // With levels there is no panic while all of them together carry the load, as in Envoy.
    const panic = available < weighted.length * panicThreshold && this.#levels?.carries !== true;
    const before = this.#panic !== undefined;
    this.#panic = panic ? weighted.filter(({ standing }) => standing.usable) : undefined;
    if (panic === before) return;
    if (panic) this.#events.emit('fault', { kind: 'panic', where: this.name });
    const message = panic
      ? `panic: only ${available} of ${weighted.length} endpoints are available, so all are used`
      : `panic is over: ${available} of ${weighted.length} endpoints are available`;
    this.#events.emit('notice', { level: panic ? 'error' : 'info', message: `upstream ${this.name}: ${message}` });
  }

  #reweigh(): void {
    const now = this.clock.now();
    let ramping = false;
    for (const endpoint of this.endpoints) {
      endpoint.weight =
        endpoint.recoveredAt < 0
          ? endpoint.fullWeight
          : effectiveWeight(endpoint.fullWeight, endpoint.recoveredAt, this.config.slowStart, now);
      if (endpoint.weight !== endpoint.fullWeight) ramping = true;
    }
    this.#balancer.changed();
    if (!ramping) {
      this.#ramp?.cancel();
      this.#ramp = undefined;
    }
  }
}
