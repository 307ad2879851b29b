/** What a process says about itself: CPU, memory, and how late its event loop runs. Also the supervisor's own metrics. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Clock } from '../kernel/clock.ts';
import { PROCESS_METRICS as P, SUPERVISOR_METRICS as S, WORKER_METRICS as W } from './catalog.ts';
import { type CpuShares, cpuReader } from './cpu.ts';
import { LimitMetrics } from './limits.ts';
import { PlaceMetrics } from './places.ts';
import type { Counter, Family, Gauge, Registry } from './registry.ts';
import { StoreMetrics } from './store.ts';
import { TokenMetrics } from './tokens.ts';
import { UsageMetrics } from './usage.ts';

/** One reading of the process; the two CPU figures are totals since its start. */
export interface ProcessReadings {
  cpuUserSeconds: number;
  cpuSystemSeconds: number;
  residentBytes: number;
  heapUsedBytes: number;
  /** Longest delay of the event loop since the reading before. */
  loopLagMaxSeconds: number;
  /** Share of the time since the reading before that the event loop was busy, 0 to 1. */
  loopBusyRatio: number;
}

/**
 * Gives a reader of this process's memory. Reading takes a file descriptor; when there is none left, the reading before
 * stands: a process that is out of them has to go on.
 */
export function memoryReader(read: () => NodeJS.MemoryUsage = process.memoryUsage): () => NodeJS.MemoryUsage {
  let last = read();
  return () => {
    try {
      last = read();
    } catch {
      // Said above.
    }
    return last;
  };
}

/** Gives a reader of the real process; each call reads the time since the call before. Call it about once a second. */
export function processReader(): () => ProcessReadings {
  const resolution = 50;
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  const readMemory = memoryReader();
  let before = performance.eventLoopUtilization();
  return () => {
    const cpu = process.cpuUsage();
    const memory = readMemory();
    const now = performance.eventLoopUtilization();
    const busy = performance.eventLoopUtilization(now, before).utilization;
    before = now;
    // The histogram holds the whole time between two ticks of its timer, so its period is taken off.
    const lagMs = Math.max(0, delay.max / 1e6 - resolution);
    delay.reset();
    return {
      cpuUserSeconds: cpu.user / 1e6,
      cpuSystemSeconds: cpu.system / 1e6,
      residentBytes: memory.rss,
      heapUsedBytes: memory.heapUsed,
      loopLagMaxSeconds: lagMs / 1000,
      loopBusyRatio: busy,
    };
  };
}

/** What limits on the process go by. */
export interface LoadReadings {
  /** Resident memory, less what the allocator keeps of what was freed: that is used again before any more is taken. */
  residentBytes: number;
  heapUsedBytes: number;
  heapLimitBytes: number;
  /** Mean delay of the event loop since the reading before, in milliseconds. */
  loopDelayMs: number;
  /** Busy shares since the reading before. */
  cpu: CpuShares;
}

/** Gives a reader of how burdened the real process is; each call reads the time since the call before. */
export function loadReader(clock: Clock): () => LoadReadings {
  const resolution = 20;
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  const readMemory = memoryReader();
  const start = readMemory();
  const cpu = cpuReader(clock);
  const program = Math.max(0, start.rss - start.heapTotal - start.external);
  return () => {
    const { rss, heapTotal, heapUsed, external } = readMemory();
    // Without a single tick in all that time there is no mean.
    const mean = Number.isFinite(delay.mean) ? Math.max(0, delay.mean / 1e6 - resolution) : 0;
    delay.reset();
    return {
      residentBytes: Math.min(rss, program + heapTotal + external),
      heapUsedBytes: heapUsed,
      heapLimitBytes: getHeapStatistics().heap_size_limit,
      loopDelayMs: mean,
      cpu: cpu(),
    };
  };
}

/** The process metrics of one worker, or of the supervisor. */
export class ProcessMetrics {
  readonly #cpuUser: Counter;
  readonly #cpuSystem: Counter;
  readonly #rss: Gauge;
  readonly #heap: Gauge;
  readonly #lag: Gauge;
  readonly #busy: Gauge;
  #userBefore = 0;
  #systemBefore = 0;

  /** `worker`: name of the process in labels; `version`: Gatehouse's; `node`: the runtime's (`process.version`). */
  constructor(registry: Registry, clock: Clock, worker: string, version: string, node: string) {
    registry.gauge(P.build).with(version, node).set(1);
    registry
      .gauge(P.start)
      .with(worker)
      .set(Math.floor(clock.wall()) / 1000);
    const cpu = registry.counter(P.cpu);
    this.#cpuUser = cpu.with(worker, 'user');
    this.#cpuSystem = cpu.with(worker, 'system');
    this.#rss = registry.gauge(P.rss).with(worker);
    this.#heap = registry.gauge(P.heap).with(worker);
    this.#lag = registry.gauge(P.lag).with(worker);
    this.#busy = registry.gauge(P.busy).with(worker);
  }

  /** Takes a reading in. */
  sampleProcess(readings: ProcessReadings): void {
    this.#cpuUser.inc(readings.cpuUserSeconds - this.#userBefore);
    this.#cpuSystem.inc(readings.cpuSystemSeconds - this.#systemBefore);
    this.#userBefore = readings.cpuUserSeconds;
    this.#systemBefore = readings.cpuSystemSeconds;
    this.#rss.set(readings.residentBytes);
    this.#heap.set(readings.heapUsedBytes);
    this.#lag.set(readings.loopLagMaxSeconds);
    this.#busy.set(readings.loopBusyRatio);
  }
}

/** What the supervisor counts about its workers and its configuration. */
export class SupervisorMetrics {
  readonly #workers: Family<Gauge>;
  readonly #exits: Family<Counter>;
  readonly #reloads: Family<Counter>;
  readonly #lost: Counter;
  readonly #appliedAt: Gauge;
  readonly #directorySyncedAt: Gauge;
  readonly #logDropped: Family<Counter>;
  readonly #expiry: Family<Gauge>;
  readonly #lifetime: Family<Gauge>;
  readonly #issued: Family<Counter>;
  #expiring: readonly (readonly [string, string])[] = [];
  readonly places: PlaceMetrics;
  readonly tokens: TokenMetrics;
  readonly usage: UsageMetrics;
  readonly limits: LimitMetrics;
  readonly store: StoreMetrics;
  readonly #clock: Clock;

  constructor(registry: Registry, clock: Clock) {
    this.#clock = clock;
    this.#workers = registry.gauge(S.workers);
    this.#exits = registry.counter(S.exits);
    this.#reloads = registry.counter(S.reloads);
    this.#lost = registry.counter(S.lost).with();
    this.#appliedAt = registry.gauge(S.reloadedAt).with();
    this.#directorySyncedAt = registry.gauge(S.directorySyncedAt).with();
    this.#logDropped = registry.counter(W.logDropped);
    this.places = new PlaceMetrics(registry);
    this.tokens = new TokenMetrics(registry);
    this.usage = new UsageMetrics(registry);
    this.limits = new LimitMetrics(registry);
    this.store = new StoreMetrics(registry, clock);
    for (const result of ['applied', 'rejected']) this.#reloads.with(result);
    this.#expiry = registry.gauge(S.certificateExpiry);
    this.#lifetime = registry.gauge(S.certificateLifetime);
    this.#issued = registry.counter(S.certificatesIssued);
  }

  /** How many workers are in each state now. */
  workers(starting: number, ready: number, draining: number): void {
    this.#workers.with('starting').set(starting);
    this.#workers.with('ready').set(ready);
    this.#workers.with('draining').set(draining);
  }

  /** A worker ended; `reason` is `drained`, `code_N` or a signal name. */
  workerExited(reason: string): void {
    this.#exits.with(reason).inc();
  }

  /** So many requests were under way in a worker that has died. */
  requestsLost(count: number): void {
    if (count > 0) this.#lost.inc(count);
  }

  /** A configuration (the first included) was applied or rejected. */
  reloaded(applied: boolean): void {
    this.#reloads.with(applied ? 'applied' : 'rejected').inc();
    if (applied) this.#appliedAt.set(Math.floor(this.#clock.wall()) / 1000);
  }

  /** The certificates to show, and their ends in milliseconds since 1970; others vanish. */
  certificates(shown: readonly { source: string; name: string; notBefore: number; notAfter: number }[]): void {
    for (const [source, name] of this.#expiring) {
      this.#expiry.remove(source, name);
      this.#lifetime.remove(source, name);
    }
    this.#expiring = shown.map(({ source, name }) => [source, name] as const);
    for (const { source, name, notBefore, notAfter } of shown) {
      this.#expiry.with(source, name).set(notAfter / 1000);
      this.#lifetime.with(source, name).set((notAfter - notBefore) / 1000);
    }
  }

  /** An attempt to have a certificate issued has ended. */
  certificateAttempted(result: 'issued' | 'failed'): void {
    this.#issued.with(result).inc();
  }

  /** What workers know of the store is as the store has it. */
  directorySynced(): void {
    this.#directorySyncedAt.set(Math.floor(this.#clock.wall()) / 1000);
  }

  /** `lines` of this log were lost on their way to the disk. */
  logDropped(log: string, lines: number): void {
    this.#logDropped.with(log).inc(lines);
  }
}
