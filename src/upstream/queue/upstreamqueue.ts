/** A worker's end of one upstream's queue: the places it has, and its requests that wait. */
import { atTurnsEnd, type Clock } from '../../kernel/clock.ts';
import type { GatehouseError } from '../../kernel/error.ts';
import type { Events } from '../../kernel/event.ts';
import type { Deadlines } from '../../socket/deadlines.ts';
import type { UpstreamConfig } from '../config.ts';
import type { NextNote, QueueAnswer, QueueAsk } from './message.ts';
import { Refusals } from './refusals.ts';
import { Seats } from './seats.ts';
import { Succession } from './succession.ts';
import { Ticket, type TicketHost, type WaitEnd } from './ticket.ts';

/** A request as its queue sees it. */
export interface Order {
  priority: number;
  tenant: string;
  weight: number;
  /** Expected work, in tokens. */
  cost: number;
  /** How long it can wait, in milliseconds. */
  patienceMs: number;
  /** How long it has waited already, in milliseconds. */
  waitedMs: number;
  /** It need not wait for servers to come back: it ends when there is none. */
  movable: boolean;
}

/**
 * Speaks with the authority. A promise for `wait` asks; what it says otherwise means nothing. `lazy`: it need not be said before what comes
 * within the next milliseconds.
 */
export type AskQueue = (ask: QueueAsk, timeoutMs: number, lazy?: boolean) => Promise<QueueAnswer | undefined>;

/** What all queues of a worker share. */
export interface QueueParts {
  clock: Clock;
  events: Events;
  deadlines: Deadlines;
  ask: AskQueue;
  /** Asks for a look at this queue soon. */
  sweep(queue: UpstreamQueue): void;
}

/** How long an answer may be late, beyond the longest wait (milliseconds). */
const GRACE_MS = 10_000;

/** See the file's head. Outlives configurations. */
export class UpstreamQueue implements TicketHost {
  readonly name: string;
  wait = 0;
  adaptive = false;
  /** Plan → weight of its tenants. */
  weights: Readonly<Record<string, number>> = {};
  /** Somebody waits, here or in another worker: no place is kept that is not in use. */
  busy = false;
  /** Stands in the list of those that are to be looked at. */
  listed = false;
  /** Endpoints that may be used now, for the authority to know. */
  #usable: () => readonly string[] = () => [];
  /** No server can be used. */
  #down: () => boolean = () => false;
  readonly #movable = new Set<Ticket>();
  readonly #untilBusy = new Set<() => void>();
  readonly #parts: QueueParts;
  readonly #seats = new Map<string, Seats>();
  #ids = 0;
  #settling = false;
  readonly #succession = new Succession();
  readonly #refusals = new Refusals();
  #toldUsable = '';
  waiting = 0;

  constructor(name: string, parts: QueueParts) {
    this.name = name;
    this.#parts = parts;
  }

  get deadlines(): Deadlines {
    return this.#parts.deadlines;
  }

  now(): number {
    return this.#parts.clock.now();
  }

  /** Goes over to other settings. `usable`: names of the endpoints that may be used now. */
  adopt({ queue, adaptive }: UpstreamConfig, usable: () => readonly string[], down: () => boolean): void {
    this.#down = down;
    this.wait = queue.wait;
    this.weights = queue.weights;
    this.adaptive = adaptive !== undefined;
    this.#usable = usable;
  }

  /** The places at an endpoint. */
  seats(endpoint: string): Seats {
    let seats = this.#seats.get(endpoint);
    if (seats === undefined) {
      seats = new Seats(endpoint, this);
      this.#seats.set(endpoint, seats);
    }
    return seats;
  }

  /** Waits for a place; `done` is called in a later turn, unless the ticket is cancelled. */
  enter(order: Order, done: (error: GatehouseError | undefined) => void): Ticket {
    const { priority, tenant, weight, cost, patienceMs, waitedMs, movable } = order;
    const ticket = new Ticket(this, ++this.#ids, priority, patienceMs, done);
    const patience = Math.min(patienceMs, this.wait);
    this.waiting++;
    if (movable) this.#movable.add(ticket);
    this.#parts.events.emit('queueEntered', { upstream: this.name, priority });
    const refused = this.#refusals.find(priority, tenant, patience, ticket.since);
    if (refused !== undefined) {
      queueMicrotask(() => ticket.answered(refused));
      return ticket;
    }
    const usable = this.#usable();
    const ask: QueueAsk = {
      type: 'wait',
      upstream: this.name,
      id: ticket.id,
      priority,
      tenant,
      weight,
      cost,
      patienceMs: patience,
      waitedMs,
      usable,
    };
    this.#succession.entered(ticket);
    const lazy = this.busy && this.#succession.canWait(priority, ticket.since);
    this.#parts.ask(ask, patience + GRACE_MS, lazy).then(
      (answer) => {
        if (answer?.type === 'refused') this.#refusals.learn(priority, tenant, patience, answer, this.now());
        if (answer !== undefined) ticket.answered(answer);
        if (answer?.type !== 'granted') return;
        // Never the other way: an answer may come after the note that was told after it.
        if (answer.busy) {
          this.busy = true;
          this.#tellBusy();
        }
        // It may have left, or have got another place meanwhile.
        if (!this.freed()) this.seats(answer.endpoint).spare = 0;
      },
      () => ticket.failed(),
    );
    return ticket;
  }

  leave(id: number): void {
    this.#say({ type: 'leave', upstream: this.name, id }, true);
  }

  ended(ticket: Ticket, end: WaitEnd): void {
    const { priority, since } = ticket;
    this.#movable.delete(ticket);
    this.#succession.ended(ticket);
    this.waiting--;
    const waitedMs = this.now() - since;
    this.#parts.events.emit('queueLeft', { upstream: this.name, priority, waitedMs, end });
  }

  /** Somebody waits, or nobody any more. */
  setBusy(busy: boolean): void {
    this.busy = busy;
    if (!busy) return;
    this.flush();
    this.#tellBusy();
  }

  /** Calls back once when somebody has to wait, here or in another worker; at once where that is so. Returns what takes it back. */
  whenBusy(fn: () => void): () => void {
    if (this.busy) fn();
    else this.#untilBusy.add(fn);
    return () => this.#untilBusy.delete(fn);
  }

  #tellBusy(): void {
    if (this.#untilBusy.size === 0) return;
    const all = [...this.#untilBusy];
    this.#untilBusy.clear();
    for (const fn of all) fn();
  }

  /** A place has become free. */
  freed(): boolean {
    if (!this.busy && this.waiting === 0) {
      this.touched();
      return false;
    }
    if (!this.#settling) {
      this.#settling = true;
      // Who has come in this turn takes part.
      atTurnsEnd(() => this.#settle());
    }
    return true;
  }

  /** Who is next of all, as far as they are requests of this worker. */
  called(note: NextNote): void {
    this.#succession.told(note, this.now());
  }

  /** Gives what has become free to those whose turn it is, or back. */
  #settle(): void {
    this.#settling = false;
    this.#handOver();
    for (const seats of this.#seats.values()) seats.spare = 0;
    if (this.busy) this.flush();
    else this.touched();
  }

  #handOver(): void {
    let usable: readonly string[] | undefined;
    // One who could not be sent after all waits anew, and is not called again in the same turn.
    const last = this.#ids;
    for (const seats of this.#seats.values()) {
      while (seats.spare > 0 && seats.idle > 0) {
        usable ??= this.#usable();
        if (!usable.includes(seats.endpoint)) break;
        const ticket = this.#succession.next(this.busy, this.now());
        if (ticket === undefined || ticket.id > last) return;
        seats.spare--;
        this.#say({ type: 'took', upstream: this.name, id: ticket.id }, true);
        ticket.called();
      }
    }
  }

  /** Something is to be told some time. */
  touched(): void {
    if (!this.listed) this.#parts.sweep(this);
  }

  /** Which endpoints may be used has changed. */
  changed(): void {
    if (this.#movable.size > 0 && this.#down()) this.strand();
    if (this.waiting > 0 && this.#usable().join('\n') !== this.#toldUsable) this.flush();
  }

  /** No server is left: who may go elsewhere need not wait. */
  strand(): void {
    for (const ticket of [...this.#movable]) ticket.stranded();
  }

  /** Gives back what is not in use while others wait, and tells what was measured. Whether there is more to come. */
  flush(): boolean {
    const back: Record<string, number> = {};
    const used: Record<string, number> = {};
    const samples: Record<string, readonly number[]> = {};
    const refused: Record<string, number> = {};
    let news = false;
    let urgent = false;
    let active = this.waiting > 0;
    for (const seats of this.#seats.values()) {
      const { endpoint, idle } = seats;
      if (this.busy && idle > 0) {
        seats.held -= idle;
        seats.spare = 0;
        back[endpoint] = idle;
        news = true;
        urgent = true;
      }
      if (seats.told !== seats.used) {
        seats.told = seats.used;
        used[endpoint] = seats.used;
        news = true;
      }
      if (seats.samples.length > 0) {
        samples[endpoint] = seats.samples;
        seats.samples = [];
        news = true;
      }
      if (seats.refused > 0) {
        refused[endpoint] = seats.refused;
        seats.refused = 0;
        news = true;
      }
      if (seats.used > 0) active = true;
    }
    const usable = this.#usable();
    const said = usable.join('\n');
    if (news || (this.waiting > 0 && said !== this.#toldUsable)) {
      this.#toldUsable = said;
      this.#say({ type: 'seats', upstream: this.name, back, used, samples, refused, usable }, !urgent);
    }
    return active || this.busy;
  }

  #say(ask: QueueAsk, lazy: boolean): void {
    this.#parts.ask(ask, GRACE_MS, lazy).catch(() => {});
  }
}
