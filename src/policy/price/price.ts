/** The door of the room: the price table of a configuration, asked once for each request. */
import type { Price } from '../../ai/cost.ts';
import type { ModelPrice, PricesConfig } from './config.ts';
import { WeekClock } from './week.ts';

interface Exception {
  readonly version: string | undefined;
  readonly upstream: string | undefined;
  /** Minutes of the week by turns: from (included), to (not). Undefined: always. */
  readonly times: readonly number[] | undefined;
  readonly price: Price;
}

interface Priced {
  readonly price: Price;
  readonly exceptions: readonly Exception[];
}

/** Minutes of a day and of a week. */
const DAY = 1440;
const WEEK = 7 * DAY;
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** See the file's head. */
export class PriceTable {
  readonly #models = new Map<string, Priced>();
  readonly #default: Priced | undefined;
  readonly #week: WeekClock;
  readonly currency: string;
  /** Milliseconds that are reserved where seconds cost. */
  readonly reserveMs: number;
  /** Nothing has a price. */
  readonly none: boolean;

  constructor({ currency, timeZone, reserveTime, default: usual, models }: PricesConfig) {
    this.currency = currency;
    this.reserveMs = reserveTime;
    this.#week = new WeekClock(timeZone);
    this.#default = usual === undefined ? undefined : compile(usual);
    for (const [name, price] of Object.entries(models)) this.#models.set(name, compile(price));
    this.none = this.#default === undefined && this.#models.size === 0;
  }

  /** What a request costs that begins at `wall` (milliseconds since 1970); undefined: nothing is known of this model. */
  of(model: string, version: string, upstream: string, wall: number): Price | undefined {
    const found = this.#models.get(model) ?? this.#default;
    if (found === undefined) return undefined;
    const { exceptions } = found;
    for (let i = 0; i < exceptions.length; i++) {
      const one = exceptions[i] as Exception;
      if (one.version !== undefined && one.version !== version) continue;
      if (one.upstream !== undefined && one.upstream !== upstream) continue;
      if (one.times !== undefined && !within(one.times, this.#week.minute(wall))) continue;
      return one.price;
    }
    return found.price;
  }
}

function within(times: readonly number[], minute: number): boolean {
  for (let i = 0; i < times.length; i += 2)
    if (minute >= (times[i] as number) && minute < (times[i + 1] as number)) return true;
  return false;
}

function compile({ when, ...base }: ModelPrice): Priced {
  const exceptions = when.map(({ version, upstream, from, to, days, ...own }) => ({
    version,
    upstream,
    times: from === undefined || to === undefined ? days && timesOf('00:00', '00:00', days) : timesOf(from, to, days),
    price: whole({ ...base, ...given(own) }),
  }));
  return { price: whole(base), exceptions };
}

type Amounts = { [K in keyof Price]?: Price[K] | undefined };

const given = (amounts: Amounts): Amounts =>
  Object.fromEntries(Object.entries(amounts).filter(([, value]) => value !== undefined));

function whole({
  input = 0,
  cachedInput = input,
  output = 0,
  reasoning = output,
  perRequest = 0,
  perSecond = 0,
}: Amounts): Price {
  return { input, cachedInput, output, reasoning, perRequest, perSecond };
}

/** Minutes of the week, from and to by turns; what goes beyond Sunday begins anew on Monday. */
function timesOf(from: string, to: string, days: readonly (typeof DAYS)[number][] = DAYS): number[] {
  const start = minutes(from);
  const length = (minutes(to) - start + DAY) % DAY || DAY;
  const times: number[] = [];
  for (const day of days) {
    const begin = DAYS.indexOf(day) * DAY + start;
    times.push(begin, Math.min(begin + length, WEEK));
    if (begin + length > WEEK) times.push(0, begin + length - WEEK);
  }
  return times;
}

const minutes = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
