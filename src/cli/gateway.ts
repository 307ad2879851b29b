/** Supervisor, logs, metrics and admin port as one running thing: what `serve` and `demo` start. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Admin, Outcome } from '../admin/admin.ts';
import type { Config, Loaded, NotLoaded } from '../config/config.ts';
import { systemClock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { Events } from '../kernel/event.ts';
import type { Snapshot as Metrics } from '../observe/observe.ts';
import { Overview, processReader } from '../observe/observe.ts';
import { ChaosBoard } from '../policy/chaos/board.ts';
import type { Inherited } from '../supervisor/supervisor.ts';
import { Services, Supervisor } from '../supervisor/supervisor.ts';
import { adminHandle } from './adminhandle.ts';
import { Desks } from './desks.ts';
import { Ejections } from './ejections.ts';
import { EndpointNotices } from './endpointnotices.ts';
import type { Gateway } from './gatewayhandle.ts';
import { Held } from './held.ts';
import { admittedBy, narrowed } from './inforce.ts';
import { LevelBoard } from './levelboard.ts';
import { tooLarge, workersOf } from './machine.ts';
import { openAccessLog, openAdmin } from './opening.ts';
import { Reloads } from './reloads.ts';
import { predecessor, tellAdmitted } from './successor.ts';
import { Upgrade } from './upgrade.ts';
import { listenerUrls } from './urls.ts';
import { VERSION } from './version.ts';

/** What a gateway is made of. */
export interface GatewayParts {
  /** The configuration that was loaded first. */
  loaded: Loaded;
  /** Loads it anew, for a reload. */
  load: () => Loaded | NotLoaded | Promise<Loaded | NotLoaded>;
  notice: (notice: NoticeEvent) => void;
  /** How long requests under way may take; the configuration's `drainTimeout` when left out. */
  drainMs?: number;
  /** Sockets that another process has bound for us. */
  inherited?: readonly Inherited[];
  /** An upgrade has handed over and this process has nothing more to do. Without it there are no upgrades. */
  left?: () => void;
  /** An upgrade has failed late, and this process serves again. */
  back?: () => void;
  /** Told of a reload that begins, and of how it ended. */
  reloading?: (ended: Outcome | undefined) => void;
  /** Ends the start, if it is still under way; `startGateway` then rejects. */
  abort?: AbortSignal;
}

/** A larger young generation spares collections under load; a worker near its memory limit may ask for one. */
const WORKER_FLAGS = ['--max-semi-space-size=64', '--expose-gc'];
/** Name of the admin port's socket when it is handed down. */
const ADMIN = 'admin';
const workerEntry = fileURLToPath(new URL('./worker.js', import.meta.url));

/** Starts everything; throws an `Error` for operators to read when something cannot be had, with nothing left behind. */
export async function startGateway(parts: GatewayParts): Promise<Gateway> {
  const { loaded, notice } = parts;
  const sockets = [...(parts.inherited ?? [])];
  const adminAt = sockets.findIndex(({ name }) => name === ADMIN);
  let adminSocket = adminAt < 0 ? undefined : sockets.splice(adminAt, 1)[0]?.fd;
  const clock = systemClock;
  // Names this instance in Via, so that it knows its own requests when they come round again.
  const pseudonym = `gatehouse-${randomBytes(4).toString('hex')}`;
  const events = new Events();
  const overview = new Overview({ clock, version: VERSION, node: process.version, readProcess: processReader() });
  const own = overview.metrics;
  events.on('notice', notice);
  const notify = (one: NoticeEvent) => events.emit('notice', one);
  const endpoints = new EndpointNotices(notify);
  events.on('endpointChanged', (change) => endpoints.changed('prober', change));
  const logParts = {
    clock,
    notice,
    onDrain: () => supervisor.resumeLogs(),
    onDrop: (lines: number) => own.logDropped('access', lines),
  };
  const log = await Held.open(loaded.config.log.access, (access) => openAccessLog(access, logParts));
  const levels = new LevelBoard();
  const chaos: ChaosBoard = new ChaosBoard(clock, notify, () => supervisor.chaosChanged());
  const ejections = new Ejections();
  const services = new Services();
  const { config } = loaded;
  const desks = new Desks({ clock, events, services, notice: notify, own, config, env: process.env, owner: pseudonym });
  const supervisor = new Supervisor<Config>({
    clock,
    events,
    program: { entry: workerEntry, args: [pseudonym], execArgv: [...inherited(), ...WORKER_FLAGS] },
    config: loaded.config,
    files: loaded.files,
    workers: workersOf,
    services,
    inherited: sockets,
    silenceMs: (config) => config.workerSilence,
    drainMs: (config) => parts.drainMs ?? config.drainTimeout,
    load: () => reloads.load(),
    log: (_worker, lines) => log.now?.write(lines) ?? true,
    metrics: (worker, snapshot) => {
      overview.update(String(worker), snapshot as Metrics);
      const reason = tooLarge(overview.memory(String(worker)), supervisor.snapshot.config.workerMemory);
      if (reason !== '') supervisor.renew(worker, reason);
    },
    gone: (worker, pid) => {
      overview.retire(String(worker));
      levels.retire(worker);
      endpoints.gone(String(worker));
      ejections.gone(worker);
      desks.gone(worker, pid);
    },
    told: (worker, message) => {
      if (message.type === 'levels') levels.update(worker, message);
    },
    chaos: () => chaos.running(),
    exited: (reason) => own.workerExited(reason),
    observed: (worker, change) => {
      endpoints.changed(String(worker), change);
      ejections.changed(worker, change);
    },
  });
  const reloads: Reloads = new Reloads({
    load: parts.load,
    notice,
    prepare: async (config) => {
      await log.prepare(config.log.access);
      await admin?.prepare(config.admin.address);
      await desks.prepare(config);
    },
    settle: async (accepted) => {
      own.reloaded(accepted);
      await desks.settle(accepted, supervisor.snapshot);
      log.settle(accepted);
      if (accepted) tellAdmitted(admittedBy(supervisor.snapshot.config));
      if (admin?.settle(accepted)) {
        notify({ level: 'info', message: `the admin API has moved to ${admin?.now?.url}` });
      }
    },
    supervisor: () => supervisor,
    upgrading: () => upgrade.underWay,
    reloading: parts.reloading,
  });
  const measure = () => {
    const count = { starting: 0, ready: 0, draining: 0, ended: 0 };
    for (const { state } of supervisor.status().workers) count[state]++;
    desks.measure();
    own.workers(count.starting, count.ready, count.draining);
  };
  const state = {
    configError: () => reloads.error,
    ejectedBy: (key: string) => ejections.by(key),
    preview: () => reloads.preview(),
    reload: () => reloads.run(),
    upgrade: () => gateway.upgrade(),
    upgrading: () => upgrade.underWay,
    levels: (upstream: string) => levels.of(upstream),
    documents: () => desks.kept.open(supervisor.snapshot.config.store),
    usage: desks.usage,
    chaos,
    queues: () => desks.queues.authority.standings(),
  };
  let admin: Held<Admin> | undefined;
  try {
    const handle = adminHandle(supervisor, overview, measure, clock, state);
    // Before the workers: who asks /readyz learns that they are on their way.
    admin = await Held.open(loaded.config.admin.address, (address) => {
      const fd = adminSocket;
      adminSocket = undefined;
      return openAdmin(address, handle, notify, fd);
    });
    parts.abort?.throwIfAborted();
    parts.abort?.addEventListener('abort', () => void supervisor.kill());
    await desks.start(loaded, predecessor(clock));
    await supervisor.start();
    desks.begin();
    tellAdmitted(admittedBy(config));
  } catch (error) {
    desks.leave();
    await supervisor.kill();
    await desks.close();
    await admin?.close();
    await log.close();
    throw error;
  }
  const held = admin;
  // How far an upgrade has come with leaving, and that there is to be no more of it.
  let closing: Promise<void> = Promise.resolve();
  let [left, stays] = [false, false];
  const upgrade = new Upgrade({
    clock,
    notice: notify,
    sockets: () => [...supervisor.sockets(), { name: ADMIN, fd: held.now?.fd ?? -1 }],
    generation: () => supervisor.snapshot.generation,
    heritage: desks.heritage,
    takeBack: () => desks.limits.takeBack(),
    judgeBy: (admitted) => {
      // Who came before us may still have requests, too.
      tellAdmitted(admitted);
      try {
        supervisor.judgeBy(narrowed(supervisor.snapshot.config, admitted));
      } catch (error) {
        const message = `whom the new process lets in is not understood, so what is under way here ends by itself: ${(error as Error).message}`;
        notify({ level: 'warn', message });
      }
    },
    leave: async () => {
      stays = left = false;
      closing = held.close((one) => one.close(true));
      await closing;
      // Who has taken over may have died meanwhile.
      if (stays) return;
      left = true;
      desks.leave();
      await supervisor.leave(drainMs());
    },
    comeBack: async () => {
      stays = true;
      supervisor.judgeBy(supervisor.snapshot.config);
      await closing;
      if (left) {
        await desks.comeBack(supervisor.snapshot);
        await supervisor.comeBack();
        desks.begin();
      }
      // Where any port was asked for, the one that it has got: whoever knows it finds it again.
      await held.reopen((address, was) =>
        address.replace(/:0$/, () => `:${new URL(was?.url ?? 'http://a').port || 0}`),
      );
      parts.back?.();
    },
    stop: () => gateway.stop(drainMs()),
    left: () => parts.left?.(),
  });
  const drainMs = () => parts.drainMs ?? supervisor.snapshot.config.drainTimeout;
  own.reloaded(true);
  const gateway: Gateway = {
    get urls() {
      return listenerUrls(supervisor.snapshot.config, supervisor.addresses);
    },
    get adminUrl() {
      return held.now?.url ?? '';
    },
    get ready() {
      return supervisor.status().workers.some((worker) => worker.state === 'ready');
    },
    get drainMs() {
      return drainMs();
    },
    async upgrade() {
      if (!parts.left) return { ok: false, problems: ['this program was not started to be upgraded'] };
      await reloads.settled;
      return upgrade.run();
    },
    reload: () => reloads.run(),
    async reopenLog() {
      await log.now?.reopen();
      supervisor.reopenLogs();
    },
    async stop(deadlineMs) {
      desks.leave();
      upgrade.stop();
      const killed = await supervisor.stop(deadlineMs);
      await desks.close();
      await held.close();
      await log.close();
      return killed;
    },
    kill: () => void supervisor.kill(),
  };
  return gateway;
}

/** Options of this process that workers share; a debugger's port cannot be had twice. */
const inherited = () => process.execArgv.filter((flag) => !/^--(inspect|debug|eval|print|test|input-type)/.test(flag));
