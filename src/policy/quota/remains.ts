/**
 * What was counted of keys whose accounts had to make room. A key that comes back begins where it was, or a little further: never
 * less is remembered than was counted, in memory that does not grow with the number of keys.
 *
 * A count-min sketch (Cormode and Muthukrishnan, 2005) of the largest total in each cell instead of their sum: a total holds all
 * that was counted of its key, so keys that share a cell do not add up, and the smallest of the cells of a key is seldom too much.
 */
import { hashString } from '../../kernel/hash.ts';

const ROWS = 3;
const COLUMNS = 1 << 16;
const CELLS = ROWS * COLUMNS;

/** Totals of one time, and when the last of their units was used. */
class Generation {
  number = Number.NEGATIVE_INFINITY;
  readonly units = new Float64Array(CELLS);
  readonly at = new Float64Array(CELLS);

  begin(number: number): void {
    this.number = number;
    this.units.fill(0);
    this.at.fill(0);
  }
}

/** A total, and when the last of its units was used, at the latest. */
export interface Remainder {
  units: number;
  at: number;
}

/** See the file's head. Of generations, which count up, this one and the one before are remembered. */
export class Remains {
  readonly #seeds: readonly number[];
  #current = new Generation();
  #before = new Generation();

  /** `random`: from 0 to 1; keys are spread by it, so that nobody can choose some that share their cells with another. */
  constructor(random: () => number) {
    this.#seeds = Array.from({ length: ROWS }, () => Math.floor(random() * 2 ** 32));
  }

  /** Of this key `units` are counted in all, the last of them used at `at`. */
  keep(key: string, units: number, at: number, generation: number): void {
    this.#turn(generation);
    const { units: totals, at: times } = this.#current;
    for (let row = 0; row < ROWS; row++) {
      const cell = this.#cell(row, key);
      totals[cell] = Math.max(totals[cell] as number, units);
      times[cell] = Math.max(times[cell] as number, at);
    }
  }

  /** At least what was kept of this key. */
  of(key: string, generation: number): Remainder {
    this.#turn(generation);
    let units = Number.POSITIVE_INFINITY;
    let at = Number.POSITIVE_INFINITY;
    for (let row = 0; row < ROWS; row++) {
      const cell = this.#cell(row, key);
      units = Math.min(units, Math.max(this.#current.units[cell] as number, this.#before.units[cell] as number));
      at = Math.min(at, Math.max(this.#current.at[cell] as number, this.#before.at[cell] as number));
    }
    return { units, at };
  }

  #turn(generation: number): void {
    if (generation <= this.#current.number) return;
    const old = this.#before;
    this.#before = this.#current;
    this.#current = old;
    this.#current.begin(generation);
    if (this.#before.number < generation - 1) this.#before.begin(generation - 1);
  }

  #cell(row: number, key: string): number {
    return row * COLUMNS + (hashString(key, this.#seeds[row]) & (COLUMNS - 1));
  }
}
