/** Settings of the Redis or Valkey that several nodes share. */
import { z } from 'zod';
import { duration } from '../kernel/schema.ts';

/** `redis:` of the configuration. */
export const redisConfig = z.strictObject({
  url: z
    .string()
    .regex(/^(rediss?:\/\/|unix:)/, 'expected redis://HOST:PORT, rediss://HOST:PORT or unix:/path')
    .describe(
      'Where it is, such as `${REDIS_URL}`: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, `rediss://` with TLS, or `unix:/path`.',
    ),
  tls: z
    .strictObject({
      ca: z.string().min(1).max(100_000).optional().describe('Certificates (PEM) of who may have issued its own.'),
      serverName: z.string().min(1).max(253).optional().describe('Name that its certificate must bear.'),
    })
    .optional()
    .describe('For `rediss://`, where the certificates of the system do not do.'),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_:.-]{0,64}$/, 'expected letters, digits and _ : . - (at most 64)')
    .default('gatehouse:')
    .describe('Begins every key: gateways that share a server but nothing else have different ones.'),
  timeout: duration('300ms', '10ms').describe('An answer that takes longer is none.'),
  connectTimeout: duration('1s', '10ms').describe('How long connecting may take.'),
  nodes: z
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(0)
    .describe(
      'How many nodes there are at least. A node without the store takes the limit divided by this, or by the nodes it has last seen if those are more; with 0, one that has never seen the store refuses.',
    ),
});

/** Redis settings after defaults. */
export type RedisConfig = z.output<typeof redisConfig>;
