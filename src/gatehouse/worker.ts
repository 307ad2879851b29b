/** One worker's data plane: listeners, the snapshot in force, and the run of the pipeline. */
import type { Clock } from '../kernel/clock.ts';
import { GatehouseError } from '../kernel/error.ts';
import type { BreakerEvent, Events } from '../kernel/event.ts';
import type { Exchange } from '../kernel/exchange.ts';
import type { Verdict } from '../kernel/gate.ts';
import { Intake } from '../listen/intake.ts';
import { Listener } from '../listen/listen.ts';
import type { ListenerHandler } from '../listen/runtime.ts';
import { TlsShared } from '../listen/tlsshared.ts';
import { ChaosRun, type RunningFault } from '../policy/chaos/board.ts';
import type { Chaos } from '../policy/chaos/chaos.ts';
import { Overload } from '../policy/overload/overload.ts';
import { priorityOf } from '../route/config.ts';
import { Deadlines } from '../socket/deadlines.ts';
import { reportExceptions } from '../socket/report.ts';
import { flushCorked } from '../socket/wire.ts';
import type { AgentWord } from '../upstream/upstream.ts';
import { HttpDate } from './date.ts';
import { ALONE, type WorkerParts } from './parts.ts';
import { ANSWERED, Passage, type PassageHost, type Stage } from './passage.ts';
import { untilQuiet } from './quiet.ts';
import { fileReader, Snapshot, type SnapshotInput } from './snapshot.ts';

/** Serves a snapshot. */
export class Worker implements ListenerHandler, PassageHost {
  readonly clock: Clock;
  readonly events: Events;
  readonly pseudonym: string;
  /** Start of this worker in seconds since 1970, as `created` of the models it lists. */
  readonly createdAt: number;
  snapshot: Snapshot;
  held = 0;
  chaos: Chaos | undefined = undefined;
  readonly overload: Overload;
  /** Certificates, ticket keys and challenges that come while the worker runs. */
  readonly tls: TlsShared;
  readonly #intake: Intake;
  readonly #chaosRun: ChaosRun;
  readonly #stages: readonly Stage[];
  readonly #parts: WorkerParts;
  readonly #deadlines: Deadlines;
  readonly #listeners = new Map<string, Listener>();
  /** Listeners that accept no more, while they have connections. */
  readonly #leaving = new Set<Listener>();
  #requests = 0;
  #active = 0;
  readonly #date: HttpDate;

  /** Throws when the snapshot cannot be compiled. */
  constructor(stages: readonly Stage[], input: SnapshotInput, parts: WorkerParts) {
    this.#stages = stages;
    this.#parts = parts;
    this.clock = parts.clock;
    this.#date = new HttpDate(parts.clock);
    this.events = parts.events;
    this.pseudonym = parts.pseudonym;
    this.createdAt = Math.floor(parts.clock.wall() / 1000);
    this.#deadlines = new Deadlines(parts.clock);
    this.snapshot = this.#compile(input, undefined);
    this.#chaosRun = new ChaosRun(parts.clock, parts.events, (chaos) => {
      this.chaos = chaos;
    });
    this.tls = parts.tls ?? new TlsShared();
    this.overload = new Overload(parts);
    const { clock, descriptors } = parts;
    this.#intake = new Intake(
      clock,
      descriptors && { limit: descriptors.limit, used: () => descriptors.used + this.#sockets() },
    );
    this.#configure(input);
    reportExceptions((error) => this.#notice('a connection was cut', error));
  }

  /** Resolves the upstreams' host names; call before `listen`, so that first requests find addresses. */
  async start(): Promise<void> {
    await Promise.all([...this.snapshot.upstreams.values()].map((upstream) => upstream.start()));
  }

  /** Starts accepting on a bound handle (or whatever `net.Server.listen` takes) for the listener of this name. */
  async listen(name: string, target: object): Promise<void> {
    const config = this.snapshot.input.config.listeners[name];
    if (config === undefined) throw new Error(`there is no listener ${name}`);
    const paused = this.#listeners.get(name);
    if (paused?.paused) return paused.listen(target);
    const { clock, events } = this;
    const readText = fileReader(this.snapshot.input.files);
    const { relisten } = this.#parts;
    const listener = new Listener(name, config, {
      clock,
      events,
      deadlines: this.#deadlines,
      handler: this,
      readText,
      tls: this.tls,
      intake: this.#intake,
      relisten: relisten && (() => relisten(name)),
    });
    await listener.listen(target);
    // Another one of this name, on a socket that was bound anew or a handle that came twice, accepts no more.
    this.#listeners.get(name)?.drain();
    this.#listeners.set(name, listener);
  }

  /** Stops accepting on one listener; its connections end after the response under way. */
  unlisten(name: string): void {
    const listener = this.#listeners.get(name);
    listener?.drain();
    this.#listeners.delete(name);
    for (const one of this.#leaving) if (one.connections === 0) this.#leaving.delete(one);
    if (listener !== undefined) this.#leaving.add(listener);
  }

  /** Address of a listener on TCP. */
  address(name: string): ReturnType<Listener['address']> {
    return this.#listeners.get(name)?.address() ?? null;
  }

  /** Swaps in a new snapshot; requests under way end with the old one. Throws, changing nothing, when it cannot be compiled. */
  async update(input: SnapshotInput): Promise<void> {
    const before = this.snapshot;
    const next = this.#compile(input, before);
    const fresh = await next.start(before);
    try {
      for (const [name, listener] of this.#listeners) {
        const config = input.config.listeners[name];
        if (config !== undefined) listener.update(config, fileReader(input.files));
      }
    } catch (error) {
      for (const upstream of fresh) upstream.abandon();
      throw error;
    }
    for (const upstream of fresh) upstream.takeOver();
    this.snapshot = next;
    this.#configure(input);
    before.closeFor(next);
  }

  /** What the prober found. */
  setEndpointHealth(upstream: string, endpoint: string, healthy: boolean, reason: string): void {
    this.snapshot.upstreams.get(upstream)?.setHealth(endpoint, healthy, reason);
  }

  /** Faults that were switched on at run time, all of them, each with the rest of its time. */
  runFaults(running: readonly RunningFault[]): void {
    this.#chaosRun.run(running);
  }

  /** What another worker found out about a breaker, or an operator decided. `forMs`: how long it stays open. */
  setBreaker({ upstream, endpoint, state, forMs, forced, reason }: Omit<BreakerEvent, 'own'>): void {
    const found = this.snapshot.upstreams.get(upstream)?.endpoint(endpoint);
    found?.standing.setBreaker(state === 'closed' ? 'closed' : 'open', forMs, forced, reason);
  }

  /** The answer to `WorkerParts.askProbe`. */
  probeGranted(upstream: string, endpoint: string, granted: boolean): void {
    const found = this.snapshot.upstreams.get(upstream)?.endpoint(endpoint);
    if (found !== undefined) found.standing.probeGranted(granted);
    else if (granted) this.#parts.askProbe?.(upstream, endpoint, false);
  }

  /** What the agent beside a server says. */
  setAgent(upstream: string, endpoint: string, word: AgentWord, reason: string): void {
    this.snapshot.upstreams.get(upstream)?.endpoint(endpoint)?.setAgent(word, reason);
  }

  /** Stops accepting, lets requests end, closes idle connections; resolves when all is quiet, or cuts after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void> {
    for (const listener of this.#listeners.values()) listener.drain();
    const all = [...this.#listeners.values(), ...this.#leaving];
    const quiet = () => this.#active === 0 && all.every((listener) => listener.connections === 0);
    return untilQuiet(this.clock, deadlineMs, quiet, () => {
      for (const listener of all) listener.destroy();
      for (const upstream of this.snapshot.upstreams.values()) upstream.close();
      this.overload.close();
    });
  }

  // ---- the pipeline

  onRequest(exchange: Exchange): void {
    const passage = new Passage(exchange, this);
    this.#active++;
    this.events.emit('requestStarted', exchange);
    this.proceed(passage);
  }

  onRefused(exchange: Exchange, error: GatehouseError): void {
    const passage = new Passage(exchange, this);
    this.#active++;
    exchange.id = this.requestId();
    this.events.emit('requestStarted', exchange);
    passage.refuse(error);
  }

  onAborted(exchange: Exchange, error: GatehouseError): void {
    if (exchange.outcome !== 'open') return;
    new Passage(exchange, this).ended(exchange, 'client_aborted', error);
    exchange.inbound.abort();
  }

  /** Runs the stages from where the passage stands. */
  proceed(passage: Passage): void {
    const stages = this.#stages;
    try {
      while (passage.step < stages.length) {
        const verdict = (stages[passage.step++] as Stage)(passage);
        if (verdict === undefined) continue;
        if (verdict === ANSWERED) return;
        if (verdict instanceof Promise) this.#await(passage, verdict);
        else passage.refuse(verdict);
        return;
      }
    } catch (error) {
      this.#bug(passage, error);
    }
  }

  #await(passage: Passage, verdict: Promise<Verdict>): void {
    verdict.then(
      (error) => {
        // The client may have left meanwhile.
        if (passage.exchange.outcome !== 'open') return;
        if (error) passage.refuse(error);
        else this.proceed(passage);
        flushCorked();
      },
      (error) => this.#bug(passage, error),
    );
  }

  /** A mistake of ours costs one request, not the worker. */
  #bug(passage: Passage, error: unknown): void {
    this.#notice(`request ${passage.exchange.id}`, error);
    if (passage.exchange.outcome !== 'open') return;
    passage.refuse(
      new GatehouseError('internal', 'this gateway has made a mistake; its log has the details under this request id'),
    );
  }

  #notice(what: string, error: unknown): void {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.events.emit('notice', { level: 'error', message: `${what}: ${message}` });
  }

  // ---- what stages ask for

  /** A new request id. */
  requestId(): string {
    return this.#parts.idPrefix + (++this.#requests).toString(36);
  }

  /** Now as an HTTP date (RFC 9110 §5.6.7). */
  httpDate(): string {
    return this.#date.text;
  }

  /** Counts a condition of FAULTS.md. */
  fault(kind: string): void {
    this.events.emit('fault', { kind, where: 'pipeline' });
  }

  /** Requests that are here now. */
  get underWay(): number {
    return this.#active;
  }

  /** An exchange has ended. */
  left(): void {
    this.#active--;
  }

  #configure({ config }: SnapshotInput): void {
    this.#chaosRun.configure(config.chaos);
    const priorities = config.routes.map(({ priority }) => priorityOf(priority));
    this.overload.configure(config.overload, priorities, this.#parts.share?.(config) ?? ALONE);
    this.#intake.limit = config.overload?.connections ?? Number.POSITIVE_INFINITY;
  }

  /** Descriptors of connections to clients and servers, with one kept for each client that has none to a server yet. */
  #sockets(): number {
    let clients = 0;
    for (const listener of this.#listeners.values()) clients += listener.sockets;
    return clients + Math.max(clients, this.snapshot.connections);
  }

  #compile(input: SnapshotInput, before: Snapshot | undefined): Snapshot {
    const { clock, events, lookup, askProbe } = this.#parts;
    const optional = { ...(lookup && { lookup }), ...(askProbe && { askProbe }) };
    const parts = { clock, events, deadlines: this.#deadlines, ...optional };
    return new Snapshot(input, parts, before);
  }
}
