/** Settings of injected faults: what goes wrong on purpose, for which requests, and how long. */
import { z } from 'zod';
import { durationOnly, name, percent, sizeOnly } from '../../kernel/schema.ts';

const fieldName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$/, 'expected a field name, such as X-Team: no spaces, no colon');

const what = {
  route: z
    .union([name, z.array(name).min(1)])
    .optional()
    .describe('Route, or routes, that it concerns; all when left out.'),
  headers: z
    .record(fieldName, z.string())
    .optional()
    .describe('Field name → exact value, or `*` for any value; all must match. A tenant, a tester, a canary.'),
  percent: percent('100%').describe('Share of the matching requests that it hits.'),
  delay: durationOnly('200ms', '1ms', '5m').optional().describe('Waits this long before the request goes on.'),
  abort: z.number().int().min(400).max(599).optional().describe('Answers with this status instead of forwarding.'),
  throughput: sizeOnly('10KiB', '1B').optional().describe('Bytes of the answer per second.'),
  reset: sizeOnly('4KiB').optional().describe('Cuts the connection after this many bytes of the answer.'),
  malformed: z.boolean().optional().describe('Spoils the bytes of the answer, so that nobody can parse it.'),
};

const EFFECTS = ['delay', 'abort', 'throughput', 'reset', 'malformed'] as const;
const NO_EFFECT = 'expected at least one of delay, abort, throughput, reset and malformed';
const hasEffect = (rule: Partial<Record<(typeof EFFECTS)[number], unknown>>) =>
  EFFECTS.some((effect) => rule[effect] !== undefined && rule[effect] !== false);

/** `chaos.rules[]`. */
export const faultRule = z
  .strictObject({ name: name.describe('Name in metrics, logs and errors.'), ...what })
  .refine(hasEffect, NO_EFFECT);

/** `chaos`. */
export const chaosConfig = z
  .strictObject({
    byHeader: z
      .boolean()
      .default(false)
      .describe(
        'Whether requests may ask for faults themselves: `x-gatehouse-fault-delay: 200ms`, `-abort: 503`, `-throughput: 1KiB`, `-reset: 100`, `-malformed: true`. Never where strangers send requests.',
      ),
    rules: z
      .array(faultRule)
      .default([])
      .describe(
        'Faults; the first that matches and whose dice fall so hits. `gatehouse chaos` adds others for a while.',
      ),
  })
  .prefault({})
  .describe('Faults injected on purpose, to see what clients and dashboards make of them.');

/** The longest that a fault switched on at run time may last. */
export const LONGEST = '1h';

/** What `POST /api/chaos` takes: a rule and how long it lasts; there is no way to leave that out. */
export const chaosOrder = z
  .strictObject({
    name: name.default('manual'),
    for: durationOnly('5m', '1s', LONGEST),
    ...what,
  })
  .refine(hasEffect, NO_EFFECT);

/** One fault after defaults. */
export type FaultRule = z.output<typeof faultRule>;
/** `chaos` after defaults. */
export type ChaosConfig = z.output<typeof chaosConfig>;
