/** Settings of what a worker may be burdened with, and what happens when it is more. */
import { z } from 'zod';
import { count, duration, percent, sizeOnly } from '../../kernel/schema.ts';

/** `overload`. */
export const overloadConfig = z
  .strictObject({
    connections: count(50_000, 1).describe(
      'Open client connections of a worker, all listeners together. Beyond, none is accepted: they wait in the kernel, or another worker takes them.',
    ),
    requests: count(20_000, 1).describe('Requests under way in a worker (503 beyond).'),
    totalRequests: z
      .number()
      .int()
      .min(1)
      .max(10_000_000)
      .optional()
      .describe('Requests under way in all workers together (503 beyond). Each worker has an equal share of it.'),
    memory: sizeOnly('1GiB', '64MiB')
      .optional()
      .describe('Resident memory in use by a worker, at which nothing new is taken. No limit when left out.'),
    heap: percent('90%').describe("Share of the JavaScript engine's own heap limit, at which nothing new is taken."),
    loopDelay: duration('1s', '10ms').describe(
      'Mean delay of the event loop, over about a second, at which nothing new is taken.',
    ),
    shedFrom: percent('80%').describe(
      'Share of each limit from which on the least important requests are refused; the most important ones only at the limit itself.',
    ),
    system: z
      .strictObject({
        mode: z
          .enum(['observe', 'enforce', 'off'])
          .default('observe')
          .describe(
            '`enforce` refuses, `observe` only counts what it would refuse (`gatehouse_overload_system_refused_total`), `off` does neither.',
          ),
        cpu: percent('90%').describe(
          'Busy share from which on no more requests are taken in a second than keep it there: of a core by a worker, of the quota of its control group (container), or of the whole machine.',
        ),
        loopDelay: duration('100ms', '10ms').describe(
          'The same for the mean delay of the event loop, over about a second: long before `overload.loopDelay`, at which nothing is taken.',
        ),
        minUnderWay: count(10, 1, 1_000_000).describe(
          'Requests that may be under way in a worker at least, as far as the rate allows; the less important leave a part of them to the others.',
        ),
        minPerSecond: count(10, 1, 1_000_000).describe('Requests a second that a worker takes at least.'),
      })
      .prefault({})
      .describe(
        'How many requests a second are taken while the processor is too busy; the least important give way first.',
      ),
    retryAfter: duration('1s', '1ms').describe(
      'What refused clients are told to wait; up to twice as long, so that they do not all come back at once.',
    ),
  })
  .prefault({})
  .describe(
    'What a worker may be burdened with. When it is more, the newest and least important requests are refused.',
  );

/** `overload` after defaults. */
export type OverloadConfig = z.output<typeof overloadConfig>;
