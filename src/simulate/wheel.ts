/**
 * One timer for every stream: a hashed timing wheel (Varghese and Lauck, 1987) of one-millisecond slots. Adding and
 * firing cost O(1) whatever the number of streams, and an idle simulator has no timer at all.
 */

const SLOTS = 1024;
const MASK = SLOTS - 1;

/** Something that falls due. A stream extends it, so waiting allocates nothing. */
export abstract class Due {
  /** Absolute time on the wheel's clock, in milliseconds. */
  dueAt = 0;
  /** False: is skipped and dropped when its slot comes up. */
  waiting = false;
  nextDue: Due | undefined = undefined;

  /** Called once when due; may add itself again. */
  abstract fire(nowMs: number): void;
}

/** The wheel; times are `performance.now()` milliseconds. */
export class Wheel {
  readonly #slots: (Due | undefined)[] = new Array<Due | undefined>(SLOTS).fill(undefined);
  #count = 0;
  #tick = 0;
  #armedFor = 0;
  #timer: NodeJS.Timeout | undefined = undefined;
  readonly #run = (): void => this.#advance();

  /** Fires `due` at `atMs` or within about a millisecond after. An entry that already waits must not be added again. */
  add(due: Due, atMs: number): void {
    const now = Math.floor(performance.now());
    if (this.#count === 0) this.#tick = now;
    const tick = Math.max(Math.ceil(atMs), this.#tick + 1);
    due.dueAt = tick;
    due.waiting = true;
    due.nextDue = this.#slots[tick & MASK];
    this.#slots[tick & MASK] = due;
    this.#count++;
    if (!this.#timer || tick < this.#armedFor) this.#arm(tick, now);
  }

  /** Stops the timer and forgets everything. */
  clear(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#slots.fill(undefined);
    this.#count = 0;
  }

  #arm(tick: number, now: number): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#armedFor = tick;
    this.#timer = setTimeout(this.#run, Math.max(1, Math.min(tick - now, SLOTS)));
  }

  /** After a pause of more than a round the order of the slots says nothing: what is overdue fires in the order of its times. */
  #catchUp(now: number): void {
    const overdue: Due[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      let due = this.#slots[slot];
      this.#slots[slot] = undefined;
      while (due) {
        const next: Due | undefined = due.nextDue;
        due.nextDue = undefined;
        if (due.dueAt <= now) overdue.push(due);
        else {
          due.nextDue = this.#slots[slot];
          this.#slots[slot] = due;
        }
        due = next;
      }
    }
    this.#tick = now;
    this.#count -= overdue.length;
    for (const due of overdue.sort((a, b) => a.dueAt - b.dueAt)) {
      if (!due.waiting) continue;
      due.waiting = false;
      due.fire(now);
    }
  }

  #advance(): void {
    this.#timer = undefined;
    const now = Math.floor(performance.now());
    if (now - this.#tick > MASK) this.#catchUp(now);
    for (let tick = this.#tick + 1; tick <= now; tick++) {
      let due = this.#slots[tick & MASK];
      if (!due) continue;
      this.#slots[tick & MASK] = undefined;
      this.#tick = tick;
      while (due) {
        const next: Due | undefined = due.nextDue;
        due.nextDue = undefined;
        if (due.dueAt > now) {
          due.nextDue = this.#slots[tick & MASK];
          this.#slots[tick & MASK] = due;
        } else {
          this.#count--;
          if (due.waiting) {
            due.waiting = false;
            due.fire(now);
          }
        }
        due = next;
      }
    }
    this.#tick = now;
    if (this.#count === 0) return;
    let next = now + 1;
    while (next < now + SLOTS && !this.#slots[next & MASK]) next++;
    this.#arm(next, now);
  }
}
