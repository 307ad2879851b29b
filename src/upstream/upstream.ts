/** The upstreams of a worker: what an upstream's endpoints share, and which of them answers next. */
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Events } from '../kernel/event.ts';
import type { Deadlines } from '../socket/deadlines.ts';
import {
  type Balancer,
  createBalancer,
  effectiveWeight,
  type HashSource,
  hashSource,
  type Tried,
} from './balance/balance.ts';
import { type Home, LevelBalancer, rankLevels } from './balance/levels.ts';
import type { UpstreamConfig } from './config.ts';
import { Endpoint } from './endpoint.ts';
import { type Lookup, systemLookup } from './resolve.ts';

/** Retries that are always allowed, however few requests are under way (Envoy's `min_retry_concurrency`). */
const MIN_RETRIES = 3;
/** How often weights are raised during slow start, as a share of its duration. */
const SLOW_START_STEPS = 20;

const NOWHERE: Home = { zone: undefined, region: undefined };

/** What upstreams are given from outside. */
export interface UpstreamParts {
  clock: Clock;
  events: Events;
  deadlines: Deadlines;
  /** Text of a file that the configuration names. */
  readText: (path: string) => string;
  /** Resolver for host names; the system's when left out. */
  lookup?: Lookup;
  /** Where this gateway stands; nowhere in particular when left out. */
  home?: Home;
}

/** A named group of servers that give the same answers. */
export class Upstream {
  readonly name: string;
  readonly config: UpstreamConfig;
  readonly endpoints: readonly Endpoint[];
  readonly clock: Clock;
  /** Where the key of the hash policy comes from; undefined for the other policies. */
  readonly hashSource: HashSource | undefined;
  /** Exchanges under way. */
  active = 0;
  /** Retries under way. */
  retrying = 0;
  readonly #balancer: Balancer;
  readonly #events: Events;
  #started = false;
  readonly #levels: LevelBalancer | undefined = undefined;
  #ramp: Timer | undefined = undefined;

  /** Throws when the TLS settings cannot be used. */
  constructor(name: string, config: UpstreamConfig, parts: UpstreamParts) {
    this.name = name;
    this.config = config;
    this.clock = parts.clock;
    this.#events = parts.events;
    this.hashSource = hashSource(config.balance);
    const shared = {
      clock: parts.clock,
      events: parts.events,
      deadlines: parts.deadlines,
      lookup: parts.lookup ?? systemLookup,
      tls: tlsOptions(config, parts.readText),
      mayEject: () => this.#mayEject(),
      changed: () => this.#changed(),
    };
    this.endpoints = config.endpoints.map((endpoint, index) => new Endpoint(index, endpoint, name, config, shared));
    const ranks = rankLevels(config.endpoints, parts.home ?? NOWHERE);
    if (ranks.some((rank) => rank > 0)) {
      const weights = this.endpoints.map((endpoint) => endpoint.fullWeight);
      const levels = new LevelBalancer(config, this.endpoints as Endpoint[], ranks, weights, parts.clock, () =>
        this.#tellLevels(),
      );
      this.#levels = levels;
      this.#balancer = levels;
    } else this.#balancer = createBalancer(config.balance, this.endpoints as Endpoint[], parts.clock);
  }

  /** Resolves host names. Serving may start before; endpoints without an address then fail to connect. */
  async start(): Promise<void> {
    this.#started = true;
    this.#tellLevels();
    await Promise.all(this.endpoints.map((endpoint) => endpoint.start()));
  }

  /**
   * The endpoint for the next try. `key`: what the hash policy hashes; `tried`: the endpoints that have been tried
   * already. Undefined when none may be used.
   */
  pick(key: string | undefined, tried: Tried): Endpoint | undefined {
    return this.#balancer.pick(key, tried) as Endpoint | undefined;
  }

  /** Whether one more retry keeps within the budget (Envoy's retry budget: a share of the active, at least three). */
  mayRetry(): boolean {
    return this.retrying < Math.max(MIN_RETRIES, Math.floor(this.active * this.config.retries.budget));
  }

  /** What active health checks say of one endpoint; unknown names are ignored. */
  setHealth(endpointId: string, healthy: boolean, reason: string): void {
    for (const endpoint of this.endpoints) if (endpoint.id === endpointId) endpoint.setHealthy(healthy, reason);
  }

  /** Takes no new requests; connections close as they become free. */
  close(): void {
    this.#ramp?.cancel();
    for (const endpoint of this.endpoints) endpoint.close();
    this.#levels?.close();
  }

  /** Says nothing before it is in use: a configuration that is tried may still be refused. */
  #tellLevels(): void {
    if (this.#started)
      this.#events.emit('levelsChanged', { upstream: this.name, levels: this.#levels?.states() ?? [] });
  }

  #mayEject(): boolean {
    const out = this.endpoints.filter((endpoint) => endpoint.ejected).length;
    return out + 1 <= this.endpoints.length * this.config.passive.maxEjected;
  }

  #changed(): void {
    this.#reweigh();
    const { slowStart } = this.config;
    if (slowStart > 0)
      this.#ramp ??= this.clock.every(Math.max(50, slowStart / SLOW_START_STEPS), () => this.#reweigh());
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

function tlsOptions(config: UpstreamConfig, readText: (path: string) => string): TlsOptions {
  const { tls } = config;
  const options: TlsOptions = { rejectUnauthorized: tls.verify };
  if (tls.ca !== undefined) options.ca = readText(tls.ca);
  if (tls.serverName !== undefined) options.servername = tls.serverName;
  if (tls.certificate !== undefined) options.cert = readText(tls.certificate);
  if (tls.key !== undefined) options.key = readText(tls.key);
  return options;
}
