/** One worker's data plane: listeners, the snapshot in force, and the run of the pipeline. */
import type { Clock } from '../kernel/clock.ts';
import { GatehouseError } from '../kernel/error.ts';
import type { Events } from '../kernel/event.ts';
import type { Exchange } from '../kernel/exchange.ts';
import type { Verdict } from '../kernel/gate.ts';
import { Listener } from '../listen/listen.ts';
import type { ListenerHandler } from '../listen/runtime.ts';
import { Deadlines } from '../socket/deadlines.ts';
import { reportExceptions } from '../socket/report.ts';
import { flushCorked } from '../socket/wire.ts';
import type { Lookup } from '../upstream/resolve.ts';
import type { AgentWord, UpstreamParts } from '../upstream/upstream.ts';
import { ANSWERED, Passage, type PassageHost, type Stage } from './passage.ts';
import { fileReader, Snapshot, type SnapshotInput } from './snapshot.ts';

/** What a worker is given from outside. */
export interface WorkerParts {
  clock: Clock;
  events: Events;
  /** Name of this instance in Via, the same for all its workers; loops are recognised by it. */
  pseudonym: string;
  /** Start of this worker's request ids; unique for each worker and start. */
  idPrefix: string;
  /** Resolver for host names; the system's when left out. */
  lookup?: Lookup;
  /** Whom to ask before a breaker's probe; nobody when left out, as in a process that is alone. */
  askProbe?: UpstreamParts['askProbe'];
}

/** How often drain looks whether all is quiet. */
const DRAIN_POLL_MS = 20;

/** Serves a snapshot. */
export class Worker implements ListenerHandler, PassageHost {
  readonly clock: Clock;
  readonly events: Events;
  readonly pseudonym: string;
  /** Start of this worker in seconds since 1970, as `created` of the models it lists. */
  readonly createdAt: number;
  snapshot: Snapshot;
  readonly #stages: readonly Stage[];
  readonly #parts: WorkerParts;
  readonly #deadlines: Deadlines;
  readonly #listeners = new Map<string, Listener>();
  /** Listeners that accept no more, while they have connections. */
  readonly #leaving = new Set<Listener>();
  #requests = 0;
  #active = 0;
  #dateAt = -1;
  #date = '';

  /** Throws when the snapshot cannot be compiled. */
  constructor(stages: readonly Stage[], input: SnapshotInput, parts: WorkerParts) {
    this.#stages = stages;
    this.#parts = parts;
    this.clock = parts.clock;
    this.events = parts.events;
    this.pseudonym = parts.pseudonym;
    this.createdAt = Math.floor(parts.clock.wall() / 1000);
    this.#deadlines = new Deadlines(parts.clock);
    this.snapshot = this.#compile(input, undefined);
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
    const { clock, events } = this;
    const readText = fileReader(this.snapshot.input.files);
    const listener = new Listener(name, config, { clock, events, deadlines: this.#deadlines, handler: this, readText });
    await listener.listen(target);
    this.#listeners.set(name, listener);
  }

  /** Stops accepting on one listener; its connections end after the response under way. */
  unlisten(name: string): void {
    const listener = this.#listeners.get(name);
    if (listener === undefined) return;
    listener.drain();
    this.#listeners.delete(name);
    for (const one of this.#leaving) if (one.connections === 0) this.#leaving.delete(one);
    this.#leaving.add(listener);
  }

  /** Address of a listener on TCP. */
  address(name: string): ReturnType<Listener['address']> {
    return this.#listeners.get(name)?.address() ?? null;
  }

  /** Swaps in a new snapshot; requests under way end with the old one. Throws, changing nothing, when it cannot be compiled. */
  async update(input: SnapshotInput): Promise<void> {
    const before = this.snapshot;
    const next = this.#compile(input, before);
    const fresh = [...next.upstreams.values()].filter((upstream) => before.upstreams.get(upstream.name) !== upstream);
    try {
      await Promise.all(fresh.map((upstream) => upstream.start()));
      for (const [name, listener] of this.#listeners) {
        const config = input.config.listeners[name];
        if (config !== undefined) listener.update(config, fileReader(input.files));
      }
    } catch (error) {
      for (const upstream of fresh) upstream.abandon();
      throw error;
    }
    // From here on nothing can fail.
    for (const upstream of fresh) upstream.takeOver();
    this.snapshot = next;
    for (const [name, upstream] of before.upstreams) {
      const after = next.upstreams.get(name);
      if (after !== upstream) upstream.close(after);
    }
  }

  /** What the prober found. */
  setEndpointHealth(upstream: string, endpoint: string, healthy: boolean, reason: string): void {
    this.snapshot.upstreams.get(upstream)?.setHealth(endpoint, healthy, reason);
  }

  /** What another worker found out about a breaker, or an operator decided. `forMs`: how long it stays open. */
  setBreaker(
    upstream: string,
    endpoint: string,
    state: 'closed' | 'open' | 'halfOpen',
    forMs: number,
    forced: boolean,
    reason: string,
  ): void {
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
    const until = this.clock.now() + deadlineMs;
    return new Promise((resolve) => {
      const poll = this.clock.every(DRAIN_POLL_MS, () => {
        const quiet = this.#active === 0 && all.every((listener) => listener.connections === 0);
        if (!quiet && this.clock.now() < until) return;
        poll.cancel();
        for (const listener of all) listener.destroy();
        for (const upstream of this.snapshot.upstreams.values()) upstream.close();
        resolve();
      });
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
    const second = Math.floor(this.clock.wall() / 1000);
    if (second !== this.#dateAt) {
      this.#dateAt = second;
      this.#date = new Date(second * 1000).toUTCString();
    }
    return this.#date;
  }

  /** Counts a condition of FAULTS.md. */
  fault(kind: string): void {
    this.events.emit('fault', { kind, where: 'pipeline' });
  }

  /** An exchange has ended. */
  left(): void {
    this.#active--;
  }

  #compile(input: SnapshotInput, before: Snapshot | undefined): Snapshot {
    const { clock, events, lookup, askProbe } = this.#parts;
    const parts = {
      clock,
      events,
      deadlines: this.#deadlines,
      ...(lookup === undefined ? {} : { lookup }),
      ...(askProbe === undefined ? {} : { askProbe }),
    };
    return new Snapshot(input, parts, before);
  }
}
