/** Settings of the queue in front of servers, and of the limits that are found by measuring. */
import { z } from 'zod';
import { count, duration, percent } from '../../kernel/schema.ts';

/** `upstreams.NAME.endpoints[].maxConcurrency`. */
export const maxConcurrency = z
  .number()
  .int()
  .min(1)
  .max(1_000_000)
  .optional()
  .describe(
    'Requests at once that this server gets, of all workers together; more wait in the queue of the upstream. No limit when left out.',
  );

/** `upstreams.NAME.queue`. */
export const queueConfig = z
  .strictObject({
    length: count(1000, 0, 1_000_000).describe(
      'Requests that wait at most, of all workers together; a full queue refuses (503) the least important, the newest of them first. 0: nothing waits.',
    ),
    scope: z
      .enum(['node', 'shared'])
      .default('node')
      .describe(
        'Whose `maxConcurrency` is: that of each node, or of all nodes of one `redis` together (`shared`). Each then has its part by the number of nodes that are there, rounded down, and one place at least.',
      ),
    wait: duration('30s', '1ms').describe('How long a request waits at most (503).'),
    agedAfter: duration('20s', '1ms').describe(
      'A request that has waited for so long may be served before more important ones.',
    ),
    agedShare: percent('10%').describe(
      'Share of the places that go to such requests, the oldest first, while more important ones wait. 0%: none.',
    ),
    weights: z
      .record(z.string().min(1).max(128), z.number().min(0.01).max(1000))
      .default({})
      .describe(
        'Plan → weight of its tenants. Within a class each tenant gets its share by expected tokens; 1 for plans that are not named.',
      ),
  })
  .prefault({})
  .describe('What happens to requests for which no server has a place: they wait, by importance and fairly.');

/** `upstreams.NAME.adaptive`. */
export const adaptiveConfig = z
  .strictObject({
    min: count(2, 1, 1_000_000).describe('The limit never falls below this.'),
    max: count(1000, 1, 1_000_000).describe('The limit never rises above this.'),
    initial: count(20, 1, 1_000_000).describe('The limit before anything has been measured.'),
    tolerance: percent('25%').describe('How much slower than at rest the first token may be before the limit falls.'),
    probeEvery: duration('60s', '1s').describe(
      'How often the time to the first token at rest is measured anew, under half the load, while there is more to do; sooner at first, and less often where it takes long.',
    ),
  })
  .refine(({ min, max }) => min <= max, { error: 'expected min not above max', path: ['min'] })
  .describe(
    "Finds each endpoint's limit by the time to the first token: it rises while that stays as it is at rest, and falls when it grows.",
  );

/** Settings of a queue after defaults. */
export type QueueConfig = z.output<typeof queueConfig>;
/** Settings of an adaptive limit after defaults. */
export type AdaptiveConfig = z.output<typeof adaptiveConfig>;
