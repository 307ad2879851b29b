/** The door of the room: all queues of a worker. They outlive configurations, for what is in use stays counted. */
import type { Timer } from '../../kernel/clock.ts';
import type { UpstreamConfig } from '../config.ts';
import { deskOf } from './authority.ts';
import type { BusyNote, NextNote } from './message.ts';
import { type QueueParts, UpstreamQueue } from './upstreamqueue.ts';

export { QueueAuthority } from './authority.ts';
export type { Letter } from './letter.ts';
export { QueueLine, WorkerLines } from './line.ts';
export type { BusyNote, QueueAsk } from './message.ts';
export type { QueueStanding } from './standing.ts';
export type { Ticket } from './ticket.ts';
export type { AskQueue, Order } from './upstreamqueue.ts';

/** How often places and measurements are looked at, in milliseconds. */
const SWEEP_MS = 50;

/** See the file's head. */
export class Queues {
  readonly #parts: QueueParts;
  readonly #queues = new Map<string, UpstreamQueue>();
  #listed: UpstreamQueue[] = [];
  #timer: Timer | undefined = undefined;

  constructor(parts: Omit<QueueParts, 'sweep'>) {
    this.#parts = { ...parts, sweep: (queue) => this.#list(queue) };
  }

  /** The queue of an upstream with these settings; undefined where nothing limits it. */
  of(name: string, config: UpstreamConfig): UpstreamQueue | undefined {
    if (deskOf(config) === undefined) return undefined;
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = new UpstreamQueue(name, this.#parts);
      this.#queues.set(name, queue);
    }
    return queue;
  }

  /** What the authority tells all workers. */
  told({ upstream, busy }: BusyNote): void {
    const queue = this.#queues.get(upstream);
    if (queue === undefined) return;
    queue.setBusy(busy);
    if (busy) queue.touched();
  }

  /** The authority tells this worker who is next. */
  called(note: NextNote): void {
    this.#queues.get(note.upstream)?.called(note);
  }

  #list(queue: UpstreamQueue): void {
    queue.listed = true;
    this.#listed.push(queue);
    this.#timer ??= this.#parts.clock.every(SWEEP_MS, () => this.#sweep());
  }

  #sweep(): void {
    this.#listed = this.#listed.filter((queue) => {
      queue.listed = queue.flush();
      return queue.listed;
    });
    if (this.#listed.length > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
