/** One worker's data plane: listeners, the snapshot in force, and the run of the pipeline. */
import { TokenRatios } from '../ai/ai.ts';
import type { Clock } from '../kernel/clock.ts';
import { GatehouseError } from '../kernel/error.ts';
import type { Events } from '../kernel/event.ts';
import type { Exchange } from '../kernel/exchange.ts';
import type { Verdict } from '../kernel/gate.ts';
import { Intake } from '../listen/intake.ts';
import type { ListenerHandler } from '../listen/runtime.ts';
import { TlsShared } from '../listen/tlsshared.ts';
import { Access } from '../policy/access/access.ts';
import { Registry } from '../policy/authorize/authorize.ts';
import { ChaosRun, type RunningFault } from '../policy/chaos/board.ts';
import type { Chaos } from '../policy/chaos/chaos.ts';
import { Overload } from '../policy/overload/overload.ts';
import { type AskAuthority, allRules, LocalAuthority, Quota } from '../policy/quota/quota.ts';
import { flushCorked } from '../socket/cork.ts';
import { Deadlines } from '../socket/deadlines.ts';
import { reportExceptions } from '../socket/report.ts';
import { Counting } from './counting.ts';
import { HttpDate } from './date.ts';
import { Doors } from './doors.ts';
import { EndpointNews } from './endpointnews.ts';
import { LocalQueues } from './localqueues.ts';
import { OpenCalls } from './opencalls.ts';
import { PaidTimes } from './paidtime.ts';
import { ALONE, type WorkerParts } from './parts.ts';
import { ANSWERED, Passage, type PassageHost, type Stage } from './passage.ts';
import { untilQuiet } from './quiet.ts';
import { prioritiesOf } from './rank.ts';
import { limitsOf, Snapshot, type SnapshotInput } from './snapshot.ts';
import { mayMove } from './spill.ts';
import { storedLimits, storedRules } from './storedlimits.ts';

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
  /** Who may come in. */
  readonly access: Access;
  /** Plans and tenants of the store. */
  readonly registry: Registry;
  /** How much they may use. */
  readonly quota: Quota;
  readonly ratios = new TokenRatios();
  readonly counting: Counting;
  readonly callers: OpenCalls;
  readonly paidTimes: PaidTimes;
  /** Places at servers, and who waits for them. */
  readonly queues: LocalQueues;
  readonly askService: WorkerParts['askService'];
  readonly #alone: LocalAuthority | undefined;
  readonly #intake: Intake;
  readonly #chaosRun: ChaosRun;
  readonly #stages: readonly Stage[];
  readonly #parts: WorkerParts;
  readonly #deadlines: Deadlines;
  readonly doors: Doors;
  readonly endpoints: EndpointNews;
  /** Epoch of the registry whose limits the process grants, when it is alone. */
  #rulesEpoch = 0;
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
    this.access = new Access(parts);
    this.askService = parts.askService;
    this.counting = new Counting(parts.askCount, () => this.fault('tokens_uncounted'));
    this.registry = parts.registry ?? new Registry();
    this.#alone = parts.askAuthority === undefined ? new LocalAuthority(parts.clock) : undefined;
    const ask: AskAuthority = async (asks) => {
      if (this.#rulesEpoch !== this.registry.epoch) this.#configureAlone(this.snapshot.input);
      return this.#alone?.exchange(0, asks) ?? [];
    };
    const stored = storedLimits(this.registry);
    this.quota = new Quota({ clock: parts.clock, events: parts.events, ask: parts.askAuthority ?? ask, stored });
    this.queues = new LocalQueues(parts, this.#deadlines);
    this.snapshot = this.#compile(input, undefined);
    this.#chaosRun = new ChaosRun(parts.clock, parts.events, (chaos) => {
      this.chaos = chaos;
    });
    this.paidTimes = new PaidTimes(parts.clock);
    this.callers = new OpenCalls(parts.clock, () => [this.access.epoch + this.registry.epoch, this.snapshot]);
    this.tls = parts.tls ?? new TlsShared();
    this.overload = new Overload(parts);
    const { clock, descriptors } = parts;
    this.#intake = new Intake(
      clock,
      descriptors && { limit: descriptors.limit, used: () => descriptors.used() + this.#sockets() },
    );
    this.doors = new Doors({
      clock,
      events: parts.events,
      deadlines: this.#deadlines,
      handler: this,
      intake: this.#intake,
      tls: this.tls,
      relisten: parts.relisten,
      input: () => this.snapshot.input,
    });
    this.endpoints = new EndpointNews(() => this.snapshot, parts.askProbe);
    this.#configure(input);
    reportExceptions((error) => this.#notice('a connection was cut', error));
  }

  /** Resolves the upstreams' host names; call before `listen`, so that first requests find addresses. */
  async start(): Promise<void> {
    await Promise.all([...this.snapshot.upstreams.values()].map((upstream) => upstream.start()));
  }

  /** Swaps in a new snapshot; requests under way end with the old one. Throws, changing nothing, when it cannot be compiled. */
  async update(input: SnapshotInput): Promise<void> {
    const before = this.snapshot;
    const next = this.#compile(input, before);
    const fresh = await next.start(before);
    try {
      this.doors.update(input);
    } catch (error) {
      for (const upstream of fresh) upstream.abandon();
      throw error;
    }
    for (const upstream of fresh) upstream.takeOver();
    this.snapshot = next;
    this.#configure(input);
    before.closeFor(next);
  }

  /** Faults that were switched on at run time, all of them, each with the rest of its time. */
  runFaults(running: readonly RunningFault[]): void {
    this.#chaosRun.run(running);
  }

  /** Stops accepting, lets requests end, closes idle connections; resolves when all is quiet, or cuts after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void> {
    const draining = this.doors.drain();
    const quiet = () =>
      this.#active === 0 && this.counting.waiting === 0 && draining.every((listener) => listener.connections === 0);
    return untilQuiet(this.clock, deadlineMs, quiet, () => {
      for (const listener of draining) listener.destroy();
      this.counting.giveUp();
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
    (exchange.owner ?? new Passage(exchange, this)).abandoned(error);
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

  spill(passage: Passage, error: GatehouseError): boolean {
    if (!mayMove(passage, error)) return false;
    this.proceed(passage);
    return true;
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

  get ledgerTrouble(): string {
    return this.#parts.ledgerTrouble?.() ?? '';
  }

  /** Requests that are here now. */
  get underWay(): number {
    return this.#active;
  }

  /** An exchange has ended. */
  left(): void {
    this.#active--;
  }

  /** The limits of a process that is alone. */
  #configureAlone({ config }: Pick<SnapshotInput, 'config'>): void {
    this.#rulesEpoch = this.registry.epoch;
    this.#alone?.configure([...storedRules(this.registry), ...allRules(limitsOf(config))]);
  }

  #configure({ config }: SnapshotInput): void {
    this.queues.configure(config.upstreams);
    this.#configureAlone({ config });
    this.#chaosRun.configure(config.chaos);
    this.overload.configure(config.overload, prioritiesOf(config), this.#parts.share?.(config) ?? ALONE);
    this.#intake.limit = config.overload?.connections ?? Number.POSITIVE_INFINITY;
  }

  /** Descriptors of connections to clients and servers, with one kept for each client that has none to a server yet. */
  #sockets(): number {
    const clients = this.doors.sockets;
    return clients + Math.max(clients, this.snapshot.connections);
  }

  #compile(input: SnapshotInput, before: Snapshot | undefined): Snapshot {
    const { clock, events, lookup, askProbe } = this.#parts;
    const optional = { ...(lookup && { lookup }), ...(askProbe && { askProbe }) };
    const { access, quota, registry } = this;
    const { queues } = this.queues;
    const parts = { clock, events, deadlines: this.#deadlines, access, quota, registry, queues, ...optional };
    return new Snapshot(input, parts, before);
  }
}
