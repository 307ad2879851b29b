/** Settings of limits: how much of what, by which key. On a route, in a plan, or for everything. */
import { z } from 'zod';
import { COST_UNIT, parsePrice } from '../../ai/cost.ts';
import { name, percent, timeZone } from '../../kernel/schema.ts';
import { parseAmount, parseBytes } from './amount.ts';
import { KEY_PART } from './key.ts';
import type { BudgetTerms, Unit } from './rule.ts';

const EXAMPLE = '1000/min, 200/s, 2M/day or 10/30s';

const SIZES = '10MiB/s, 500MB/min or 20GiB/day';

/** So much of something in a time. `parts`: it need not be a whole number, as with money. */
export const amount = (what: string, parts = false) => {
  const bytes = what === 'bytes';
  const expected = `expected ${what} in a time, such as ${bytes ? SIZES : EXAMPLE}`;
  return z
    .string({ error: expected })
    .transform((text, context) => {
      const parsed = bytes ? parseBytes(text) : parseAmount(text);
      const broken = parsed !== undefined && !parts && !Number.isInteger(parsed.units);
      if (parsed !== undefined && !broken) return parsed;
      const message = broken ? `expected a whole number of ${what}; say 1/2s instead of 0.5/s` : expected;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    })
    .optional();
};

/** One part of the key of a limit or budget. */
export const keyPart = z
  .string()
  .regex(
    KEY_PART,
    'expected apiKey, tenant, user, plan, model, version, route, host, ip, ip/24 (to /32), ip/24/56 (to /128), header:NAME, claim:NAME or resource',
  );

/** Parts of a key that only callers have who were authenticated. */
export const NEEDS_CALLER = /^(apiKey|tenant|user|plan|claim:.*)$/;

/** What a limit counts; one of them in each rule. */
const UNITS = ['requests', 'tokens', 'inputTokens', 'outputTokens', 'bytes', 'credits', 'concurrency'] as const;

/** One item of `limits`. */
export const limitConfig = z
  .strictObject({
    name: name.optional().describe('Name in errors, metrics and `gatehouse limits`; made up when left out.'),
    key: z
      .union([keyPart.transform((one) => [one]), z.array(keyPart).min(1).max(8)])
      .describe(
        'What is counted apart: `apiKey`, `tenant`, `user` (whom the key or token stands for, in its tenant), `plan`, `model`, `version`, `route`, `host`, `ip` (IPv6 by /64; `ip/24/56` by networks), `header:NAME`, `claim:NAME`, or `resource` for all callers together. A list counts each combination.',
      ),
    requests: amount('requests').describe('Requests in a time, such as `200/s`.'),
    tokens: amount('tokens').describe(
      'Input and output tokens in a time. Reserved before sending, settled on the real usage.',
    ),
    inputTokens: amount('tokens').describe('Input tokens in a time.'),
    outputTokens: amount('tokens').describe('Output tokens in a time.'),
    bytes: amount('bytes').describe('Bytes of bodies, both ways, in a time, such as `10MiB/s`.'),
    credits: amount('credits', true).describe('Money in a time, in the currency of the price table, such as `5/day`.'),
    output: z
      .number()
      .int()
      .min(1)
      .max(1_000_000)
      .default(4096)
      .describe(
        'Output tokens that are reserved for a request that does not bound its output itself. The upstream is told this bound; only streams may go on beyond, as long as there is more to be had. Of limits on tokens and credits.',
      ),
    concurrency: z.number().int().min(1).max(1_000_000).optional().describe('Requests under way at once.'),
    burst: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe(
        'Makes it a token bucket: so much may be used at once, and it refills evenly. Without it no interval of that length, wherever it begins, has more than the limit.',
      ),
    window: z
      .enum(['sliding', 'calendar'])
      .optional()
      .describe(
        '`calendar`: all comes back when the next hour, day, week or month begins. `sliding` when left out; a month is always of the calendar.',
      ),
    timeZone: timeZone.describe('Where calendar windows begin at midnight.'),
    mode: z
      .enum(['enforce', 'observe'])
      .default('enforce')
      .describe('`observe` counts and reports what it would refuse, and refuses nothing.'),
    scope: z
      .enum(['shared', 'node'])
      .default('shared')
      .describe(
        'With `redis`: `shared` counts for all nodes together, `node` for each node by itself. Without it every limit is of the node.',
      ),
    onStoreLoss: z
      .enum(['refuse', 'localShare'])
      .default('localShare')
      .describe(
        'When several nodes share it and their store cannot be reached: refuse, or go on with the fair share of this node. Never unlimited.',
      ),
  })
  .superRefine((limit, context) => {
    const given = UNITS.filter((unit) => limit[unit] !== undefined);
    const fail = (message: string, path: string[] = []) => context.addIssue({ code: 'custom', message, path });
    if (given.length !== 1) {
      fail(`expected exactly one of ${UNITS.join(', ')}, found ${given.length === 0 ? 'none' : given.join(' and ')}`);
      return;
    }
    const unit = given[0] as (typeof UNITS)[number];
    const rate = unit === 'concurrency' ? undefined : limit[unit];
    if (limit.burst !== undefined && (rate === undefined || rate.windowMs === undefined || limit.window === 'calendar'))
      fail('a burst goes with a sliding time, such as requests: 200/s', ['burst']);
    if (limit.window !== undefined && rate === undefined) fail('concurrency has no window', ['window']);
    if (limit.window === 'calendar' && rate !== undefined && rate.every === undefined)
      fail('a calendar window is /hour, /day, /week or /month', ['window']);
    if (limit.window === 'sliding' && rate !== undefined && rate.windowMs === undefined)
      fail('a month has no fixed length: leave window out, or write a time such as 30d', ['window']);
  });

/** `limits`. */
export const limitsConfig = z
  .array(limitConfig)
  .superRefine((limits, context) => {
    const names = new Set<string>();
    limits.forEach(({ name: own }, i) => {
      if (own === undefined) return;
      if (names.has(own))
        context.addIssue({
          code: 'custom',
          message: `two limits here are named "${own}"; rename one`,
          path: [i, 'name'],
        });
      names.add(own);
    });
  })
  .default([]);

const money = z
  .union([z.string(), z.number()], { error: 'expected an amount of money, such as 500' })
  .transform((value, context) => {
    const parsed = parsePrice(String(value));
    if (parsed !== undefined) return parsed * (COST_UNIT / 1_000_000);
    context.addIssue({
      code: 'custom',
      message: 'expected an amount of money with at most six decimal places, such as 500',
    });
    return z.NEVER;
  });

/** One item of `budgets`. */
export const budgetConfig = z
  .strictObject({
    name: name.describe('Name in errors, metrics, alerts and `gatehouse limits`.'),
    key: z
      .union([keyPart.transform((one) => [one]), z.array(keyPart).min(1).max(8)])
      .describe(
        'Who has a budget of this kind: as `key` of a limit. `tenant`, `apiKey`, `user`, `claim:team`, or `resource` for all together.',
      ),
    credits: amount('an amount of money', true)
      .unwrap()
      .describe(
        'Money for each of them in each hour, day, week or month of the calendar, in the currency of `prices`, such as `500/month`.',
      ),
    only: z
      .record(z.string(), money)
      .default({})
      .describe(
        'Other amounts for some of them, such as `{ acme: 2000 }`. A key of several parts is joined by one space.',
      ),
    timeZone: timeZone.describe('Where a day or month begins at midnight.'),
    alerts: z
      .array(percent('50%'))
      .default([0.5, 0.8, 1])
      .transform((shares) => [...new Set(shares)].filter((share) => share > 0).sort((a, b) => a - b))
      .describe('Shares at which a warning is logged and counted, once in each period for each of them.'),
    mode: z
      .enum(['enforce', 'observe'])
      .default('enforce')
      .describe('`observe` only tells: alerts come, and nothing is refused.'),
    onStoreLoss: z
      .enum(['refuse', 'localShare'])
      .default('localShare')
      .describe(
        'With `redis`, when it cannot be reached: refuse what this node has no money in hand for, or go on with its part of what was left.',
      ),
  })
  .refine(({ credits }) => credits.every !== undefined, {
    error: 'a budget is /hour, /day, /week or /month',
    path: ['credits'],
  });

/** `budgets`. */
export const budgetsConfig = z
  .array(budgetConfig)
  .default([])
  .describe(
    'Money that may be spent. A request needs money in every budget that it falls under: they nest as you name them.',
  );

/** `routes[].unknownOperations`. */
export const unknownOperationsConfig = z
  .enum(['refuse', 'allow'])
  .optional()
  .describe(
    'Operations that Gatehouse does not know (`/v1/batches`, `/invocations`, tunnels), where a limit or budget counts tokens or money that they may use: `refuse` answers 403, `allow` lets them pass uncounted. What only reads, deletes, uploads or cancels passes. When left out: `refuse` on routes that serve models or have such a limit themselves, else `allow`.',
  );

/** What is done with operations that are not known. */
export type UnknownOperations = z.output<typeof unknownOperationsConfig>;

/** One budget after parsing. */
export type BudgetConfig = z.output<typeof budgetConfig>;

/** One limit after parsing. */
export type LimitConfig = z.output<typeof limitConfig> & {
  /** It is made from one of `budgets`. */
  budget?: BudgetTerms;
};

/** What the limit counts, and how much of it. */
export function unitOf(limit: LimitConfig): Unit {
  return UNITS.find((unit) => limit[unit] !== undefined) as Unit;
}
