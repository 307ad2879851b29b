/** The workers: forked, watched, replaced when they die, drained when asked. Knows no configuration. */
import { MessageChannel } from 'node:worker_threads';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { ToSupervisor } from './messages.ts';
import type { RestartSettings } from './restart.ts';
import { Restarts } from './restart.ts';
import type { Desired, WorkerOwner, WorkerProgram } from './worker.ts';
import { WorkerProcess } from './worker.ts';

/** Who is told what the pool sees. */
export interface PoolHooks {
  notice(notice: NoticeEvent): void;
  message(worker: WorkerProcess, message: ToSupervisor): void;
  log(worker: number, lines: Buffer): boolean;
  gone(worker: number, pid: number): void;
  /** `drained`, `code_N` or a signal's name. */
  exited(reason: string): void;
  /** A worker that has said nothing for this long is stuck in a loop and is killed (milliseconds). */
  silenceMs(): number;
}

/** A worker as operators see it. */
export interface WorkerStatus {
  worker: number;
  slot: number;
  pid: number;
  state: WorkerProcess['state'];
  generation: number;
  ageMs: number;
  /** How often its slot was filled anew after a death. */
  restarts: number;
}

interface Slot {
  current: WorkerProcess | undefined;
  wanted: boolean;
  restarts: number;
}

const WATCH = 1000;
/** Milliseconds that a worker lives at least before it is renewed. */
const RENEW_AGE = 10_000;
/** Milliseconds that a draining worker gets beyond its deadline before it is killed. */
const OVERTIME = 3000;

/** A set of worker processes, one per slot, and those that are on their way out. */
export class Pool {
  readonly #clock: Clock;
  readonly #program: WorkerProgram;
  readonly #hooks: PoolHooks;
  readonly #restarts: Restarts;
  readonly #slots: Slot[] = [];
  readonly #all = new Set<WorkerProcess>();
  readonly #owner: WorkerOwner;
  #desired: Desired;
  #ids = 0;
  #stopping = false;
  #watchedAt: number;
  readonly #watching: Timer;
  /** An open port keeps this process alive while no worker lives and the next waits for its time. */
  readonly #alive = new MessageChannel().port1;
  #loopTold = false;
  #waiters: (() => void)[] = [];
  /** Why the latest worker ended. */
  lastDeath = '';
  /** Replacements made since the start. */
  restarts = 0;

  constructor(
    clock: Clock,
    program: WorkerProgram,
    desired: Desired,
    hooks: PoolHooks,
    restartSettings?: RestartSettings,
  ) {
    this.#clock = clock;
    this.#program = program;
    this.#desired = desired;
    this.#hooks = hooks;
    this.#restarts = new Restarts(clock, restartSettings);
    this.#owner = {
      message: (worker, message) => this.#message(worker, message),
      log: (worker, lines) => hooks.log(worker.id, lines),
      trouble: (worker, reason) => this.#notice('warn', `worker ${worker.id}: ${reason}`, worker),
      ended: (worker, how, reason) => {
        hooks.exited(reason);
        this.#ended(worker, how);
      },
      gone: (worker) => hooks.gone(worker.id, worker.pid),
    };
    this.#watchedAt = clock.now();
    this.#alive.on('message', () => {});
    this.#watching = clock.every(WATCH, () => this.#watch());
  }

  /** Every process, those on their way out included. */
  get workers(): ReadonlySet<WorkerProcess> {
    return this.#all;
  }

  /** Whether workers keep dying young. */
  get looping(): boolean {
    return this.#restarts.looping;
  }

  /** True when each slot has a worker that serves what is desired. */
  get settled(): boolean {
    return this.#slots.every((slot) => !slot.wanted || (slot.current?.state === 'ready' && slot.current.settled));
  }

  status(): WorkerStatus[] {
    const now = this.#clock.now();
    return [...this.#all].map((w) => {
      const { id, slot, pid, state, applied, bornAt } = w;
      const restarts = this.#slots[slot]!.restarts;
      return { worker: id, slot, pid, state, generation: applied, ageMs: now - bornAt, restarts };
    });
  }

  /** How many workers there shall be; surplus ones are drained. */
  resize(count: number, drainMs: number): void {
    while (this.#slots.length < count) this.#slots.push({ current: undefined, wanted: false, restarts: 0 });
    this.#slots.forEach((slot, at) => {
      const wanted = at < count;
      if (wanted === slot.wanted) return;
      slot.wanted = wanted;
      if (wanted) this.#fork(at);
      else if (slot.current) this.#drain(slot.current, drainMs);
    });
  }

  /** What all workers are to be from now on, new ones included. */
  desire(desired: Desired): void {
    this.#desired = desired;
    for (const worker of this.#all) worker.reconcile(desired);
  }

  /** The access log file was renamed; workers that write it themselves open it anew. */
  reopenLogs(): void {
    for (const worker of this.#all) worker.reopenLog();
  }

  /** The log sink takes more. */
  resumeLogs(): void {
    for (const worker of this.#all) worker.resumeLog();
  }

  /** Resolves at the next change of any worker's state. */
  change(): Promise<void> {
    return new Promise((done) => this.#waiters.push(done));
  }

  /** Has a worker replaced by a new one; it lets its requests end. Does nothing to one that is new or on its way out. */
  renew(id: number, reason: string, drainMs: number): void {
    const worker = [...this.#all].find((one) => one.id === id);
    if (worker === undefined || worker.state !== 'ready' || this.#stopping) return;
    // One that is beyond its cap from the start would be replaced for ever.
    if (this.#clock.now() - worker.bornAt < RENEW_AGE) return;
    this.#notice('warn', `worker ${worker.id} ${reason}; it is replaced and lets its requests end`, worker);
    this.#drain(worker, drainMs);
    if (this.#slots[worker.slot]?.current === worker) this.#fork(worker.slot);
  }

  /** Drains all; resolves with how many had to be killed. */
  async stop(deadlineMs: number): Promise<number> {
    this.#stopping = true;
    for (const worker of this.#all) if (worker.state !== 'draining') worker.drain(deadlineMs);
    let killed = 0;
    const timer = this.#clock.after(deadlineMs + OVERTIME, () => {
      killed = this.#all.size;
      this.kill();
    });
    while (this.#all.size > 0) await this.change();
    timer.cancel();
    this.#watching.cancel();
    this.#alive.close();
    return killed;
  }

  /** Ends all at once; no replacements any more. */
  kill(): void {
    this.#stopping = true;
    for (const worker of this.#all) worker.kill();
  }

  #fork(at: number): void {
    const slot = this.#slots[at]!;
    if (this.#stopping || !slot.wanted) return;
    try {
      const worker = new WorkerProcess(++this.#ids, at, this.#clock.now(), this.#program, this.#owner);
      slot.current = worker;
      this.#all.add(worker);
      worker.reconcile(this.#desired);
    } catch (error) {
      this.#notice('error', `no worker could be forked, tried again in 1 s: ${(error as Error).message}`);
      this.#clock.after(1000, () => this.#fork(at));
    }
  }

  #drain(worker: WorkerProcess, deadlineMs: number): void {
    worker.drain(deadlineMs);
    this.#clock.after(deadlineMs + OVERTIME, () => {
      if (this.#all.has(worker)) worker.kill();
    });
  }

  #message(worker: WorkerProcess, message: ToSupervisor): void {
    worker.heardAt = this.#clock.now();
    if (message.type === 'leaving' && worker.state !== 'draining') {
      worker.leaving();
      this.#notice('info', `worker ${worker.id} leaves (${message.reason}); it is replaced`, worker);
      if (this.#slots[worker.slot]?.current === worker) this.#fork(worker.slot);
    }
    if (worker.state === 'starting' && worker.settled) worker.state = 'ready';
    this.#hooks.message(worker, message);
    if (message.type !== 'metrics' && message.type !== 'heartbeat') this.#changed();
  }

  #ended(worker: WorkerProcess, how: string): void {
    this.#all.delete(worker);
    const slot = this.#slots[worker.slot]!;
    if (slot.current === worker) {
      slot.current = undefined;
      if (slot.wanted && !this.#stopping) this.#replace(worker, how);
    }
    this.#changed();
  }

  #replace(worker: WorkerProcess, how: string): void {
    const delay = this.#restarts.died(worker.slot, this.#clock.now() - worker.bornAt);
    this.lastDeath = how;
    this.restarts++;
    this.#slots[worker.slot]!.restarts++;
    const when = delay > 0 ? `in ${Math.round(delay)} ms` : 'at once';
    this.#notice('error', `worker ${worker.id} (pid ${worker.pid}) ${how}; it is replaced ${when}`, worker);
    if (!this.looping) this.#loopTold = false;
    else if (!this.#loopTold) {
      this.#loopTold = true;
      const advice = 'look at what it printed above, and at the configuration and memory; replacing goes on, slower';
      this.#notice('error', `crash loop: workers keep dying soon after their start (the last one ${how}); ${advice}`);
    }
    if (delay > 0) this.#clock.after(delay, () => this.#fork(worker.slot));
    else queueMicrotask(() => this.#fork(worker.slot));
  }

  #watch(): void {
    const now = this.#clock.now();
    const late = now - this.#watchedAt > 5 * WATCH;
    this.#watchedAt = now;
    const silenceMs = this.#hooks.silenceMs();
    for (const worker of this.#all) {
      // We slept ourselves (a stopped machine): their messages lie unread, so nobody is to blame.
      if (late) worker.heardAt = now;
      if (worker.state === 'draining' || now - worker.heardAt < silenceMs) continue;
      this.#notice('error', `worker ${worker.id} has been silent for ${silenceMs / 1000} s; it is killed`, worker);
      worker.heardAt = now;
      worker.kill();
    }
  }

  #notice(level: NoticeEvent['level'], message: string, worker?: WorkerProcess): void {
    this.#hooks.notice({ level, message, attributes: worker ? { worker: worker.id, pid: worker.pid } : {} });
  }

  #changed(): void {
    for (const done of this.#waiters.splice(0)) done();
  }
}
