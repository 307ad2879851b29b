/** Decides when a dead worker is replaced, and when repeated deaths are a crash loop. Pure but for the clock. */
import type { Clock } from '../kernel/clock.ts';

/** Settings of the restarts; times in milliseconds. */
export interface RestartSettings {
  /** A worker that lived this long was sound: its death starts the count anew. */
  soundAfter: number;
  /** Wait before the second replacement in a row; doubles from there. The first is made at once. */
  firstDelay: number;
  longestDelay: number;
  /** This many early deaths (of any worker) within `loopWindow` are a crash loop. */
  loopDeaths: number;
  loopWindow: number;
}

/** What has stood the test: at once, 100 ms, 200 ms, … 10 s; five early deaths in a minute are a loop. */
export const restartDefaults: RestartSettings = {
  soundAfter: 10_000,
  firstDelay: 100,
  longestDelay: 10_000,
  loopDeaths: 5,
  loopWindow: 60_000,
};

/** Back-off per slot, verdict over all of them. */
export class Restarts {
  readonly #clock: Clock;
  readonly #settings: RestartSettings;
  readonly #inARow = new Map<number, number>();
  #early: number[] = [];

  constructor(clock: Clock, settings: RestartSettings = restartDefaults) {
    this.#clock = clock;
    this.#settings = settings;
  }

  /** Whether workers keep dying young. Ends by itself when they stop. */
  get looping(): boolean {
    const since = this.#clock.now() - this.#settings.loopWindow;
    while (this.#early.length > 0 && this.#early[0]! <= since) this.#early.shift();
    return this.#early.length >= this.#settings.loopDeaths;
  }

  /** A worker in `slot` died after `lived` ms; returns how long to wait before the next is forked. */
  died(slot: number, lived: number): number {
    const s = this.#settings;
    if (lived >= s.soundAfter) {
      this.#inARow.delete(slot);
      return 0;
    }
    this.#early.push(this.#clock.now());
    if (this.#early.length > 1000) this.#early.shift();
    const before = this.#inARow.get(slot) ?? 0;
    this.#inARow.set(slot, before + 1);
    if (before === 0) return 0;
    const delay = Math.min(s.longestDelay, s.firstDelay * 2 ** Math.min(before - 1, 30));
    // Slots that died together must not come back in one lump.
    return delay * (0.75 + this.#clock.random() * 0.25);
  }
}
