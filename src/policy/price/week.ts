/** Which minute of the week it is somewhere; the time zone is asked once in a minute. */

const MINUTE = 60_000;
const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** See the file's head. */
export class WeekClock {
  readonly #format: Intl.DateTimeFormat;
  #asked = Number.NaN;
  #minute = 0;

  /** Throws a `RangeError` when there is no such time zone. */
  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en-GB', {
      timeZone,
      hourCycle: 'h23',
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
    });
  }

  /** Minutes since Monday 00:00 there. `wall`: milliseconds since 1970. */
  minute(wall: number): number {
    const asked = Math.floor(wall / MINUTE);
    if (asked === this.#asked) return this.#minute;
    const found: Record<string, string> = {};
    for (const { type, value } of this.#format.formatToParts(wall)) found[type] = value;
    this.#asked = asked;
    this.#minute = DAYS.indexOf(found.weekday ?? '') * 1440 + Number(found.hour) * 60 + Number(found.minute);
    return this.#minute;
  }
}
