/** Calendar periods in a time zone, by a wall clock that is not believed when it jumps (FAULTS.md row 33). */
import type { Clock } from '../../kernel/clock.ts';
import type { Period } from './calendarcounter.ts';

/** How long a calendar period is. Weeks begin on Monday (ISO 8601). */
export type CalendarUnit = 'hour' | 'day' | 'week' | 'month';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A difference up to this is a clock that is being set right; believed at once. */
const SMALL_JUMP = 60_000;
/** A larger one must have lasted this long before it is believed. */
const PATIENCE = 600_000;

/** The wall clock, carried on by the monotonic one: a jump neither opens a new period nor keeps an old one. */
export class SteadyWall {
  readonly #clock: Clock;
  #offset: number;
  #jumpedAt: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = clock.wall() - clock.now();
  }

  /** Milliseconds since 1970. */
  now(): number {
    const now = this.#clock.now();
    const offset = this.#clock.wall() - now;
    if (Math.abs(offset - this.#offset) <= SMALL_JUMP) {
      this.#offset = offset;
      this.#jumpedAt = undefined;
    } else {
      this.#jumpedAt ??= now;
      if (now - this.#jumpedAt >= PATIENCE) {
        this.#offset = offset;
        this.#jumpedAt = undefined;
      }
    }
    return now + this.#offset;
  }
}

/** The period of one rule. */
export class CalendarPeriod implements Period {
  limit: number;
  readonly #unit: CalendarUnit;
  readonly #wall: SteadyWall;
  readonly #format: Intl.DateTimeFormat;
  #number = 0;
  #start = 0;
  #end = Number.NEGATIVE_INFINITY;

  /** Throws a `RangeError` when there is no such time zone (IANA name). */
  constructor(limit: number, unit: CalendarUnit, timeZone: string, clock: Clock) {
    this.limit = limit;
    this.#unit = unit;
    this.#wall = new SteadyWall(clock);
    this.#format = new Intl.DateTimeFormat('en-GB', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
  }

  current(): number {
    const wall = this.#wall.now();
    // A clock that was set back a little stays in its period: what was used in it is not forgotten.
    if (wall >= this.#end) {
      this.#start = this.#startOf(wall);
      this.#end = this.#startOf(this.#beyond(this.#start));
      this.#number++;
    } else if (wall < this.#start - PATIENCE) {
      this.#start = this.#startOf(wall);
      this.#end = this.#startOf(this.#beyond(this.#start));
    }
    return this.#number;
  }

  left(): number {
    this.current();
    return Math.max(0, this.#end - this.#wall.now());
  }

  /** When the period began, in milliseconds since 1970. */
  get startedAt(): number {
    this.current();
    return this.#start;
  }

  /** A time in the next period. */
  #beyond(start: number): number {
    // Beyond the longest period of its kind, a change of summer time included, and within the next one.
    return start + { hour: 1.5 * HOUR, day: 1.5 * DAY, week: 7.5 * DAY, month: 31.5 * DAY }[this.#unit];
  }

  #startOf(wall: number): number {
    const { year, month, day, hour, minute, second } = this.#parts(wall);
    if (this.#unit === 'hour') return wall - (wall % 1000) - (minute * 60 + second) * 1000;
    let [y, m, d] = [year, month - 1, day];
    if (this.#unit === 'month') d = 1;
    if (this.#unit === 'week') {
      const date = new Date(Date.UTC(y, m, d - ((new Date(Date.UTC(y, m, d)).getUTCDay() + 6) % 7)));
      [y, m, d] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
    }
    // Midnight there: guess it as if the zone were UTC, and correct by what the zone makes of it, twice for a change between.
    const wanted = Date.UTC(y, m, d);
    let guess = wall - (wall % 1000) - ((hour * 60 + minute) * 60 + second) * 1000;
    for (let round = 0; round < 3; round++) {
      const seen = this.#parts(guess);
      const is = Date.UTC(seen.year, seen.month - 1, seen.day, seen.hour, seen.minute, seen.second);
      if (is === wanted) break;
      guess += wanted - is;
    }
    return guess;
  }

  #parts(wall: number) {
    const found: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(wall)) found[type] = Number(value);
    return found as { year: number; month: number; day: number; hour: number; minute: number; second: number };
  }
}
