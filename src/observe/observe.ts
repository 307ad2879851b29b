/** The room's door: what a process installs to be seen. Subscribes to events and changes nothing about a request. */
import type { Clock } from '../kernel/clock.ts';
import type { Events } from '../kernel/event.ts';
import { accessLogLine } from './accesslog.ts';
import { PROCESS_METRICS, WORKER_METRICS } from './catalog.ts';
import type { Snapshot } from './definition.ts';
import { LogBuffer, type LogSink } from './logbuffer.ts';
import { Metrics } from './metrics.ts';
import { ProcessMetrics, type ProcessReadings, SupervisorMetrics } from './process.ts';
import { Registry } from './registry.ts';
import { Rollup } from './rollup.ts';

export type { Snapshot } from './definition.ts';
export type { LogSink } from './logbuffer.ts';
export { pipeSink } from './logpipe.ts';
export { type LogWriter, openLog } from './logwriter.ts';
export { createOpLog } from './oplog.ts';
export { loadReader, processReader } from './process.ts';
export { accessLogReference, metricsReference } from './reference.ts';

/** How burdened a worker is. */
export interface WorkerLoad {
  /** Requests under way. */
  underWay: number;
  /** Busy share of a core. */
  cpu: number;
  /** Processor time of a request. */
  ownTimeMs: number;
  /** Requests a second that are taken because it is busy; 0: as many as come. */
  rate: number;
  /** How much is refused for want of memory or time, from 0 to 1. */
  shedding: number;
}

/** What a worker's observer is made of. */
export interface ObserverParts {
  events: Events;
  clock: Clock;
  /** Name of this process in labels: `0`, `1`, … */
  worker: string;
  /** Gatehouse's version. */
  version: string;
  /** The runtime's version, `process.version`. */
  node: string;
  /** Where access log batches go (the channel to the supervisor); undefined: no access log. */
  accessLog: LogSink | undefined;
  /** Readings of the process, `processReader()`. */
  readProcess: () => ProcessReadings;
}

/** A worker's metrics and access log. */
export class Observer {
  readonly metrics: Metrics;
  readonly #registry = new Registry();
  readonly #process: ProcessMetrics;
  readonly #readProcess: () => ProcessReadings;
  #log: LogBuffer | undefined = undefined;
  readonly #events: Events;
  readonly #clock: Clock;
  readonly #stop: () => void;
  #stopLog: (() => void) | undefined = undefined;

  constructor(parts: ObserverParts) {
    const { events, clock, accessLog } = parts;
    this.metrics = new Metrics(this.#registry);
    this.#process = new ProcessMetrics(this.#registry, clock, parts.worker, parts.version, parts.node);
    this.#readProcess = parts.readProcess;
    this.#events = events;
    this.#clock = clock;
    this.#stop = this.metrics.subscribe(events);
    this.setAccessLog(accessLog);
  }

  /** Switches the access log on, off or to another sink, as a reload may; what is counted goes on. */
  setAccessLog(sink: LogSink | undefined): void {
    this.#stopLog?.();
    this.#log?.close();
    this.#log = undefined;
    if (!sink) return;
    const clock = this.#clock;
    const log = new LogBuffer(sink, clock, {
      onFlush: (lines, dropped) => {
        this.metrics.logged('access', lines);
        this.metrics.logDropped('access', dropped);
      },
    });
    this.#log = log;
    this.#stopLog = this.#events.on('requestEnded', (exchange) => log.add(accessLogLine(exchange, clock)));
  }

  /** Everything counted so far, with fresh process readings; send it to the supervisor's `Rollup` about once a second. */
  snapshot(): Snapshot {
    this.#process.sampleProcess(this.#readProcess());
    return this.#registry.snapshot();
  }

  /** The access log's sink has caught up. */
  logDrained(): void {
    this.#log?.drained();
  }

  /** Stops listening and sends what the log still holds. */
  close(): void {
    this.#stop();
    this.setAccessLog(undefined);
  }
}

/** The supervisor's side: what all workers have counted, and what it counts itself. */
export class Overview {
  readonly metrics: SupervisorMetrics;
  readonly #registry = new Registry();
  readonly #rollup = new Rollup();
  readonly #process: ProcessMetrics;
  readonly #readProcess: () => ProcessReadings;

  constructor(parts: Pick<ObserverParts, 'clock' | 'version' | 'node' | 'readProcess'>) {
    this.metrics = new SupervisorMetrics(this.#registry, parts.clock);
    this.#process = new ProcessMetrics(this.#registry, parts.clock, SUPERVISOR, parts.version, parts.node);
    this.#readProcess = parts.readProcess;
  }

  /** Takes a worker's newest snapshot. `worker` is the name that it gives in its labels. */
  update(worker: string, snapshot: Snapshot): void {
    this.#rollup.update(worker, snapshot);
  }

  /** A worker is gone; what it has counted stays. */
  retire(worker: string): void {
    this.metrics.requestsLost(this.#rollup.gauge(worker, WORKER_METRICS.inFlight.name));
    this.#rollup.retire(worker);
  }

  /** Resident bytes of a worker, as of its last report. */
  memory(worker: string): number {
    return this.#rollup.gauge(worker, PROCESS_METRICS.rss.name);
  }

  /** How burdened a worker is, as of its last report. */
  load(worker: string): WorkerLoad {
    const of = (definition: { name: string }) => this.#rollup.gauge(worker, definition.name);
    const { inFlight, systemRate, shedding, ownTime } = WORKER_METRICS;
    return {
      underWay: of(inFlight),
      cpu: this.#rollup.gauge(worker, WORKER_METRICS.cpuBusy.name, 'worker'),
      ownTimeMs: of(ownTime) * 1000,
      rate: of(systemRate),
      shedding: of(shedding),
    };
  }

  /** The text for /metrics: Prometheus 0.0.4, or OpenMetrics 1.0. */
  render(openMetrics: boolean): string {
    this.#process.sampleProcess(this.#readProcess());
    this.#rollup.update(SUPERVISOR, this.#registry.snapshot());
    return this.#rollup.render(openMetrics);
  }
}

const SUPERVISOR = 'supervisor';
