/** A request that waits for a place. It has one end: called up, refused, or gone. */
import { GatehouseError } from '../../kernel/error.ts';
import { formatDuration } from '../../kernel/limit.ts';
import type { Deadlines, Timed } from '../../socket/deadlines.ts';
import type { QueueAnswer } from './message.ts';
import type { Seats } from './seats.ts';

/** Why a wait has ended. */
export type WaitEnd = 'served' | 'left' | 'timeout' | 'deadline' | 'full' | 'evicted' | 'late' | 'lost' | 'stranded';

/** How long one whose time is over waits to hear where it stood, in milliseconds. */
const PARTING_MS = 1000;

/** What a ticket needs of its queue. */
export interface TicketHost {
  readonly name: string;
  readonly deadlines: Deadlines;
  /** The longest wait, in milliseconds. */
  readonly wait: number;
  now(): number;
  seats(endpoint: string): Seats | undefined;
  /** Tells that it waits no more, though nobody has called it up. */
  leave(id: number): void;
  ended(ticket: Ticket, end: WaitEnd): void;
}

/** See the file's head. */
export class Ticket implements Timed {
  deadline: number;
  slot = -1;
  readonly id: number;
  readonly priority: number;
  readonly since: number;
  readonly #host: TicketHost;
  /** The request's own deadline comes before the end of the longest wait. */
  readonly #own: boolean;
  readonly #done: (error: GatehouseError | undefined) => void;
  #over = false;
  /** Its longest wait is over, after this many milliseconds: it only waits to hear where it stood. */
  #waited = -1;

  /** `done` is called once, unless it is cancelled: with nothing when there is a place, which is to be taken in the same turn. */
  constructor(
    host: TicketHost,
    id: number,
    priority: number,
    patienceMs: number,
    done: (error: GatehouseError | undefined) => void,
  ) {
    this.#host = host;
    this.id = id;
    this.priority = priority;
    this.since = host.now();
    this.#own = patienceMs < host.wait;
    this.deadline = this.since + Math.min(patienceMs, host.wait);
    this.#done = done;
    host.deadlines.add(this);
  }

  /** The authority has answered. */
  answered(answer: QueueAnswer): void {
    if (answer.type === 'granted') {
      const seats = this.#host.seats(answer.endpoint);
      if (seats === undefined) return;
      seats.held += 1 + answer.ahead;
      // Who has left meanwhile, or has got another, leaves it to those who wait.
      if (this.#over) seats.spare++;
      else this.#end('served', undefined);
    } else if (answer.type === 'refused' && !this.#over) {
      this.#end(answer.reason, refusal(this.#host.name, answer.reason, answer.ahead, answer.waitMs));
    } else if (answer.type === 'left' && !this.#over) {
      this.#timeout([['x-gatehouse-queue-position', String(answer.ahead + 1)], waitField(answer.waitMs)]);
    }
  }

  /** A place that became free here is its own. */
  called(): void {
    if (!this.#over) this.#end('served', undefined);
  }

  /** Nobody has answered. */
  failed(): void {
    if (this.#waited >= 0 && !this.#over) this.#timeout([waitField(this.#host.wait)]);
    const what = `nobody can say whether upstream ${this.#host.name} has a place; try again`;
    if (!this.#over) this.#end('lost', new GatehouseError('queue_full', what, { retryAfterMs: 1000 }));
  }

  /** No server is left that could have a place. */
  stranded(): void {
    if (this.#over) return;
    this.#host.leave(this.id);
    this.#end('stranded', new GatehouseError('no_endpoint', `no server of upstream ${this.#host.name} is available`));
  }

  /** The client has left, or the request has ended otherwise. Calling it twice, or after the end, does nothing. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#host.deadlines.remove(this);
    this.#host.leave(this.id);
    this.#host.ended(this, 'left');
  }

  onDeadline(now: number): void {
    this.deadline = Number.POSITIVE_INFINITY;
    if (this.#waited >= 0) {
      this.#timeout([waitField(this.#host.wait)]);
      return;
    }
    const waited = Math.round(now - this.since);
    if (this.#own) {
      this.#host.leave(this.id);
      const what = `the request's time was over after ${formatDuration(waited)} in the queue of ${this.#host.name}`;
      this.#end('deadline', new GatehouseError('total_timeout', what));
      return;
    }
    this.#waited = waited;
    this.deadline = now + PARTING_MS;
    this.#host.leave(this.id);
  }

  #timeout(fields: readonly (readonly [string, string])[]): void {
    const { name, wait } = this.#host;
    const what = `upstream ${name} had no place within ${formatDuration(Math.max(0, this.#waited))} (queue.wait)`;
    this.#end('timeout', new GatehouseError('queue_timeout', what, { retryAfterMs: wait, fields }));
  }

  #end(end: WaitEnd, error: GatehouseError | undefined): void {
    this.#over = true;
    this.#host.deadlines.remove(this);
    this.#host.ended(this, end);
    this.#done(error);
  }
}

const WHY = {
  full: 'as many requests wait for it as may (queue.length), and none of them is less important',
  evicted: 'more important requests have taken its place in the queue',
  late: 'its turn would not come in time',
} as const;

function refusal(upstream: string, reason: keyof typeof WHY, ahead: number, waitMs: number): GatehouseError {
  const field = waitField(waitMs);
  return new GatehouseError('queue_full', `upstream ${upstream} has no place for this request: ${WHY[reason]}`, {
    retryAfterMs: Number(field[1]) * 1000,
    fields: [['x-gatehouse-queue-position', String(ahead + 1)], field],
  });
}

function waitField(waitMs: number): readonly [string, string] {
  return ['x-gatehouse-queue-wait', String(Math.max(1, Math.ceil(waitMs / 1000)))];
}
