/** Settings of what web pages of other origins may ask for, by the rules of browsers (Fetch Standard §3.2). */
import { z } from 'zod';
import { duration } from '../../kernel/schema.ts';

const token = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, 'expected the name of a field, or *');

/** `routes[].cors`. */
export const corsConfig = z
  .strictObject({
    origins: z
      .array(
        z
          .string()
          .regex(
            /^(\*|https?:\/\/(\*\.)?[a-z0-9.-]+(:\d{1,5})?|[a-z][a-z0-9+.-]*:\/\/[a-z0-9.-]+(:\d{1,5})?)$/,
            'expected an origin as browsers send it, such as https://app.example.com or https://*.example.com, or *',
          ),
      )
      .min(1)
      .describe(
        'Origins of the pages that may call: exact, `https://*.example.com` for every name below, `*` for all.',
      ),
    methods: z
      .array(z.string().regex(/^[A-Z]+$/, 'expected a method in capitals, such as POST'))
      .min(1)
      .default(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])
      .describe('Methods that they may use.'),
    headers: z
      .union([z.literal('any'), z.array(token).max(64)])
      .default('any')
      .describe('Fields that they may send, beside those that every page may. `any`: whatever the browser asks for.'),
    expose: z
      .array(token)
      .max(64)
      .default(['x-request-id', 'retry-after'])
      .describe('Fields of the answer that they may read.'),
    credentials: z
      .boolean()
      .default(false)
      .describe(
        'Whether browsers may add cookies and client certificates. Keys that the page sends itself need no such leave.',
      ),
    maxAge: duration('10m').describe('How long a browser may remember the answer to a preflight.'),
  })
  .refine(({ origins, credentials }) => !credentials || !origins.includes('*'), {
    path: ['origins'],
    message: 'with "credentials" every page of the world could act as its visitor: list the origins',
  })
  .optional()
  .describe('Web pages of other origins may call here. Preflights are answered before anybody has to say who he is.');

/** Settings after defaults. */
export type CorsConfig = NonNullable<z.output<typeof corsConfig>>;
