/** Settings of the admin port. */
import { z } from 'zod';
import { address } from '../kernel/schema.ts';

/** `admin:` of the configuration. */
export const adminConfig = z
  .strictObject({
    address: address.default('127.0.0.1:9901').describe('Where /metrics, /api/… and the dashboard answer.'),
  })
  .prefault({});

/** Admin settings after defaults. */
export type AdminConfig = z.output<typeof adminConfig>;
