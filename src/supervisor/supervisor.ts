/**
 * The supervisor: binds the listeners, forks and watches the workers, hands them snapshots, runs the health prober. It
 * never touches a request. Times are milliseconds of the given clock.
 */
import { Endpoints } from './endpoints.ts';
import { Hearing } from './hearing.ts';
import type { Inherited } from './inherit.ts';
import { type ListenerPlan, Listeners, type Listening } from './listeners.ts';
import type { Snapshot } from './messages.ts';
import type { SupervisedConfig, SupervisorOptions } from './options.ts';
import { Pool } from './pool.ts';
import type { Reloaded, SupervisorStatus } from './report.ts';
import { Trials } from './trial.ts';

export { refuseCode } from './bind.ts';
export { Certificates } from './certificates.ts';
export { Directory, type DirectoryHealth, type DirectoryKind } from './directory.ts';
export { HANDOVER, type Inherited, inheritedFrom } from './inherit.ts';
export type { Reloaded } from './report.ts';
export { Services } from './services.ts';
export type { HandedKey } from './ticketring.ts';

/** The supervisor of one gateway. */
export class Supervisor<C extends SupervisedConfig> {
  readonly #options: SupervisorOptions<C>;
  readonly #listeners: Listeners;
  /** Health, agents and breakers. */
  readonly endpoints: Endpoints;
  #pool: Pool | undefined;
  #snapshot: Snapshot<C>;
  #generation = 1;
  #listening: Listening[] = [];
  #reloading: Promise<unknown> = Promise.resolve();
  readonly #trials: Trials;
  readonly #hearing: Hearing;
  #stopped = false;

  constructor(options: SupervisorOptions<C>) {
    this.#options = options;
    this.#listeners = new Listeners(options.inherited);
    this.#trials = new Trials(options.clock);
    this.#snapshot = { generation: this.#generation, config: options.config, files: options.files };
    const { clock, events } = options;
    const workers = () => this.#pool?.workers ?? [];
    options.services.attach(workers, clock);
    this.endpoints = new Endpoints({ clock, events, workers, count: () => options.workers(this.#snapshot.config) });
    this.#hearing = new Hearing(options, this.endpoints, this.#trials);
  }

  /**
   * Binds, forks, and resolves when every worker serves. Throws `BindError`, or an `Error` saying why the workers do
   * not come up; then everything has been taken down again.
   */
  async start(): Promise<void> {
    const { events } = this.#options;
    const plan = await this.#listeners.plan(this.#snapshot.config.listeners);
    plan.commit();
    for (const message of this.#listeners.refuseSurplus()) events.emit('notice', { level: 'warn', message });
    this.#listening = plan.listeners;
    await this.#staff();
  }

  /** Forks the workers and waits until they serve. */
  async #staff(): Promise<void> {
    const { config, files } = this.#snapshot;
    this.endpoints.update(config.upstreams, files);
    const { clock, events, program, restarts } = this.#options;
    const pool = new Pool(
      clock,
      program,
      this.#desired(),
      {
        notice: (notice) => events.emit('notice', notice),
        message: (worker, message) => this.#hearing.message(worker, message),
        log: this.#options.log,
        gone: (worker, pid) => this.#gone(worker, pid),
        exited: (reason) => this.#options.exited?.(reason),
        silenceMs: () => this.#options.silenceMs?.(this.#snapshot.config) ?? 30_000,
      },
      restarts,
    );
    this.#pool = pool;
    pool.resize(this.#options.workers(config), 0);
    while (!pool.settled) {
      const why =
        this.#hearing.failed || (pool.looping ? `workers die at their start: the last one ${pool.lastDeath}` : '');
      if (why || this.#stopped) {
        await this.kill();
        throw new Error(why || 'stopped before it was ready');
      }
      await pool.change();
    }
  }

  /** Where it listens, ports resolved. */
  get addresses(): { listener: string; address: string }[] {
    return this.#listening.map(({ listener, address }) => ({ listener, address }));
  }

  /** The configuration in force. */
  get snapshot(): Snapshot<C> {
    return this.#snapshot;
  }

  status(): SupervisorStatus {
    const { restarts = 0, looping = false } = this.#pool ?? {};
    const [{ generation }, listeners] = [this.#snapshot, this.addresses];
    return { generation, listeners, workers: this.#pool?.status() ?? [], restarts, crashLoop: looping };
  }

  /** Has a worker replaced, because of `reason`; its requests end. */
  renew(worker: number, reason: string): void {
    this.#pool?.renew(worker, reason, this.#options.drainMs?.(this.#snapshot.config) ?? 30_000);
  }

  /** The faults that run have changed. */
  chaosChanged(): void {
    const running = this.#options.chaos?.() ?? [];
    for (const worker of this.#pool?.workers ?? []) worker.tell({ type: 'chaos', running });
  }

  /** The access log file was renamed; workers that write it themselves open it anew. */
  reopenLogs(): void {
    this.#pool?.reopenLogs();
  }

  /** The log sink takes more. */
  resumeLogs(): void {
    this.#pool?.resumeLogs();
  }

  /**
   * Loads the configuration anew and goes over to it; on any problem the old one stays in force. New addresses are
   * bound first; then one worker tries the snapshot; then all get it; then addresses that vanished are closed.
   */
  reload(): Promise<Reloaded> {
    const next = this.#reloading.then(() => this.#reload());
    this.#reloading = next.catch(() => undefined);
    return next.catch((error: Error) => this.#refuse([error.message]));
  }

  /** Stops accepting, lets requests end for at most `deadlineMs`, then ends; resolves with how many workers were killed. */
  async stop(deadlineMs: number): Promise<number> {
    this.#stopped = true;
    this.endpoints.stop();
    // Ours first: what still queues in the kernel is accepted by the workers or refused when they close theirs.
    this.#listeners.close();
    return (await this.#pool?.stop(deadlineMs)) ?? 0;
  }

  /** The sockets as they are handed down to the program that takes over. */
  sockets(): Inherited[] {
    return this.#listeners.handDown();
  }

  /** As `stop`, but our copies of the sockets stay open: another process accepts on them, or we come back. */
  async leave(deadlineMs: number): Promise<number> {
    this.endpoints.stop();
    return (await this.#pool?.stop(deadlineMs)) ?? 0;
  }

  /** After `leave`: whoever took over goes by this configuration, and so what our workers still do is judged by it. */
  judgeBy(config: C): void {
    const desired = this.#desired();
    this.#pool?.desire({ ...desired, snapshot: { ...desired.snapshot, config } });
  }

  /** After `leave`: whoever took over has died, so we serve again. Resolves when every worker serves. */
  async comeBack(): Promise<void> {
    this.#hearing.failed = '';
    await this.#staff();
  }

  /** Ends everything now. */
  async kill(): Promise<void> {
    this.#pool?.kill();
    await this.stop(0);
  }

  #desired() {
    const chaos = () => this.#options.chaos?.() ?? [];
    const health = () => this.endpoints.health();
    return { snapshot: this.#snapshot, health, listeners: this.#listening, chaos, services: this.#options.services };
  }

  async #reload(): Promise<Reloaded> {
    const loaded = await this.#options.load();
    if (!loaded.ok) return this.#refuse(loaded.problems);
    const { config, files } = loaded;
    const plan = await this.#listeners.plan(config.listeners);
    try {
      // Also counts what was refused: a worker may have seen that number.
      const generation = ++this.#generation;
      const snapshot: Snapshot<C> = { generation, config, files };
      const trial = [...this.#pool!.workers].find((worker) => worker.state === 'ready');
      const problem = trial && (await this.#trials.run(trial, snapshot, this.endpoints.health(), this.#pool!));
      if (this.#stopped) throw new Error('stopped while reloading');
      if (problem) {
        plan.rollback();
        return this.#refuse([problem]);
      }
      this.#adopt(snapshot, plan);
      return { ok: true, generation };
    } catch (error) {
      plan.rollback();
      throw error;
    }
  }

  #adopt(snapshot: Snapshot<C>, plan: ListenerPlan): void {
    this.#snapshot = snapshot;
    this.#listening = plan.listeners;
    this.endpoints.update(snapshot.config.upstreams, snapshot.files);
    this.#pool!.desire(this.#desired());
    plan.commit();
    this.#pool!.resize(this.#options.workers(snapshot.config), this.#options.drainMs?.(snapshot.config) ?? 30_000);
    const { generation } = snapshot;
    const message = `configuration ${generation} is in force`;
    this.#options.events.emit('notice', { level: 'info', message, attributes: { generation } });
  }

  #gone(worker: number, pid: number): void {
    this.endpoints.gone(worker);
    this.#options.gone(worker, pid);
  }

  #refuse(problems: readonly string[]): Reloaded {
    const message = `reload refused, configuration ${this.#snapshot.generation} stays in force: ${problems.join('; ')}`;
    this.#options.events.emit('notice', { level: 'error', message });
    return { ok: false, problems };
  }
}
