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
import type { EndpointConfig, UpstreamConfig } from './config.ts';
import { Endpoint, type EndpointParts } from './endpoint.ts';
import { type Lookup, systemLookup } from './resolve.ts';

/** Retries that are always allowed, however few requests are under way (Envoy's `min_retry_concurrency`). */
const MIN_RETRIES = 3;
/** How often weights are raised during slow start, as a share of its duration. */
const SLOW_START_STEPS = 20;

/** What upstreams are given from outside. */
export interface UpstreamParts {
  clock: Clock;
  events: Events;
  deadlines: Deadlines;
  /** Text of a file that the configuration names. */
  readText: (path: string) => string;
  /** Resolver for host names; the system's when left out. */
  lookup?: Lookup;
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
  #balancer: Balancer;
  /** Endpoints of the configuration before that stay, with the settings they are to have. */
  readonly #carried: { endpoint: Endpoint; index: number; to: EndpointConfig }[] = [];
  readonly #shared: EndpointParts;
  #ramp: Timer | undefined = undefined;

  /**
   * Throws when the TLS settings cannot be used. `before`: the upstream of this name until now; endpoints that stay are
   * carried over with their connections, health, ejections and load. They serve `before` until `takeOver`.
   */
  constructor(name: string, config: UpstreamConfig, parts: UpstreamParts, before?: Upstream) {
    this.name = name;
    this.config = config;
    this.clock = parts.clock;
    this.hashSource = hashSource(config.balance);
    const shared: EndpointParts = {
      clock: parts.clock,
      events: parts.events,
      deadlines: parts.deadlines,
      lookup: parts.lookup ?? systemLookup,
      tls: tlsOptions(config, parts.readText),
      mayEject: () => this.#mayEject(),
      changed: () => this.#changed(),
    };
    this.#shared = shared;
    const left = new Set(before?.endpoints);
    this.endpoints = config.endpoints.map((to, index) => {
      for (const endpoint of left) {
        if (!endpoint.isAt(to)) continue;
        left.delete(endpoint);
        if (!endpoint.trusts(shared.tls)) return new Endpoint(index, to, name, config, shared, endpoint);
        this.#carried.push({ endpoint, index, to });
        return endpoint;
      }
      return new Endpoint(index, to, name, config, shared);
    });
    this.#balancer = createBalancer(config.balance, this.endpoints as Endpoint[], parts.clock);
  }

  /** Resolves host names. Serving may start before; endpoints without an address then fail to connect. */
  async start(): Promise<void> {
    const old = new Set(this.#carried.map(({ endpoint }) => endpoint));
    await Promise.all(this.endpoints.filter((endpoint) => !old.has(endpoint)).map((endpoint) => endpoint.start()));
  }

  /** The upstream before is not asked any more: its endpoints get their new settings. */
  takeOver(): void {
    if (this.#carried.length === 0) return;
    for (const { endpoint, index, to } of this.#carried.splice(0)) endpoint.adopt(index, to, this.config, this.#shared);
    // Made anew, for the places and weights it was made of have changed.
    this.#balancer = createBalancer(this.config.balance, this.endpoints as Endpoint[], this.clock);
    this.#changed();
  }

  /** It never came into force: what is not carried over closes. */
  abandon(): void {
    const kept = new Set(this.#carried.splice(0).map(({ endpoint }) => endpoint));
    for (const endpoint of this.endpoints) if (!kept.has(endpoint)) endpoint.close();
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

  /** Takes no new requests; connections close as they become free. What `after` has carried over goes on there. */
  close(after?: Upstream): void {
    this.#ramp?.cancel();
    for (const endpoint of this.endpoints) if (!after?.endpoints.includes(endpoint)) endpoint.close();
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
