/** One worker process as the supervisor sees it: what it was told, what it has answered, and its end. */
import type { ChildProcess, ForkOptions } from 'node:child_process';
import { fork } from 'node:child_process';
import type { Readable } from 'node:stream';
import { Channel } from './channel.ts';
import { LineCutter } from './lines.ts';
import type { Listening } from './listeners.ts';
import type { EndpointHealth, Snapshot, ToSupervisor, ToWorker } from './messages.ts';
import { TO_SUPERVISOR } from './messages.ts';
import { Seeder } from './seed.ts';
import type { Services } from './services.ts';

/** Which program a worker runs. */
export interface WorkerProgram {
  /** Path of the module. Its first argument is the number of the worker's slot, from 0. */
  entry: string;
  args?: readonly string[];
  /** Options of node itself, such as `--max-semi-space-size=64`. */
  execArgv?: readonly string[];
}

/** What a worker is to be; `reconcile` brings it there. */
export interface Desired {
  snapshot: Snapshot;
  health: () => EndpointHealth[];
  listeners: readonly Listening[];
  /** Faults that were switched on at run time. */
  chaos: () => readonly unknown[];
  services: Services;
}

/** What the worker tells its owner. */
export interface WorkerOwner {
  message(worker: WorkerProcess, message: ToSupervisor): void;
  /** Whole lines of its access log; false: send no more until `resumeLog`. */
  log(worker: WorkerProcess, lines: Buffer): boolean;
  trouble(worker: WorkerProcess, reason: string): void;
  /** The process has ended (or could not be started); once. `reason` is `drained`, `code_N` or a signal's name. */
  ended(worker: WorkerProcess, how: string, reason: string): void;
  /** All it ever sent has been read; once, after `ended`. */
  gone(worker: WorkerProcess): void;
}

const keyOf = (l: { listener: string; address: string }) => `${l.listener} ${l.address}`;

/** Characters of a report that are passed on. */
const MAX_REPORT = 4000;

/** A forked worker. */
export class WorkerProcess {
  /** Different for every process ever started by this supervisor. */
  readonly id: number;
  readonly slot: number;
  readonly bornAt: number;
  /** starting: not serving everything yet; draining: told to go. */
  state: 'starting' | 'ready' | 'draining' | 'ended' = 'starting';
  /** When the last message came. */
  heardAt: number;
  /** Generation it serves. */
  applied = 0;
  /** Bytes of log lines that were too long to keep. */
  get logDropped(): number {
    return this.#cutter.dropped;
  }
  readonly #child: ChildProcess;
  readonly #channel: Channel<ToWorker, ToSupervisor>;
  readonly #cutter = new LineCutter();
  readonly #owner: WorkerOwner;
  readonly #seeder: Seeder;
  #hello = false;
  #sentGeneration = 0;
  /** The configuration that it was told last. */
  #sentConfig: unknown = undefined;
  readonly #sentListeners = new Map<string, Listening>();
  readonly #listening = new Set<string>();
  #healthBehind = false;
  #marks = 0;
  /** Who waits for an answer to `mark`, by its number. */
  readonly #marked = new Map<number, () => void>();
  #desired: Desired | undefined;

  /** Forks at once. `now`: monotonic time. */
  constructor(id: number, slot: number, now: number, program: WorkerProgram, owner: WorkerOwner) {
    this.id = id;
    this.slot = slot;
    this.bornAt = now;
    this.heardAt = now;
    this.#owner = owner;
    const options: ForkOptions = {
      // What a worker prints is for operators: both go to our stderr, for stdout belongs to the access log.
      // 3: lines of its access log; 5: what a thread beside its event loop has to say when that is stuck.
      stdio: ['ignore', 2, 2, 'pipe', 'ipc', 'pipe'],
      serialization: 'advanced',
      execArgv: [...(program.execArgv ?? [])],
    };
    this.#child = fork(program.entry, [String(slot), ...(program.args ?? [])], options);
    this.#channel = new Channel(this.#child, TO_SUPERVISOR, {
      message: (message) => this.#receive(message),
      trouble: (reason) => owner.trouble(this, reason),
      caughtUp: () => {
        if (this.#healthBehind && this.#desired) this.sendHealth(this.#desired.health());
        this.#seeder.caughtUp();
      },
    });
    this.#seeder = new Seeder(this.#channel);
    let ended = false;
    const end = (how: string, reason: string) => {
      if (ended) return;
      ended = true;
      const drained = this.state === 'draining' && reason === 'code_0';
      this.state = 'ended';
      for (const done of this.#marked.values()) done();
      this.#marked.clear();
      owner.ended(this, how, drained ? 'drained' : reason);
      if (this.#child.pid === undefined) close();
    };
    let closed = false;
    const close = () => {
      if (!closed) owner.gone(this);
      closed = true;
    };
    this.#child.on('error', (error) => {
      if (this.#child.pid === undefined) end(`could not be started: ${error.message}`, 'not_started');
      else owner.trouble(this, error.message);
    });
    this.#child.on('exit', (code, signal) => {
      end(signal ? `was killed by ${signal}` : `exited with code ${code}`, signal ?? `code_${code}`);
    });
    this.#child.on('close', close);
    // The types know five descriptors only.
    const reports = (this.#child.stdio as readonly unknown[] | undefined)?.[5] as Readable | undefined;
    reports?.setEncoding('utf8').on('data', (text: string) => owner.trouble(this, text.trim().slice(0, MAX_REPORT)));
    reports?.on('error', () => {});
    const log = this.#log();
    log?.on('data', (chunk: Buffer) => {
      const lines = this.#cutter.push(chunk);
      if (lines && !owner.log(this, lines)) log.pause();
    });
    log?.on('end', () => {
      const lines = this.#cutter.end();
      if (lines) owner.log(this, lines);
    });
    log?.on('error', (error: Error) => owner.trouble(this, `its log pipe failed: ${error.message}`));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Whether it serves the generation and listeners it was last told. */
  get settled(): boolean {
    const d = this.#desired;
    return d !== undefined && this.applied >= d.snapshot.generation && this.#listening.size === d.listeners.length;
  }

  /** Tells it what is missing to be as `desired`; what it was told already is not said again. */
  reconcile(desired: Desired): void {
    this.#desired = desired;
    if (!this.#hello || this.state === 'ended') return;
    if (this.state === 'draining') {
      this.#sendInForce();
      return;
    }
    const fresh = this.#sentGeneration === 0;
    this.sendSnapshot(desired.snapshot, desired.health());
    if (fresh && desired.chaos().length > 0) this.tell({ type: 'chaos', running: desired.chaos() });
    if (!this.#seeder.seeded) {
      void this.#seeder.seed(desired.services).then(() => this.reconcile(this.#desired ?? desired));
      return;
    }
    const wanted = new Set(desired.listeners.map(keyOf));
    // First what goes: a listener that moves keeps its name, and the worker knows it by that.
    for (const [key, { listener, address }] of this.#sentListeners) {
      if (wanted.has(key)) continue;
      this.#sentListeners.delete(key);
      this.#listening.delete(key);
      this.#channel.send({ type: 'unlisten', listener, address });
    }
    for (const listening of desired.listeners) {
      const { listener, address, handle } = listening;
      if (this.#sentListeners.get(keyOf(listening))?.handle === handle) continue;
      this.#sentListeners.set(keyOf(listening), listening);
      this.#channel.send({ type: 'listen', listener, address }, handle);
    }
  }

  /** Sends a snapshot unless it has been sent; the answer comes as a message. */
  sendSnapshot(snapshot: Snapshot, health: EndpointHealth[]): void {
    if (this.#sentGeneration >= snapshot.generation) return;
    this.#sentGeneration = snapshot.generation;
    this.#sentConfig = snapshot.config;
    this.#channel.send({ type: 'snapshot', snapshot, health });
  }

  /** Tells about endpoints; a worker that is far behind gets the whole state when it has caught up. */
  sendHealth(changes: EndpointHealth[]): void {
    if (!this.#hello || this.#sentGeneration === 0) return;
    this.#healthBehind = !this.#channel.offer({ type: 'endpointHealth', changes });
  }

  /** Says something about endpoints, breakers, agents or faults that must arrive. */
  tell(message: Extract<ToWorker, { type: 'breakers' | 'probeGranted' | 'agents' | 'chaos' }>): void {
    if (this.#hello && this.#sentGeneration > 0) this.#channel.send(message);
  }

  /** Tells of a change of a topic. */
  push(topic: string, payload: unknown): void {
    if (this.#hello && this.state !== 'ended') this.#seeder.push(topic, payload);
  }

  /** Tells all of a topic again. */
  reload(topic: string): void {
    if (this.#hello && this.state !== 'ended') this.#seeder.reload(topic);
  }

  /** Resolves when it has taken what it was told of a topic up to now, or has ended. */
  confirm(topic: string): Promise<void> {
    // One that has not said hello gets everything before its first listener opens.
    if (!this.#hello || this.state === 'ended') return Promise.resolve();
    const id = ++this.#marks;
    return new Promise((done) => {
      this.#marked.set(id, done);
      void this.#seeder.handedOver(topic).then(() => this.#channel.send({ type: 'mark', id }));
    });
  }

  /** Tells it that the access log file was renamed. One that has not said hello yet will open it when it does. */
  reopenLog(): void {
    if (this.#hello && this.state !== 'ended') this.#channel.send({ type: 'reopenLog' });
  }

  /** Asks it to end its requests and go. One that has not even said hello has none. */
  drain(deadlineMs: number): void {
    if (this.state === 'ended') return;
    const alone = !this.#hello;
    this.state = 'draining';
    if (alone) this.kill();
    else {
      this.#channel.send({ type: 'drain', deadlineMs });
      this.#sendInForce();
    }
  }

  /** What it still does is judged by the configuration in force; it needs no more of it. */
  #sendInForce(): void {
    const config = this.#desired?.snapshot.config;
    if (config === this.#sentConfig || typeof config !== 'object' || config === null) return;
    this.#sentConfig = config;
    this.#channel.send({ type: 'inForce', config });
  }

  /** It has said that it goes by itself. */
  leaving(): void {
    if (this.state !== 'ended') this.state = 'draining';
  }

  /** SIGKILL. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** The log takes more. */
  resumeLog(): void {
    this.#log()?.resume();
  }

  #log(): Readable | undefined {
    return (this.#child.stdio?.[3] as Readable | null | undefined) ?? undefined;
  }

  #sendAgain(listener: string): void {
    for (const [key, sent] of this.#sentListeners) if (sent.listener === listener) this.#sentListeners.delete(key);
    if (this.#desired) this.reconcile(this.#desired);
  }

  #receive(message: ToSupervisor): void {
    if (message.type === 'hello') {
      this.#hello = true;
      if (this.#desired) this.reconcile(this.#desired);
    } else if (message.type === 'ask') {
      this.#desired?.services.answer(message.asks, this.id, (answers) => {
        if (this.state !== 'ended') this.#channel.send({ type: 'answers', answers });
      });
    } else if (message.type === 'tell') {
      const { service } = message;
      this.#desired?.services.told(service, message.payload, this.id, (payload) => {
        if (this.state !== 'ended') this.#channel.send({ type: 'said', service, payload });
      });
    } else if (message.type === 'marked') {
      this.#marked.get(message.id)?.();
      this.#marked.delete(message.id);
    } else if (message.type === 'relisten') this.#sendAgain(message.listener);
    else if (message.type === 'snapshotApplied') this.applied = Math.max(this.applied, message.generation);
    else if (message.type === 'listening' && this.#sentListeners.has(keyOf(message))) {
      this.#listening.add(keyOf(message));
    }
    this.#owner.message(this, message);
  }
}
