/** Settings of the price table: what tokens, requests and seconds cost. */
import { z } from 'zod';
import { parsePrice } from '../../ai/cost.ts';
import { durationOnly, name, timeZone } from '../../kernel/schema.ts';

const EXPECTED = 'expected an amount of money with at most six decimal places, such as 2.50';

const money = (what: string) =>
  z
    .union([z.string(), z.number()], { error: EXPECTED })
    .transform((value, context) => {
      const parsed = parsePrice(String(value));
      if (parsed !== undefined) return parsed;
      context.addIssue({ code: 'custom', message: EXPECTED });
      return z.NEVER;
    })
    .optional()
    .describe(what);

const amounts = {
  input: money('A million input tokens.'),
  cachedInput: money('A million input tokens that came from a cache; `input` when left out.'),
  output: money('A million output tokens.'),
  reasoning: money('A million output tokens of reasoning; `output` when left out.'),
  perRequest: money('Each request that was answered.'),
  perSecond: money('Each second that the server worked on a request, such as rent of a GPU.'),
};

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'expected a time of day, such as 22:00');

const exception = z
  .strictObject({
    version: name.optional().describe('Only for this version of the model.'),
    upstream: name.optional().describe('Only when this upstream serves it, such as a pool of spot machines.'),
    from: time.optional().describe('Only from this time of day on.'),
    to: time.optional().describe('Until this time of day; before `from`: of the next day.'),
    days: z
      .array(z.enum(DAYS))
      .min(1)
      .optional()
      .describe('Only on these days, by when `from` was; every day when left out.'),
    ...amounts,
  })
  .refine(({ from, to }) => (from === undefined) === (to === undefined), {
    error: '`from` and `to` belong together: 22:00 and 06:00',
  });

const modelPrice = z.strictObject({
  ...amounts,
  when: z
    .array(exception)
    .default([])
    .describe(
      'Other prices for a version, an upstream or a time of day. The first that fits holds; what it leaves out is as above.',
    ),
});

/** `prices`. */
export const pricesConfig = z
  .strictObject({
    currency: z
      .string()
      .regex(/^[A-Za-z]{1,12}$/, 'expected the name of a currency, such as USD')
      .default('USD')
      .describe('What prices, credits and budgets are in; shown, never converted.'),
    timeZone: timeZone.describe('Where `from` and `to` are read.'),
    reserveTime: durationOnly('1m', '0', '24h')
      .prefault('1m')
      .describe(
        'Where seconds cost money: how much time is reserved before a request is sent. The difference comes back; who runs for longer takes more as he goes on.',
      ),
    default: modelPrice.optional().describe('For models that have no price of their own.'),
    models: z.record(name, modelPrice).default({}).describe('Prices by the name that clients ask for.'),
  })
  .prefault({})
  .describe('What requests cost. Amounts are per million tokens, at most six decimal places.');

/** The price table after parsing: amounts in millionths of the currency. */
export type PricesConfig = z.output<typeof pricesConfig>;
/** The prices of one model. */
export type ModelPrice = z.output<typeof modelPrice>;
/** A day of the week as it is written. */
export type Day = (typeof DAYS)[number];
