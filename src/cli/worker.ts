/** A worker process: the data plane, its observer, and the link to the supervisor, wired together. */
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import type { Counted } from '../ai/count.ts';
import { type Config, dataFolder } from '../config/config.ts';
import { createGatehouse, WARM_UP_DESCRIPTORS, warmUp } from '../gatehouse.ts';
import { systemClock } from '../kernel/clock.ts';
import { Events } from '../kernel/event.ts';
import { type TlsNews, TlsShared } from '../listen/tlsshared.ts';
import { loadReader, Observer, pipeSink, processReader } from '../observe/observe.ts';
import { ISSUER_KEYS, KeyTable, Tokens } from '../policy/access/access.ts';
import { Registry } from '../policy/authorize/authorize.ts';
import type { RunningFault } from '../policy/chaos/board.ts';
import type { LeaseGrant, RecallNote } from '../policy/quota/quota.ts';
import type { ServiceAnswer } from '../policy/token/token.ts';
import type { EndpointHealth, LinkOptions, Snapshot } from '../supervisor/link.ts';
import { linkToSupervisor } from '../supervisor/link.ts';
import { endpointName } from '../upstream/address.ts';
import { type BusyNote, type Letter, QueueLine } from '../upstream/queue/queue.ts';
import { COUNT_MS, COUNT_SERVICE, type CountAsk } from './countdesk.ts';
import { followKinds } from './kinds.ts';
import { descriptorsOf, workersOf } from './machine.ts';
import { QUOTA_SERVICE } from './nodelimits.ts';
import { QUEUE_SERVICE } from './nodequeues.ts';
import { watchLoop } from './stuck.ts';
import { VERSION } from './version.ts';
import { WorkerLog } from './workerlog.ts';
import { WorkerUsage } from './workerusage.ts';

/** Where the supervisor reads access log lines (`stdio[3]` of the fork). */
const LOG_DESCRIPTOR = 3;
/** Where a stuck event loop is reported (`stdio[5]`), and after how many milliseconds. */
const REPORT_DESCRIPTOR = 5;
const STUCK_MS = 5000;
/** How long requests may run on after SIGTERM sent to this process alone, or when the supervisor has gone. */
const DRAIN_MS = 30_000;
/** How long the supervisor may take to note which keys were used. */
const USES_MS = 5_000;
/** How long a service may take to answer a request. */
const SERVICE_MS = 10_000;
/** How long a request waits to be told whether its limits let it pass (milliseconds): a supervisor that is busy for a moment refuses nobody. */
const LEASE_MS = 5000;

/** What the supervisor says by the arguments of the process. */
const [, , slot = '0', pseudonym = 'gatehouse'] = process.argv;

/** Events whose observers count and write as the real ones do, into nothing. */
function warmEvents(): Events {
  const events = new Events();
  new Observer({
    events,
    clock: systemClock,
    worker: slot,
    version: VERSION,
    node: process.version,
    accessLog: { write: () => true },
    readProcess: processReader(),
  });
  return events;
}

function runWorker(): void {
  process.title = `gatehouse worker ${slot}`;
  const events = new Events();
  let gatehouse: ReturnType<typeof createGatehouse> | undefined;
  const log = new Socket({ fd: LOG_DESCRIPTOR, readable: false, writable: true });
  // Its reader is the supervisor; when that dies, the closed channel says so.
  const sink = pipeSink(log, () => observer?.logDrained());
  let observer: Observer | undefined;
  const accessLog = new WorkerLog(events, sink);

  let warm = false;
  let warming = true;

  const observe = async (config: Config) => {
    if (!observer) {
      observer = new Observer({
        events,
        clock: systemClock,
        worker: slot,
        version: VERSION,
        node: process.version,
        accessLog: undefined,
        readProcess: processReader(),
      });
    }
    await accessLog.follow(config.log.access, observer);
    observer.metrics.setModels(Object.keys(config.models));
    const endpoints = Object.entries(config.upstreams).flatMap(([upstream, { endpoints: all }]) =>
      all.map((endpoint) => ({ upstream, endpoint: endpointName(endpoint) })),
    );
    observer.metrics.setEndpoints(endpoints);
  };

  const folder = dataFolder(process.env);
  const usage = new WorkerUsage({ clock: systemClock, events, folder, owner: pseudonym, pid: process.pid });
  const tls = new TlsShared();
  const takeTls = (news: unknown) => {
    for (const message of tls.take(news as TlsNews)) events.emit('notice', { level: 'error', message });
  };

  const keys = new KeyTable();
  const registry = new Registry();
  let workerCount = 1;
  const setHealth = (changes: readonly EndpointHealth[]) => {
    for (const { upstream, endpoint, healthy, reason, cleared } of changes) {
      gatehouse?.endpoints.setHealth(upstream, endpoint, healthy, reason);
      if (cleared) gatehouse?.endpoints.cleared(upstream, endpoint);
    }
  };

  const link = linkToSupervisor({
    port: process as LinkOptions['port'],
    clock: systemClock,
    exit: (code) => process.exit(code),
    orphanDeadline: DRAIN_MS,
    handlers: {
      async update(snapshot, health) {
        const input = snapshot as Snapshot<Config>;
        workerCount = workersOf(input.config);
        if (gatehouse) await gatehouse.update(input);
        await observe(input.config);
        usage.follow(input.config);
        if (!gatehouse) {
          const idPrefix = randomBytes(6).toString('hex');
          const descriptors = descriptorsOf();
          gatehouse = createGatehouse(input, {
            clock: systemClock,
            events,
            pseudonym,
            idPrefix,
            share: () => ({ slot: Number(slot), workers: workerCount }),
            readings: loadReader(systemClock),
            collect: () => (globalThis as { gc?: () => void }).gc?.(),
            tls,
            askProbe: link.askProbe,
            askQueue: (ask, timeoutMs, lazy) => places.ask(ask, timeoutMs, lazy),
            askService: (service, request) => link.ask(service, request, SERVICE_MS) as Promise<ServiceAnswer>,
            askAuthority: (asks) => {
              // What the ledger has is compared with what was told: it must not be told first.
              usage.flush();
              return link.ask(QUOTA_SERVICE, asks, LEASE_MS) as Promise<LeaseGrant[]>;
            },
            askCount: (tokenizer, order) =>
              link.ask(COUNT_SERVICE, { tokenizer, order } satisfies CountAsk, COUNT_MS) as Promise<Counted>,
            keys,
            registry,
            used: (uses) => link.ask('keyUses', uses, USES_MS).catch(() => {}),
            tokens,
            ledgerTrouble: () => usage.trouble,
            relisten: (listener) => link.relisten(listener),
            ...(descriptors && {
              descriptors: {
                limit: descriptors.limit,
                used: () => descriptors.used + (warming ? WARM_UP_DESCRIPTORS : 0),
              },
            }),
          });
          await gatehouse.start();
        }
        setHealth(health);
      },
      async listen(listener, handle) {
        if (!gatehouse) throw new Error('no configuration came before the listener');
        await gatehouse.doors.listen(listener, handle);
        if (!warm) {
          warm = true;
          void warmUp(createGatehouse, systemClock, warmEvents()).then(() => {
            warming = false;
          });
        }
      },
      unlisten: (listener) => gatehouse?.doors.unlisten(listener),
      endpointHealth: setHealth,
      // The supervisor sends what its own board holds.
      chaos: (running) => gatehouse?.runFaults(running as RunningFault[]),
      breakers(changes) {
        for (const change of changes) gatehouse?.endpoints.setBreaker(change);
      },
      probeGranted: (upstream, endpoint, granted) => gatehouse?.endpoints.probeGranted(upstream, endpoint, granted),
      agents(changes) {
        for (const { upstream, endpoint, up, drained, share, maxConnections: most, reason } of changes) {
          const maxConnections = most === 0 ? Number.POSITIVE_INFINITY : most;
          gatehouse?.endpoints.setAgent(upstream, endpoint, { up, drained, share, maxConnections }, reason);
        }
      },
      reopenLog: () => accessLog.reopen(),
      drain: async (deadlineMs) => {
        await gatehouse?.drain(deadlineMs);
        await gatehouse?.access.flush();
        await gatehouse?.quota.close();
      },
      orphaned: () => gatehouse?.quota.orphaned(),
      metrics: () => observer?.snapshot(),
      close: async () => {
        usage.close();
        observer?.close();
        await accessLog.close();
        return new Promise((done) => log.end(() => done()));
      },
    },
  });
  link.follow('tls', {
    load(page, first, last) {
      if (first) tls.beginLoad();
      if (page !== undefined) takeTls(page);
      if (last) tls.endLoad();
    },
    change: takeTls,
  });
  const tokens = new Tokens(systemClock, link.ask);
  followKinds(link, { keys, tokens, registry });
  const places = new QueueLine(
    systemClock,
    (letter) => link.tell(QUEUE_SERVICE, letter),
    (note) => gatehouse?.queues.queues.called(note),
  );
  link.hear(QUEUE_SERVICE, (letter) => places.heard(letter as Letter));
  link.follow(QUEUE_SERVICE, { load() {}, change: (note) => gatehouse?.queues.queues.told(note as BusyNote) });
  link.follow(QUOTA_SERVICE, { load() {}, change: (notes) => gatehouse?.quota.recall(notes as RecallNote[]) });
  link.follow(ISSUER_KEYS, tokens);
  events.on('notice', ({ level, message, attributes }) => link.notice(level, message, attributes));
  events.on('endpointChanged', (change) => link.observed(change));
  watchLoop(REPORT_DESCRIPTOR, STUCK_MS, (reason) => link.notice('warn', `its event loop is not watched: ${reason}`));
  events.on('levelsChanged', (change) => link.levels(change));
  events.on('breakerChanged', ({ own, ...change }) => {
    if (own) link.breaker(change);
  });
  // Ctrl-C in a terminal reaches the whole group, as does what systemctl sends; what happens then is the supervisor's
  // decision. Unheard, SIGUSR1 would open a debugger's port and SIGUSR2 would end us.
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => {});
  process.on('SIGTERM', () => link.leave('SIGTERM', DRAIN_MS));
}

runWorker();
