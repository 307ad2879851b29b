/**
 * Who grants the places at servers: there is one for all workers of a node. A worker takes a request only to a place that it
 * was granted, so a server never sees more than its limit; and all who wait, wait here, in one order.
 */
import type { Clock } from '../../kernel/clock.ts';
import { endpointName } from '../address.ts';
import type { UpstreamConfig } from '../config.ts';
import { Desk } from './desk.ts';
import type { BusyNote, LeaveNote, NextNote, QueueAnswer, QueueAsk, SeatNote, TookNote, WaitAsk } from './message.ts';
import type { DeskConfig, QueueStanding } from './standing.ts';

/** The places of an upstream, or the part of one of several nodes; undefined where nothing limits it, and so nothing waits. */
export function deskOf(config: UpstreamConfig, nodes = 1): DeskConfig | undefined {
  const parts = config.queue.scope === 'shared' ? Math.max(1, nodes) : 1;
  const places = new Map<string, number>();
  for (const endpoint of config.endpoints) {
    if (endpoint.maxConcurrency !== undefined || config.adaptive !== undefined)
      places.set(endpointName(endpoint), partOf(endpoint.maxConcurrency ?? Number.POSITIVE_INFINITY, parts));
  }
  return places.size === 0 ? undefined : { queue: config.queue, adaptive: config.adaptive, places };
}

/** A server that no node may use would be of no use. */
const partOf = (places: number, parts: number): number => Math.max(1, Math.floor(places / parts));

/** See the file's head. */
export class QueueAuthority {
  readonly #clock: Clock;
  readonly #tell: (note: BusyNote) => void;
  readonly #desks = new Map<string, Desk>();
  #upstreams: Readonly<Record<string, UpstreamConfig>> = {};
  #configured = new Set<string>();
  #workers = 1;
  #nodes = 1;

  /** `tell` reaches all workers. */
  constructor(clock: Clock, tell: (note: BusyNote) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Goes over to these upstreams; others are forgotten as soon as nothing of them is in use. */
  configure(upstreams: Readonly<Record<string, UpstreamConfig>>, workers: number): void {
    this.#workers = workers;
    this.#upstreams = upstreams;
    this.#configured = new Set();
    for (const [name, config] of Object.entries(upstreams)) {
      const desk = deskOf(config, this.#nodes);
      if (desk === undefined) continue;
      this.#configured.add(name);
      const known = this.#desks.get(name);
      if (known !== undefined) known.configure(desk);
      else {
        const tell = (busy: boolean) => this.#tell({ upstream: name, busy });
        this.#desks.set(name, new Desk(name, desk, this.#clock, tell));
      }
    }
    this.#forget();
  }

  /** There are so many nodes, of which this is one: what is shared is divided by that. */
  divide(nodes: number): void {
    if (nodes === this.#nodes) return;
    this.#nodes = nodes;
    this.configure(this.#upstreams, this.#workers);
  }

  /** What a worker says; the answer to a request that waits comes later. */
  serve(worker: number, ask: QueueAsk): Promise<QueueAnswer> | undefined {
    if (ask.type === 'wait') return new Promise((resolve) => this.wait(worker, ask, resolve));
    this.note(worker, ask);
    return undefined;
  }

  /** A request of a worker wants a place; `answer` is called once, now or later. */
  wait(worker: number, ask: WaitAsk, answer: (answer: QueueAnswer) => void): void {
    const desk = this.#desks.get(ask.upstream);
    // A worker that is behind us by a configuration: nothing limits that upstream any more, nothing counts it either.
    if (desk === undefined) answer({ type: 'refused', reason: 'full', ahead: 0, waitMs: 0 });
    else desk.wait(worker, ask, this.#workers, answer);
  }

  /** What a worker says beside that. */
  note(worker: number, note: LeaveNote | TookNote | SeatNote): void {
    const desk = this.#desks.get(note.upstream);
    if (note.type === 'leave') desk?.leave(worker, note.id);
    else if (note.type === 'took') desk?.took(worker, note.id);
    else {
      desk?.note(worker, note);
      this.#forget();
    }
  }

  /** A worker has said all that it had to say of an upstream: `call` tells workers who is next there. */
  settle(worker: number, upstream: string, call: (worker: number, note: NextNote) => void): void {
    this.#desks.get(upstream)?.settle(worker, call);
  }

  /** A worker has died. */
  gone(worker: number): void {
    for (const desk of this.#desks.values()) desk.gone(worker);
    this.#forget();
  }

  /** Every queue that there is. */
  standings(): QueueStanding[] {
    return [...this.#desks.values()].map(({ standing }) => standing);
  }

  #forget(): void {
    if (this.#desks.size === this.#configured.size) return;
    for (const [name, desk] of this.#desks) if (!this.#configured.has(name) && desk.idle) this.#desks.delete(name);
  }
}
