/** The room's door: what a process installs to be seen. Subscribes to events and changes nothing about a request. */
import type { Clock } from '../kernel/clock.ts';
import type { Events } from '../kernel/event.ts';
import { accessLogLine } from './accesslog.ts';
import type { Snapshot } from './definition.ts';
import { LogBuffer, type LogSink } from './logbuffer.ts';
import { Metrics } from './metrics.ts';
import { ProcessMetrics, type ProcessReadings } from './process.ts';
import { Registry } from './registry.ts';

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
  readonly #log: LogBuffer | undefined;
  readonly #stops: (() => void)[];

  constructor(parts: ObserverParts) {
    const { events, clock, accessLog } = parts;
    this.metrics = new Metrics(this.#registry);
    this.#process = new ProcessMetrics(this.#registry, clock, parts.worker, parts.version, parts.node);
    this.#readProcess = parts.readProcess;
    this.#stops = [this.metrics.subscribe(events)];
    if (!accessLog) return;
    const log = new LogBuffer(accessLog, clock, {
      onFlush: (lines, dropped) => {
        this.metrics.logged('access', lines);
        this.metrics.logDropped('access', dropped);
      },
    });
    this.#log = log;
    this.#stops.push(events.on('requestEnded', (exchange) => log.add(accessLogLine(exchange, clock))));
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
    for (const stop of this.#stops) stop();
    this.#log?.close();
  }
}
