/** A worker process: the data plane, its observer, and the link to the supervisor, wired together. */
import { Socket } from 'node:net';
import type { Config } from '../config/config.ts';
import type { Gatehouse, GatehouseParts } from '../gatehouse.ts';
import { systemClock } from '../kernel/clock.ts';
import { Events } from '../kernel/event.ts';
import { Observer } from '../observe/observe.ts';
import { processReader } from '../observe/process.ts';
import type { Snapshot } from '../supervisor/channel.ts';
import type { LinkOptions } from '../supervisor/link.ts';
import { linkToSupervisor } from '../supervisor/link.ts';
import { endpointName } from '../upstream/health/prober.ts';
import { VERSION } from './version.ts';

/** Where the supervisor reads access log lines (`stdio[3]` of the fork). */
const LOG_DESCRIPTOR = 3;
/** How long requests may run on after SIGTERM sent to this process alone, or when the supervisor has gone. */
const DRAIN_MS = 30_000;

/** Runs this process as a worker with the data plane that `create` makes; returns at once. */
export function runWorker(create: (parts: GatehouseParts) => Gatehouse): void {
  const slot = process.argv[2] ?? '0';
  process.title = `gatehouse worker ${slot}`;
  const events = new Events();
  const gatehouse = create({ clock: systemClock, events });
  const log = new Socket({ fd: LOG_DESCRIPTOR, readable: false, writable: true });
  // Its reader is the supervisor; when that dies, the closed channel says so.
  log.on('error', () => {});
  log.on('drain', () => observer?.logDrained());
  let observer: Observer | undefined;
  let accessLog = '';

  const observe = (config: Config) => {
    const wanted = config.log.access === 'off' ? 'off' : 'on';
    if (!observer || wanted !== accessLog) {
      observer?.close();
      accessLog = wanted;
      observer = new Observer({
        events,
        clock: systemClock,
        worker: slot,
        version: VERSION,
        node: process.version,
        accessLog: wanted === 'off' ? undefined : { write: (chunk) => log.write(chunk) },
        readProcess: processReader(),
      });
    }
    const endpoints = Object.entries(config.upstreams).flatMap(([upstream, { endpoints: all }]) =>
      all.map((endpoint) => ({ upstream, endpoint: endpointName(endpoint) })),
    );
    observer.metrics.setEndpoints(endpoints);
  };

  const link = linkToSupervisor({
    port: process as LinkOptions['port'],
    clock: systemClock,
    exit: (code) => process.exit(code),
    orphanDeadline: DRAIN_MS,
    handlers: {
      update(snapshot, health) {
        gatehouse.update(snapshot);
        observe((snapshot as Snapshot<Config>).config);
        for (const h of health) gatehouse.setEndpointHealth(h.upstream, h.endpoint, h.healthy, h.reason);
      },
      listen: (listener, handle) => gatehouse.listen(listener, handle),
      unlisten: (listener, address) => gatehouse.unlisten(listener, address),
      endpointHealth(changes) {
        for (const h of changes) gatehouse.setEndpointHealth(h.upstream, h.endpoint, h.healthy, h.reason);
      },
      drain: (deadlineMs) => gatehouse.drain(deadlineMs),
      metrics: () => observer?.snapshot(),
      close: () => {
        observer?.close();
        return new Promise((done) => log.end(() => done()));
      },
    },
  });
  events.on('notice', ({ level, message, attributes }) => link.notice(level, message, attributes));
  events.on('endpointChanged', (change) => link.observed(change));
  // Ctrl-C in a terminal reaches the whole group; what happens then is the supervisor's decision.
  process.on('SIGINT', () => {});
  process.on('SIGHUP', () => {});
  process.on('SIGTERM', () => link.leave('SIGTERM', DRAIN_MS));
}
