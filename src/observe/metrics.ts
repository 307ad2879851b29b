/**
 * Turns kernel events into metrics. A request that ends costs a few comparisons and additions: all handles of one
 * (route, model, version, upstream) stand together in a `Path`, found by identity of its last use or by four map look-ups.
 */
import type { BreakerEvent, EndpointEvent, Events, FaultEvent, NoticeEvent, OverloadEvent } from '../kernel/event.ts';
import type { Exchange } from '../kernel/exchange.ts';
import { WORKER_METRICS as M } from './catalog.ts';
import { ConnectionMetrics } from './connectionmetrics.ts';
import { OVERFLOW } from './definition.ts';
import { under } from './fragments.ts';
import { Path, PathFamilies } from './path.ts';
import { QueueMetrics } from './queuemetrics.ts';
import type { Counter, Family, Gauge, Registry } from './registry.ts';

/** Most combinations kept at hand; beyond that the table is forgotten and refilled from the registry. */
const MAX_PATHS = 4096;
/** Most model names that are not of the configuration (a client writes them) before they count as `other`. */
const MAX_OPEN_MODELS = 100;
const MAX_LABEL_LENGTH = 128;
const MAX_PAIRS = 1000;

/** Counters by two labels, found without making a key. Bounded: beyond that the registry is asked each time. */
class Pairs {
  readonly #family: Family<Counter>;
  readonly #known = new Map<string, Map<string, Counter>>();
  #room = MAX_PAIRS;

  constructor(family: Family<Counter>) {
    this.#family = family;
  }

  inc(first: string, second: string): void {
    const known = this.#known.get(first)?.get(second);
    if (known !== undefined) {
      known.inc(1);
      return;
    }
    const counter = this.#family.with(first, second);
    if (this.#room > 0) {
      this.#room--;
      under(this.#known, first).set(second, counter);
    }
    counter.inc(1);
  }
}

/** Handles of one listener. */
interface InFlight {
  begun: Counter;
  inFlight: Gauge;
  /** Those by HTTP/2. */
  streams: Gauge;
}

type Paths = Map<string, Map<string, Map<string, Map<string, Path>>>>;

/** Counts what a worker does. Everything that comes in by events is bounded in memory, whatever clients send. */
export class Metrics {
  readonly #families: PathFamilies;
  readonly #begun: Family<Counter>;
  readonly #inFlight: Family<Gauge>;
  readonly #streams: Family<Gauge>;
  readonly #connections: ConnectionMetrics;
  readonly #errors: Pairs;
  readonly #denied: Pairs;
  readonly #faults: Pairs;
  readonly #limited: Pairs;
  readonly #authFailures: Family<Counter>;
  readonly #tenants: Pairs;
  readonly #endpointUp: Family<Gauge>;
  readonly #endpointChanges: Family<Counter>;
  readonly #pressure: Family<Gauge>;
  readonly #shedding: Gauge;
  readonly #cpuBusy: Family<Gauge>;
  readonly #systemRate: Gauge;
  readonly #ownTime: Gauge;
  readonly #systemRefused: Counter;
  readonly #queues: QueueMetrics;
  readonly #breakerState: Family<Gauge>;
  readonly #breakerChanges: Family<Counter>;
  readonly #logLines: Family<Counter>;
  readonly #logDropped: Family<Counter>;
  readonly #notices: Family<Counter>;
  readonly #sources: Family<Counter>;

  readonly #inFlightBy = new Map<string, InFlight>();
  readonly #openModels = new Set<string>();
  #models: ReadonlySet<string> = new Set();
  #endpoints = new Map<string, readonly [string, string]>();
  #paths: Paths = new Map();
  #pathCount = 0;
  #last: Path | undefined = undefined;
  #lastRoute = '';
  #lastModel = '';
  #lastVersion = '';
  #lastUpstream = '';

  constructor(registry: Registry) {
    this.#families = new PathFamilies(registry);
    this.#begun = registry.counter(M.begun);
    this.#inFlight = registry.gauge(M.inFlight);
    this.#streams = registry.gauge(M.http2Streams);
    this.#connections = new ConnectionMetrics(registry);
    this.#errors = new Pairs(registry.counter(M.errors));
    this.#denied = new Pairs(registry.counter(M.denied));
    this.#faults = new Pairs(registry.counter(M.faults));
    this.#limited = new Pairs(registry.counter(M.limited));
    this.#authFailures = registry.counter(M.authFailures);
    this.#tenants = new Pairs(registry.counter(M.tenantRequests));
    this.#endpointUp = registry.gauge(M.endpointUp);
    this.#endpointChanges = registry.counter(M.endpointChanges);
    this.#pressure = registry.gauge(M.pressure);
    this.#shedding = registry.gauge(M.shedding).with();
    this.#cpuBusy = registry.gauge(M.cpuBusy);
    this.#systemRate = registry.gauge(M.systemRate).with();
    this.#ownTime = registry.gauge(M.ownTime).with();
    this.#systemRefused = registry.counter(M.systemRefused).with();
    this.#queues = new QueueMetrics(registry);
    this.#breakerState = registry.gauge(M.breakerState);
    this.#breakerChanges = registry.counter(M.breakerChanges);
    this.#logLines = registry.counter(M.logLines);
    this.#logDropped = registry.counter(M.logDropped);
    this.#notices = registry.counter(M.notices);
    this.#sources = registry.counter(M.usageSources);
  }

  /** Listens to everything it counts; returns the function that stops it. */
  subscribe(events: Events): () => void {
    const stops = [
      events.on('connectionOpened', (listener) => this.#connections.opened(listener)),
      events.on('connectionClosed', (listener) => this.#connections.closed(listener)),
      events.on('handshake', (handshake) => this.#connections.handshake(handshake)),
      events.on('http2Connections', ({ listener, by }) => this.#connections.http2(listener, by)),
      events.on('requestStarted', (exchange) => this.requestStarted(exchange)),
      events.on('requestEnded', (exchange) => this.requestEnded(exchange)),
      events.on('fault', (fault) => this.fault(fault)),
      events.on('endpointChanged', (change) => this.endpointChanged(change)),
      events.on('overload', (state) => this.overload(state)),
      events.on('breakerChanged', (change) => this.breakerChanged(change)),
      events.on('authFailed', ({ method, reason, route }) => this.#authFailures.with(method, reason, route).inc()),
      events.on('limited', ({ rule, observed }) => this.#limited.inc(rule, observed ? 'observed' : 'refused')),
      events.on('queueEntered', (entered) => this.#queues.entered(entered)),
      events.on('queueLeft', (left) => this.#queues.left(left)),
      events.on('spilled', (spilled) => this.#queues.spilled(spilled)),
      events.on('notice', (notice) => this.notice(notice)),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  requestStarted(x: Exchange): void {
    const { begun, inFlight, streams } = this.#inFlightOf(x.inbound.listener);
    begun.inc();
    inFlight.add(1);
    if (x.inbound.httpVersion === '2') streams.add(1);
  }

  requestEnded(x: Exchange): void {
    const { inFlight, streams } = this.#inFlightOf(x.inbound.listener);
    inFlight.add(-1);
    if (x.inbound.httpVersion === '2') streams.add(-1);
    this.#pathOf(x).count(x);
    if (x.route !== '') this.#queues.ended(x);
    if (x.identity !== undefined && x.identity.tenant !== '') this.#tenants.inc(x.identity.tenant, x.outcome);
    if (x.usageSource !== '') this.#sources.with(x.usageSource).inc();
    const error = x.error;
    if (error === undefined) return;
    this.#errors.inc(error.code, x.route);
    if (x.outcome === 'denied') this.#denied.inc(error.code, error.rule ?? '');
  }

  fault(fault: FaultEvent): void {
    this.#faults.inc(fault.kind, fault.where);
  }

  endpointChanged(change: EndpointEvent): void {
    this.#endpointUp.with(change.upstream, change.endpoint).set(change.healthy ? 1 : 0);
    this.#endpointChanges.with(change.upstream, change.endpoint, change.healthy ? 'up' : 'down').inc();
  }

  breakerChanged({ upstream, endpoint, state, own }: BreakerEvent): void {
    this.#breakerState.with(upstream, endpoint).set(state === 'open' ? 2 : state === 'halfOpen' ? 1 : 0);
    if (own) this.#breakerChanges.with(upstream, endpoint, state === 'halfOpen' ? 'half_open' : state).inc();
  }

  /**
   * Tells which endpoints there are, after each new configuration: new ones show as up until told otherwise, those that
   * are no longer configured disappear.
   */
  setEndpoints(endpoints: Iterable<{ readonly upstream: string; readonly endpoint: string }>): void {
    const next = new Map<string, readonly [string, string]>();
    for (const { upstream, endpoint } of endpoints) {
      const key = JSON.stringify([upstream, endpoint]);
      next.set(key, [upstream, endpoint]);
      if (this.#endpoints.has(key)) continue;
      this.#endpointUp.with(upstream, endpoint).set(1);
      this.#breakerState.with(upstream, endpoint).set(0);
    }
    for (const [key, [upstream, endpoint]] of this.#endpoints) {
      if (next.has(key)) continue;
      this.#endpointUp.remove(upstream, endpoint);
      this.#breakerState.remove(upstream, endpoint);
    }
    this.#endpoints = next;
  }

  /** Tells the names of the configured models, which are labels always; any other name is what a client wrote. */
  setModels(names: Iterable<string>): void {
    this.#models = new Set(names);
  }

  overload({ pressures, shedding, system }: OverloadEvent): void {
    for (const [resource, pressure] of Object.entries(pressures)) this.#pressure.with(resource).set(pressure);
    this.#shedding.set(shedding);
    for (const [of, busy] of Object.entries(system.cpu)) this.#cpuBusy.with(of).set(busy);
    this.#systemRate.set(system.rate);
    this.#ownTime.set(system.ownTimeMs / 1000);
    this.#systemRefused.inc(system.refused);
  }

  notice(notice: NoticeEvent): void {
    this.#notices.with(notice.level).inc();
  }

  /** `lines` of this log were handed on. */
  logged(log: string, lines: number): void {
    this.#logLines.with(log).inc(lines);
  }

  /** `lines` of this log were lost. */
  logDropped(log: string, lines: number): void {
    this.#logDropped.with(log).inc(lines);
  }

  #inFlightOf(listener: string): InFlight {
    let gauge = this.#inFlightBy.get(listener);
    if (gauge === undefined) {
      gauge = {
        begun: this.#begun.with(listener),
        inFlight: this.#inFlight.with(listener),
        streams: this.#streams.with(listener),
      };
      this.#inFlightBy.set(listener, gauge);
    }
    return gauge;
  }

  #pathOf(x: Exchange): Path {
    // A model with a version is one of the configuration.
    const model = x.version !== '' || x.model === '' ? x.model : this.#openModel(x.model, x.upstream);
    if (
      this.#last !== undefined &&
      x.upstream === this.#lastUpstream &&
      model === this.#lastModel &&
      x.route === this.#lastRoute &&
      x.version === this.#lastVersion
    ) {
      return this.#last;
    }
    const path = this.#paths.get(x.route)?.get(model)?.get(x.version)?.get(x.upstream) ?? this.#newPath(x, model);
    this.#last = path;
    this.#lastRoute = x.route;
    this.#lastModel = model;
    this.#lastVersion = x.version;
    this.#lastUpstream = x.upstream;
    return path;
  }

  #newPath(x: Exchange, model: string): Path {
    if (++this.#pathCount > MAX_PATHS) {
      this.#paths = new Map();
      this.#pathCount = 1;
    }
    const path = new Path(this.#families, x.route, model, x.version, x.upstream);
    under(under(under(this.#paths, x.route), model), x.version).set(x.upstream, path);
    return path;
  }

  /** A model name of which no version was picked, as a label: itself if it is configured, none if it led nowhere, itself while there are few, else `other`. */
  #openModel(model: string, upstream: string): string {
    if (this.#models.has(model)) return model;
    if (upstream === '') return '';
    if (this.#openModels.has(model)) return model;
    if (model.length > MAX_LABEL_LENGTH || this.#openModels.size >= MAX_OPEN_MODELS) return OVERFLOW;
    this.#openModels.add(model);
    return model;
  }
}
