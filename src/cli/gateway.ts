/** Supervisor, logs, metrics and admin port as one running thing: what `serve` and `demo` start. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Admin, Outcome } from '../admin/admin.ts';
import type { Config, Loaded, NotLoaded } from '../config/config.ts';
import { formatProblem } from '../config/config.ts';
import { systemClock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { Events } from '../kernel/event.ts';
import { formatSize } from '../kernel/limit.ts';
import { type Snapshot as Metrics, Overview, openLog, processReader } from '../observe/observe.ts';
import { ChaosBoard } from '../policy/chaos/board.ts';
import type { Inherited } from '../supervisor/supervisor.ts';
import { Services, Supervisor } from '../supervisor/supervisor.ts';
import { adminHandle } from './adminhandle.ts';
import { openAdmin } from './adminport.ts';
import { certificatesFor } from './certificates.ts';
import { changesTo } from './changes.ts';
import { EndpointNotices } from './endpointnotices.ts';
import { Held } from './held.ts';
import { LevelBoard } from './levelboard.ts';
import { workersOf } from './machine.ts';
import { Upgrade } from './upgrade.ts';
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

/** A running gateway. */
export interface Gateway {
  /** Listener name → where clients reach it, as a URL (or `unix:/path`). */
  readonly urls: ReadonlyMap<string, string>;
  readonly adminUrl: string;
  reload(): Promise<Outcome>;
  /** Starts the program anew beside this one and hands over to it. */
  upgrade(): Promise<Outcome>;
  /** Whether requests are answered: what a watchdog wants to know. */
  readonly ready: boolean;
  /** How long requests under way may take. */
  readonly drainMs: number;
  /** Opens the access log file anew (after it was renamed). */
  reopenLog(): Promise<void>;
  /** Drains for at most `deadlineMs`; resolves with how many workers had to be killed. */
  stop(deadlineMs: number): Promise<number>;
  /** Ends the workers at once; `stop` then resolves. */
  kill(): void;
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
  const log = await Held.open(loaded.config.log.access, async (access) => {
    const onDrain = () => supervisor.resumeLogs();
    if (access === 'off') return undefined;
    try {
      return await openLog(access, { clock, notice, onDrain, onDrop: (lines) => own.logDropped('access', lines) });
    } catch (error) {
      throw new Error(`log.access: ${access} cannot be opened: ${reasonOf(error as NodeJS.ErrnoException)}`);
    }
  });
  const services = new Services();
  const certificates = certificatesFor(clock, services, notify, own);
  const levels = new LevelBoard();
  const chaos: ChaosBoard = new ChaosBoard(clock, notify, () => supervisor.chaosChanged());
  const ejectedBy = new Map<string, Set<number>>();
  const supervisor = new Supervisor<Config>({
    clock,
    events,
    program: { entry: workerEntry, args: [pseudonym], execArgv: [...inherited(), ...WORKER_FLAGS] },
    config: loaded.config,
    files: loaded.files,
    workers: workersOf,
    services,
    inherited: sockets,
    drainMs: (config) => parts.drainMs ?? config.drainTimeout,
    load: async () => {
      const next = await parts.load();
      if (!next.ok) return { ok: false, problems: next.problems.map(formatProblem) };
      for (const warning of next.warnings) notice({ level: 'warn', message: formatProblem(warning) });
      const { config } = next;
      try {
        await log.prepare(config.log.access);
        await admin?.prepare(config.admin.address);
      } catch (error) {
        return { ok: false, problems: [(error as Error).message] };
      }
      return next;
    },
    log: (_worker, lines) => log.now?.write(lines) ?? true,
    metrics: (worker, snapshot) => {
      overview.update(String(worker), snapshot as Metrics);
      const { workerMemory } = supervisor.snapshot.config;
      const held = workerMemory > 0 ? overview.memory(String(worker)) : 0;
      if (held > workerMemory) {
        const reason = `holds ${Math.round(held / 2 ** 20)}MiB, more than workerMemory (${formatSize(workerMemory)})`;
        supervisor.renew(worker, reason);
      }
    },
    gone: (worker) => {
      overview.retire(String(worker));
      levels.retire(worker);
      endpoints.gone(String(worker));
      for (const workers of ejectedBy.values()) workers.delete(worker);
    },
    told: (worker, message) => {
      if (message.type === 'levels') levels.update(worker, message);
    },
    chaos: () => chaos.running(),
    exited: (reason) => own.workerExited(reason),
    observed: (worker, change) => {
      endpoints.changed(String(worker), change);
      const { upstream, endpoint, healthy } = change;
      const key = `${upstream}\n${endpoint}`;
      const workers = ejectedBy.get(key) ?? new Set();
      if (healthy) workers.delete(worker);
      else workers.add(worker);
      ejectedBy.set(key, workers);
    },
  });
  const measure = () => {
    const count = { starting: 0, ready: 0, draining: 0, ended: 0 };
    for (const { state } of supervisor.status().workers) count[state]++;
    own.workers(count.starting, count.ready, count.draining);
  };
  let configError = '';
  const state = {
    configError: () => configError,
    ejectedBy: (key: string) => ejectedBy.get(key)?.size ?? 0,
    preview: () => preview(),
    reload: () => gateway.reload(),
    upgrade: () => gateway.upgrade(),
    upgrading: () => upgrade.underWay,
    levels: (upstream: string) => levels.of(upstream),
    chaos,
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
    await certificates.start(loaded.config, loaded.files);
    await supervisor.start();
    certificates.begin();
  } catch (error) {
    certificates.stop();
    await supervisor.kill();
    await admin?.close();
    await log.close();
    throw error;
  }
  const held = admin;
  const preview = async (): Promise<Outcome> => {
    const next = await parts.load();
    if (!next.ok) return { ok: false, problems: next.problems.map(formatProblem) };
    return { ok: true, generation: supervisor.snapshot.generation, changes: changesTo(supervisor.snapshot, next) };
  };
  const reload = async (): Promise<Outcome> => {
    if (upgrade.underWay) return { ok: false, problems: ['an upgrade is under way; reload when it has ended'] };
    parts.reloading?.(undefined);
    const before = supervisor.snapshot;
    const result = await supervisor.reload();
    own.reloaded(result.ok);
    if (result.ok) await certificates.update(supervisor.snapshot.config, supervisor.snapshot.files);
    await log.settle(result.ok);
    const moved = await held.settle(result.ok);
    if (moved) notify({ level: 'info', message: `the admin API has moved to ${held.now?.url}` });
    configError = result.ok ? '' : result.problems.join('; ');
    const ended: Outcome = result.ok ? { ...result, changes: changesTo(before, supervisor.snapshot) } : result;
    parts.reloading?.(ended);
    return ended;
  };
  const upgrade = new Upgrade({
    clock,
    notice: notify,
    sockets: () => [...supervisor.sockets(), { name: ADMIN, fd: held.now?.fd ?? -1 }],
    generation: () => supervisor.snapshot.generation,
    leave: async () => {
      await held.close((one) => one.close(true));
      certificates.stop();
      await supervisor.leave(drainMs());
    },
    comeBack: async () => {
      await certificates.start(supervisor.snapshot.config, supervisor.snapshot.files);
      await supervisor.comeBack();
      certificates.begin();
      await held.reopen();
      parts.back?.();
    },
    left: () => parts.left?.(),
  });
  const drainMs = () => parts.drainMs ?? supervisor.snapshot.config.drainTimeout;
  let reloading: Promise<unknown> = Promise.resolve();
  own.reloaded(true);
  const urls = () =>
    new Map(
      supervisor.addresses.map(({ listener, address }) => [
        listener,
        urlOf(supervisor.snapshot.config, listener, address),
      ]),
    );
  const gateway: Gateway = {
    get urls() {
      return urls();
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
      await reloading;
      return upgrade.run();
    },
    reload() {
      const next = reloading.then(reload);
      reloading = next;
      return next;
    },
    async reopenLog() {
      await log.now?.reopen();
      supervisor.reopenLogs();
    },
    async stop(deadlineMs) {
      certificates.stop();
      const killed = await supervisor.stop(deadlineMs);
      await held.close();
      await log.close();
      return killed;
    },
    kill: () => void supervisor.kill(),
  };
  return gateway;
}

/** Why a file cannot be written, and what to do. */
function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'its folder does not exist; create it';
  if (code === 'EISDIR') return 'it is a folder; name a file';
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return 'it may not be written; choose another place';
  return message;
}

function urlOf(config: Config, listener: string, address: string): string {
  if (address.startsWith('unix:')) return address;
  return `${config.listeners[listener]?.tls ? 'https' : 'http'}://${address}`;
}

/** Options of this process that workers share; a debugger's port cannot be had twice. */
const inherited = () => process.execArgv.filter((flag) => !/^--(inspect|debug|eval|print|test|input-type)/.test(flag));
