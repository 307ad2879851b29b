/** Admin tokens: who may ask the admin API. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { ROLES } from '../access/caller.ts';
import { hashAdminToken, mintAdminToken } from '../access/token.ts';
import { ADMIN_TOKEN_KIND, type AdminTokenDocument } from './admindocument.ts';
import type { Resource } from './resource.ts';
import { time, withMilliseconds, withTimes } from './times.ts';

const TIMES = ['createdAt', 'expiresAt'];

const order = z
  .strictObject({
    name: z
      .string()
      .max(128)
      .default('')
      .describe('Whom it stands for, in the history and the log; its id when empty.'),
    role: z.enum(ROLES).describe('`viewer` looks, `operator` runs things and manages keys, `admin` may do everything.'),
    tenant: z.string().max(128).default('').describe('Only keys of this tenant; all when empty.'),
    scopes: z
      .array(z.string().min(1).max(128))
      .max(64)
      .default([])
      .describe('Scopes that it may give to keys, with a tenant.'),
    expiresAt: time.optional().describe('Not valid from then on.'),
    disabled: z.boolean().default(false).describe('Switched off.'),
  })
  .describe('A token of an admin caller.');
type Order = z.output<typeof order>;

/** Admin tokens, as the API has them. */
export const admins: Resource<AdminTokenDocument> = {
  name: 'admins',
  one: 'admin token',
  kind: ADMIN_TOKEN_KIND,
  reads: 'admin',
  writes: 'admin',
  tenants: false,
  order,
  answer: z.object({ ...order.shape, hint: z.string(), createdAt: time }),
  onceShown: z.object({ token: z.string().describe('The token itself. It is shown in this answer, and never again.') }),
  fixed: ['hint', 'createdAt'],
  ids: 'optional',
  shown: ({ hash: _, ...rest }) => withTimes(rest, TIMES),
  make(id, wanted: Order, { now }) {
    const token = mintAdminToken();
    const hint = `${token.slice(0, 12)}…${token.slice(-4)}`;
    const value = { ...withMilliseconds(wanted, TIMES), hash: hashAdminToken(token), hint, createdAt: now };
    return { id: id ?? `admin_${randomBytes(9).toString('hex')}`, value, once: { token } };
  },
  changed({ id, value: { hash, hint, createdAt } }, wanted: Order) {
    return { id, value: { ...withMilliseconds(wanted, TIMES), hash, hint, createdAt } };
  },
  parentOf: ({ tenant }) => tenant,
  lookupsOf: ({ hash }) => [`hash:${hash}`],
};
