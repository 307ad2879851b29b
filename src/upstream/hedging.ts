/** Settings of hedging. */
import { z } from 'zod';
import { duration } from '../kernel/schema.ts';

/** `upstreams.NAME.hedging`. */
export const hedgingConfig = z
  .strictObject({
    after: duration('1s', '1ms').describe('No answer for this long: the request is also sent to another endpoint.'),
    header: z
      .string()
      .regex(/^[A-Za-z0-9-]+$/, 'expected a field name')
      .default('idempotency-key')
      .describe('Field by which a request of any method declares that sending it twice does no harm.'),
    all: z.boolean().default(false).describe('Every request of this upstream may be sent twice (embeddings, say).'),
  })
  .describe(
    'Hedging of requests that are idempotent by method, by declaration or by `all`: the first answer counts. Each costs a retry of the budget.',
  );
