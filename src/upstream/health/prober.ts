/**
 * The active prober: one for all workers, in the supervisor. Probes each endpoint of each upstream that has `health`,
 * spread in time, and reports what changes.
 */
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { EndpointEvent } from '../../kernel/event.ts';
import { endpointName } from '../address.ts';
import type { EndpointConfig, UpstreamConfig } from '../config.ts';
import type { ProbeResult, ProbeTarget } from './probe.ts';
import { probe } from './probe.ts';
import type { HealthState, Thresholds } from './state.ts';
import { initialHealth, nextHealth } from './state.ts';

interface Watched {
  upstream: string;
  endpoint: string;
  url: string;
  target: ProbeTarget;
  thresholds: Thresholds;
  interval: number;
  state: HealthState;
  reason: string;
  probedAt: number;
  /** When real requests last failed there so that a worker took it out; Infinity: nobody has, since the last good probe. */
  suspectedAt: number;
  timer: Timer | undefined;
  cancel: (() => void) | undefined;
}

/** Shares of the interval by which probes are moved at random, so that they do not fall into step. */
const JITTER = 0.1;
/** The first probes are spread over at most this long (milliseconds), so that a start soon knows who is there. */
const FIRST_SPREAD = 1000;
/** `suspect` probes an endpoint again at most this often (milliseconds). */
const SUSPECT_EVERY = 500;

/** Between the end of one probe and the next, at the least (milliseconds). */
const SOONEST = 10;

/** Makes one probe; the seam for tests. */
export type ProbeOnce = (target: ProbeTarget, clock: Clock, done: (result: ProbeResult) => void) => () => void;

/** Watches the endpoints of a configuration. */
export class Prober {
  readonly #clock: Clock;
  readonly #onChange: (change: EndpointEvent) => void;
  readonly #probe: ProbeOnce;
  readonly #onCleared: (upstream: string, endpoint: string) => void;
  #watched = new Map<string, Watched>();

  /**
   * `onChange` is called when an endpoint turns healthy or unhealthy, the first verdict included; `onCleared` when one that
   * was suspected is healthy and has passed a probe of the ordinary rhythm.
   */
  constructor(
    clock: Clock,
    onChange: (change: EndpointEvent) => void,
    onCleared: (upstream: string, endpoint: string) => void = () => {},
    probeOnce: ProbeOnce = probe,
  ) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#onCleared = onCleared;
    this.#probe = probeOnce;
  }

  /**
   * Goes over to a new configuration. Endpoints that stay (same upstream, name and URL) keep their state; settings
   * change from their next probe on. `files`: path → contents of the TLS files.
   */
  update(upstreams: Record<string, UpstreamConfig>, files: Record<string, string>): void {
    const before = this.#watched;
    this.#watched = new Map();
    const freed: Watched[] = [];
    for (const [upstream, config] of Object.entries(upstreams)) {
      for (const endpoint of config.endpoints) {
        const name = endpointName(endpoint);
        const key = `${upstream}\n${name}\n${endpoint.url}`;
        const old = before.get(key);
        before.delete(key);
        if (config.health) this.#watched.set(key, this.#keep(upstream, name, endpoint, config, files, old));
        else if (old) freed.push(old);
      }
    }
    for (const gone of [...before.values(), ...freed]) halt(gone);
    // Workers keep the last word about an endpoint; without checks it must not stay out for ever.
    for (const { state, upstream, endpoint } of freed) {
      if (state.status !== 'unhealthy') continue;
      this.#onChange({ upstream, endpoint, healthy: true, reason: 'no longer checked' });
    }
  }

  /** All that has been found out so far. */
  states(): EndpointEvent[] {
    const known: EndpointEvent[] = [];
    for (const { state, upstream, endpoint, reason } of this.#watched.values()) {
      if (state.status !== 'unknown') {
        known.push({ upstream, endpoint, healthy: state.status === 'healthy', reason });
      }
    }
    return known;
  }

  /** Real requests failed there: probe now rather than at the next interval. */
  suspect(upstream: string, endpoint: string): void {
    for (const watched of this.#watched.values()) {
      if (watched.upstream !== upstream || watched.endpoint !== endpoint) continue;
      watched.suspectedAt = this.#clock.now();
      if (
        watched.cancel ||
        watched.state.status === 'unhealthy' ||
        this.#clock.now() - watched.probedAt < SUSPECT_EVERY
      )
        continue;
      watched.timer?.cancel();
      this.#start(watched, false);
    }
  }

  /** Stops all probes. */
  stop(): void {
    for (const watched of this.#watched.values()) halt(watched);
    this.#watched.clear();
  }

  #keep(
    upstream: string,
    name: string,
    endpoint: EndpointConfig,
    config: UpstreamConfig,
    files: Record<string, string>,
    old: Watched | undefined,
  ): Watched {
    const health = config.health!;
    const file = (path: string | undefined, key: string) => (path === undefined ? {} : { [key]: files[path] ?? '' });
    const target: ProbeTarget = {
      url: endpoint.url,
      path: health.path,
      host: health.host,
      timeout: health.timeout,
      expectStatus: health.expectStatus,
      http2: config.http2 !== undefined,
      grpc: health.grpc,
      proxyProtocol: config.proxyProtocol,
      tls: {
        verify: config.tls.verify,
        ...file(config.tls.ca, 'ca'),
        ...file(config.tls.certificate, 'cert'),
        ...file(config.tls.key, 'key'),
        ...(config.tls.serverName === undefined ? {} : { serverName: config.tls.serverName }),
      },
    };
    const thresholds = { unhealthyAfter: health.unhealthyAfter, healthyAfter: health.healthyAfter };
    if (old) {
      const sooner = health.interval < old.interval;
      Object.assign(old, { target, thresholds, interval: health.interval });
      if (sooner && !old.cancel) this.#schedule(old, this.#clock.random() * health.interval);
      return old;
    }
    const watched: Watched = {
      upstream,
      endpoint: name,
      url: endpoint.url,
      target,
      thresholds,
      interval: health.interval,
      state: initialHealth,
      reason: '',
      probedAt: Number.NEGATIVE_INFINITY,
      suspectedAt: Number.POSITIVE_INFINITY,
      timer: undefined,
      cancel: undefined,
    };
    this.#schedule(watched, this.#clock.random() * Math.min(health.interval, FIRST_SPREAD));
    return watched;
  }

  #schedule(watched: Watched, delay: number): void {
    watched.timer?.cancel();
    watched.timer = this.#clock.after(delay, () => this.#start(watched, true));
  }

  /** `ordinary`: it was its turn. */
  #start(watched: Watched, ordinary: boolean): void {
    watched.timer = undefined;
    watched.probedAt = this.#clock.now();
    watched.cancel = this.#probe(watched.target, this.#clock, (result) => {
      watched.cancel = undefined;
      this.#judge(watched, result);
      // Not by the probe that the suspicion itself has caused: it would end every ejection as it begins.
      if (ordinary && result.good) this.#clear(watched);
      // A probe that took long is not made up for: the next comes one interval after it began.
      const wait = watched.interval * (1 - JITTER + 2 * JITTER * this.#clock.random()) - result.tookMs;
      this.#schedule(watched, Math.max(SOONEST, wait));
    });
  }

  #clear(watched: Watched): void {
    // Infinity, where nobody suspects it, is never passed.
    if (watched.state.status !== 'healthy' || watched.probedAt <= watched.suspectedAt) return;
    watched.suspectedAt = Number.POSITIVE_INFINITY;
    this.#onCleared(watched.upstream, watched.endpoint);
  }

  #judge(watched: Watched, result: ProbeResult): void {
    const before = watched.state.status;
    watched.state = nextHealth(watched.state, result.good, watched.thresholds);
    // The reason shown belongs to the verdict, not to a probe that has not changed it.
    if (watched.state.status !== before || watched.reason === '') watched.reason = result.reason;
    if (watched.state.status === before) return;
    const { upstream, endpoint, reason } = watched;
    this.#onChange({ upstream, endpoint, healthy: watched.state.status === 'healthy', reason });
  }
}

function halt(watched: Watched): void {
  watched.timer?.cancel();
  watched.cancel?.();
  watched.timer = undefined;
  watched.cancel = undefined;
}
