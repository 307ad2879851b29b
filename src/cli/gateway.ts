/** Supervisor, logs, metrics and admin port as one running thing: what `serve` and `demo` start. */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Admin } from '../admin/admin.ts';
import { startAdmin } from '../admin/admin.ts';
import type { Config, Loaded, NotLoaded } from '../config/config.ts';
import { formatProblem } from '../config/config.ts';
import { systemClock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { Events } from '../kernel/event.ts';
import type { Snapshot as Metrics } from '../observe/definition.ts';
import { openLog } from '../observe/logwriter.ts';
import { ProcessMetrics, processReader, SupervisorMetrics } from '../observe/process.ts';
import { Registry } from '../observe/registry.ts';
import { Rollup } from '../observe/rollup.ts';
import type { Reloaded } from '../supervisor/supervisor.ts';
import { Supervisor } from '../supervisor/supervisor.ts';
import { adminHandle } from './adminhandle.ts';
import { VERSION } from './version.ts';

/** What a gateway is made of. */
export interface GatewayParts {
  /** The configuration that was loaded first. */
  loaded: Loaded;
  /** Loads it anew, for a reload. */
  load: () => Loaded | NotLoaded;
  notice: (notice: NoticeEvent) => void;
}

/** A running gateway. */
export interface Gateway {
  /** Listener name → where clients reach it, as a URL (or `unix:/path`). */
  readonly urls: ReadonlyMap<string, string>;
  readonly adminUrl: string;
  reload(): Promise<Reloaded>;
  /** Opens the access log file anew (after it was renamed). */
  reopenLog(): Promise<void>;
  /** Drains for at most `deadlineMs`; resolves with how many workers had to be killed. */
  stop(deadlineMs: number): Promise<number>;
  /** Ends the workers at once; `stop` then resolves. */
  kill(): void;
}

/** A larger young generation spares collections under load; see DESIGN.md on the hot path. */
const WORKER_FLAGS = ['--max-semi-space-size=64'];
const workerEntry = fileURLToPath(new URL('./worker.js', import.meta.url));

/** Starts everything; throws an `Error` for operators to read when something cannot be had, with nothing left behind. */
export async function startGateway(parts: GatewayParts): Promise<Gateway> {
  const { loaded, notice } = parts;
  const clock = systemClock;
  // Names this instance in Via, so that it knows its own requests when they come round again.
  const pseudonym = `gatehouse-${randomBytes(4).toString('hex')}`;
  const events = new Events();
  const rollup = new Rollup();
  const registry = new Registry();
  const own = new SupervisorMetrics(registry, clock);
  const ownProcess = new ProcessMetrics(registry, clock, 'supervisor', VERSION, process.version);
  const readProcess = processReader();
  events.on('notice', notice);
  const target = loaded.config.log.access;
  const log =
    target === 'off' ? undefined : await openLog(target, { clock, notice, onDrain: () => supervisor.resumeLogs() });
  const ejectedBy = new Map<string, Set<number>>();
  const supervisor = new Supervisor<Config>({
    clock,
    events,
    program: { entry: workerEntry, args: [pseudonym], execArgv: [...inherited(), ...WORKER_FLAGS] },
    config: loaded.config,
    files: loaded.files,
    workers: ({ workers }) => (workers === 'auto' ? availableParallelism() : workers),
    load: async () => {
      const next = parts.load();
      if (next.ok) for (const warning of next.warnings) notice({ level: 'warn', message: formatProblem(warning) });
      return next.ok ? next : { ok: false, problems: next.problems.map(formatProblem) };
    },
    log: (_worker, lines) => log?.write(lines.toString('utf8')) ?? true,
    metrics: (worker, snapshot) => rollup.update(String(worker), snapshot as Metrics),
    gone: (worker) => {
      rollup.retire(String(worker));
      for (const workers of ejectedBy.values()) workers.delete(worker);
    },
    exited: (reason) => own.workerExited(reason),
    observed: (worker, { upstream, endpoint, healthy }) => {
      const key = `${upstream}\n${endpoint}`;
      const workers = ejectedBy.get(key) ?? new Set();
      ejectedBy.set(key, healthy ? (workers.delete(worker), workers) : workers.add(worker));
    },
  });
  const measure = () => {
    const count = { starting: 0, ready: 0, draining: 0, ended: 0 };
    for (const { state } of supervisor.status().workers) count[state]++;
    own.workers(count.starting, count.ready, count.draining);
    ownProcess.sampleProcess(readProcess());
    rollup.update('supervisor', registry.snapshot());
  };
  let configError = '';
  const state = { configError: () => configError, ejectedBy: (key: string) => ejectedBy.get(key)?.size ?? 0 };
  let admin: Admin | undefined;
  try {
    await supervisor.start();
    admin = await startAdmin({
      address: loaded.config.admin.address,
      handle: adminHandle(supervisor, rollup, measure, clock, state),
      clock,
      notice: (one) => events.emit('notice', one),
    }).catch((error: NodeJS.ErrnoException) => {
      const advice =
        error.code === 'EADDRINUSE' ? '; another process listens there: stop it or choose another port' : '';
      throw new Error(`admin.address: cannot listen on ${loaded.config.admin.address}: ${error.message}${advice}`);
    });
  } catch (error) {
    await supervisor.kill();
    await log?.close();
    throw error;
  }
  own.reloaded(true);
  const urls = () =>
    new Map(
      supervisor.addresses.map(({ listener, address }) => [
        listener,
        urlOf(supervisor.snapshot.config, listener, address),
      ]),
    );
  return {
    get urls() {
      return urls();
    },
    adminUrl: admin.url,
    async reload() {
      const result = await supervisor.reload();
      own.reloaded(result.ok);
      configError = result.ok ? '' : result.problems.join('; ');
      return result;
    },
    reopenLog: async () => log?.reopen(),
    async stop(deadlineMs) {
      const killed = await supervisor.stop(deadlineMs);
      await admin?.close();
      await log?.close();
      return killed;
    },
    kill: () => void supervisor.kill(),
  };
}

function urlOf(config: Config, listener: string, address: string): string {
  if (address.startsWith('unix:')) return address;
  return `${config.listeners[listener]?.tls ? 'https' : 'http'}://${address}`;
}

/** Options of this process that workers share; a debugger's port cannot be had twice. */
const inherited = () => process.execArgv.filter((flag) => !/^--(inspect|debug|eval|print|test|input-type)/.test(flag));
