/** One upstream as the authority sees it: its places, who has them, and who waits. */
import type { Clock } from '../../kernel/clock.ts';
import { FairQueue } from './fairqueue.ts';
import { type Order, Waiter } from './flow.ts';
import { FRESH_MS, type NextNote, type QueueAnswer, type RefusedFor, type SeatNote, type WaitAsk } from './message.ts';
import { Pace } from './pace.ts';
import { Places } from './places.ts';
import type { DeskConfig, QueueStanding } from './standing.ts';

/** A request of a worker. */
interface Applicant {
  worker: number;
  id: number;
  answer(answer: QueueAnswer): void;
}

/** What is left for a class is taken for no less than this part of the turns: it may be more soon. */
const LEFT_OVER = 0.02;
/**
 * Somebody is refused at once when he can wait for less than this part of what is estimated: half of it, and more where more turns are to pass, whose sum varies less
 * (twice the standard deviation of as many that come at random).
 */
const hopeless = (turns: number): number => Math.max(0.5, 1 - 2 / Math.sqrt(Math.max(1, turns)));
/** Part of the free places that one worker gets ahead, where nobody waits: so much, divided by the number of workers. */
const AHEAD = 0.5;
/** Nobody has waited for this long: workers may keep places again (milliseconds). */
const CALM_MS = 50;
/** So many of those who are next are told ahead. */
const CALLED_AHEAD = 16;
/** More important than anybody: no place may be handed over. */
const BARRED = 101;

const isSame = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((id, i) => id === b[i]);

/** See the file's head. */
export class Desk {
  readonly name: string;
  readonly #clock: Clock;
  readonly #tell: (busy: boolean) => void;
  readonly #places: Places;
  readonly #queue: FairQueue<Applicant>;
  /** Worker → its requests that wait, by their id. */
  readonly #waiting = new Map<number, Map<number, Waiter<Applicant>>>();
  /** Worker → the last of its requests that was heard of. */
  readonly #known = new Map<number, number>();
  /** Worker → what it was last told of who is next, when, and how important those are at least whom it may call. */
  readonly #told = new Map<number, { note: NextNote; at: number; least: number }>();
  /** The most important that has come since workers were last told. */
  #newest = -1;
  /** Workers must not keep places that they do not use. */
  #busy = false;
  readonly #pace = new Pace();

  /** `tell`: workers must, or need not, give back what they do not use. */
  constructor(name: string, config: DeskConfig, clock: Clock, tell: (busy: boolean) => void) {
    this.name = name;
    this.#clock = clock;
    this.#tell = tell;
    this.#queue = new FairQueue(config.queue);
    this.#places = new Places(clock);
    this.configure(config);
  }

  /** Goes over to other settings; who waits, waits on. */
  configure(config: DeskConfig): void {
    this.#queue.rules = config.queue;
    this.#places.configure(config);
    this.#dispatch();
  }

  /** Nothing is held and nobody waits. */
  get idle(): boolean {
    return this.#queue.size === 0 && this.#places.idle;
  }

  /** A request wants a place; `answer` is called once, now or later. `workers`: how many there are. */
  wait(worker: number, ask: WaitAsk, workers: number, answer: (answer: QueueAnswer) => void): void {
    this.#places.use(worker, ask.usable);
    this.#known.set(worker, ask.id);
    if (this.#queue.size === 0) {
      const endpoint = this.#places.freeFor(worker);
      if (endpoint !== undefined) {
        this.#grant(worker, endpoint, 1);
        const ahead = this.#busy ? 0 : Math.floor((this.#places.free(endpoint) * AHEAD) / Math.max(1, workers));
        this.#grant(worker, endpoint, ahead);
        answer({ type: 'granted', endpoint, ahead, busy: this.#busy });
        return;
      }
    }
    const now = this.#clock.now();
    const waitMs = this.#waitOf(ask);
    if (this.#pace.trusted && ask.patienceMs < waitMs * hopeless(waitMs / this.#pace.interval)) {
      answer({ type: 'refused', reason: 'late', ahead: this.#queue.before(ask.priority), waitMs });
      return;
    }
    const waiter = new Waiter<Applicant>({ worker, id: ask.id, answer }, ask, now - ask.waitedMs);
    if (this.#queue.size === 0) this.#pace.begin(now);
    const victim = this.#queue.offer(waiter);
    if (victim !== waiter) this.#of(worker).set(ask.id, waiter);
    this.#newest = Math.max(this.#newest, ask.priority);
    if (victim !== undefined) this.#refuse(victim, victim === waiter ? 'full' : 'evicted');
    this.#makeBusy();
    // Others may keep places that this one could have; and it may find one that those before it cannot use.
    this.#dispatch();
  }

  /** A request waits no more. */
  leave(worker: number, id: number): void {
    const waiter = this.#waiting.get(worker)?.get(id);
    if (waiter === undefined) return;
    this.#waiting.get(worker)?.delete(id);
    this.#queue.remove(waiter);
    waiter.value.answer({ type: 'left', ...this.#prospect(waiter) });
  }

  /** A request has got a place that became free at its worker. */
  took(worker: number, id: number): void {
    // Called up meanwhile, refused or gone: it was answered, and a place that it was granted too comes back or serves another.
    const waiter = this.#waiting.get(worker)?.get(id);
    if (waiter === undefined) return;
    const now = this.#clock.now();
    this.#waiting.get(worker)?.delete(id);
    this.#queue.served(waiter, now);
    this.#pace.turn(now, waiter.priority);
    waiter.value.answer({ type: 'left', ahead: 0, waitMs: 0 });
  }

  /** A worker tells what has changed. */
  note(worker: number, note: SeatNote): void {
    this.#places.note(worker, note, this.#busy);
    if (this.#places.over) this.#makeBusy();
    this.#dispatch();
  }

  /** A worker has said all that it had to say: it hears who is next, and others do when somebody waits who is more important than those whom they may call. */
  settle(worker: number, call: (worker: number, note: NextNote) => void): void {
    if (!this.#busy) return;
    const now = this.#clock.now();
    const over = this.#places.over;
    const run = over ? [] : this.#queue.ahead(now, CALLED_AHEAD);
    for (const [other, { at, least }] of this.#told)
      if (other !== worker && (over || this.#newest > least) && now - at < FRESH_MS)
        this.#call(other, run, over, now, call);
    this.#newest = -1;
    this.#call(worker, run, over, now, call);
  }

  #call(
    worker: number,
    run: readonly Waiter<Applicant>[],
    over: boolean,
    now: number,
    call: (worker: number, note: NextNote) => void,
  ): void {
    const next: number[] = [];
    for (const { value } of run) {
      if (value.worker !== worker) break;
      next.push(value.id);
    }
    const after = run[next.length];
    // Where all that were looked at are its own, others of that importance may wait.
    const last = run.at(-1)?.priority ?? BARRED;
    const rest = over ? BARRED : (after?.priority ?? (this.#queue.size > next.length ? this.#queue.below(last) : -1));
    const told = this.#told.get(worker);
    if (told !== undefined && now - told.at < FRESH_MS / 2 && told.note.rest === rest && isSame(told.note.next, next))
      return;
    const known = this.#known.get(worker) ?? 0;
    const note = { upstream: this.name, known, next, rest, alone: this.#places.aloneIs(worker) };
    this.#told.set(worker, { note, at: now, least: next.length > 0 ? (run[next.length - 1]?.priority ?? -1) : rest });
    call(worker, note);
  }

  /** A worker has died: what it had is free, and its requests are gone. */
  gone(worker: number): void {
    for (const waiter of this.#waiting.get(worker)?.values() ?? []) this.#queue.remove(waiter);
    this.#waiting.delete(worker);
    this.#known.delete(worker);
    this.#told.delete(worker);
    this.#places.gone(worker, this.#busy);
    this.#dispatch();
  }

  get standing(): QueueStanding {
    const now = this.#clock.now();
    return {
      upstream: this.name,
      waiting: this.#queue.size,
      length: this.#queue.rules.length,
      estimatedWaitMs: Math.round(this.#queue.size * this.#pace.interval),
      classes: this.#queue.classes().map(({ since, ...rest }) => ({ ...rest, oldestMs: Math.round(now - since) })),
      endpoints: this.#places.standing,
    };
  }

  #grant(worker: number, endpoint: string, count: number): void {
    this.#places.grant(worker, endpoint, count, this.#busy);
  }

  /** Gives free places to those who wait. */
  #dispatch(): void {
    while (this.#queue.size > 0) {
      let endpoint: string | undefined;
      const now = this.#clock.now();
      if (!this.#places.anyFree) return;
      const waiter = this.#queue.next(now, ({ worker }) => {
        endpoint = this.#places.freeFor(worker);
        return endpoint !== undefined;
      });
      if (waiter === undefined || endpoint === undefined) return;
      const { worker, id, answer } = waiter.value;
      this.#waiting.get(worker)?.delete(id);
      this.#grant(worker, endpoint, 1);
      this.#pace.turn(now, waiter.priority);
      answer({ type: 'granted', endpoint, ahead: 0, busy: this.#busy });
    }
  }

  #refuse(waiter: Waiter<Applicant>, reason: RefusedFor): void {
    const { worker, id, answer } = waiter.value;
    this.#waiting.get(worker)?.delete(id);
    answer({ type: 'refused', reason, ...this.#prospect(waiter) });
  }

  /** What one like this would find. */
  #prospect(waiter: Waiter<Applicant>): { ahead: number; waitMs: number } {
    return { ahead: this.#queue.before(waiter.priority), waitMs: this.#waitOf(waiter) };
  }

  /** How long one like this would probably wait if it came now, in milliseconds. */
  #waitOf(order: Order): number {
    const { interval } = this.#pace;
    const left = Math.max(LEFT_OVER, 1 - this.#pace.shareBefore(order.priority));
    const waitMs = ((this.#queue.beforeOne(order) + 1) * interval) / left;
    // Who has waited too long is called among the more important.
    const { agedAfter, agedShare } = this.#queue.rules;
    if (agedShare === 0) return waitMs;
    return Math.min(waitMs, agedAfter + ((this.#queue.size + 1) * interval) / agedShare);
  }

  #of(worker: number): Map<number, Waiter<Applicant>> {
    let own = this.#waiting.get(worker);
    if (own === undefined) {
      own = new Map();
      this.#waiting.set(worker, own);
    }
    return own;
  }

  #makeBusy(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#tell(true);
    this.#clock.after(CALM_MS, () => this.#calm());
  }

  /** Once nobody waits any more, and nobody has places that are not there any more. */
  #calm(): void {
    if (this.#queue.size > 0 || this.#places.over) {
      this.#clock.after(CALM_MS, () => this.#calm());
      return;
    }
    this.#busy = false;
    this.#tell(false);
  }
}
