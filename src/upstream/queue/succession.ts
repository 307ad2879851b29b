/**
 * Who takes a place that becomes free at this worker, without the way to the authority and back: for as long as that takes, which on a busy machine is long,
 * the place would be empty. Only whose turn it is by all that is known: who was told to be next of all, or who is more important than all that wait.
 */
import { FRESH_MS, type NextNote } from './message.ts';
import type { Ticket } from './ticket.ts';

/** Requests that the authority has not heard of yet, as far as they are looked at. */
const LOOKED_AT = 64;

/** See the file's head. */
export class Succession {
  /** This worker's requests that wait. */
  readonly #tickets = new Map<number, Ticket>();
  /** Those of them that the authority may not know. */
  readonly #fresh = new Map<number, Ticket>();
  #note: NextNote | undefined = undefined;
  #toldAt = 0;
  /** Of `#note.next`, who comes next. */
  #at = 0;

  /** The authority has told who is next. */
  told(note: NextNote, now: number): void {
    this.#note = note;
    this.#toldAt = now;
    this.#at = 0;
    for (const id of this.#fresh.keys()) {
      if (id > note.known) return;
      this.#fresh.delete(id);
    }
  }

  /** A request waits. */
  entered(ticket: Ticket): void {
    this.#tickets.set(ticket.id, ticket);
    this.#fresh.set(ticket.id, ticket);
  }

  /** It waits no more. */
  ended({ id }: Ticket): void {
    this.#tickets.delete(id);
    this.#fresh.delete(id);
  }

  /** Whether nobody has to know at once of a request of this importance: others are before it. */
  canWait(priority: number, now: number): boolean {
    const note = this.#fact(now);
    return note !== undefined && (note.alone || priority <= note.rest);
  }

  /** Who takes the place; to be asked again when that one has taken it. `busy`: somebody waits, here or elsewhere. */
  next(busy: boolean, now: number): Ticket | undefined {
    if (!busy) return this.#first(-1);
    const note = this.#fact(now);
    if (note === undefined) return undefined;
    let called: Ticket | undefined;
    for (; this.#at < note.next.length; this.#at++) {
      called = this.#tickets.get(note.next[this.#at] as number);
      if (called !== undefined) break;
    }
    return this.#first(called?.priority ?? note.rest) ?? called;
  }

  #fact(now: number): NextNote | undefined {
    return now - this.#toldAt <= FRESH_MS ? this.#note : undefined;
  }

  /** The most important that is more important than that, and of those the first that came. */
  #first(than: number): Ticket | undefined {
    let first: Ticket | undefined;
    let most = than;
    let looked = 0;
    for (const ticket of this.#fresh.values()) {
      if (ticket.priority > most) {
        most = ticket.priority;
        first = ticket;
      }
      if (++looked === LOOKED_AT) break;
    }
    return first;
  }
}
