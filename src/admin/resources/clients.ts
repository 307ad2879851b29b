/** Clients of the token service (OAuth 2): programs that ask for tokens. */
import { z } from 'zod';
import { mintKey } from '../../policy/access/access.ts';
import { CLIENT_KIND, type ClientDocument, clientDocument } from '../../policy/token/config.ts';
import { hashSecret } from '../../policy/token/token.ts';
import { problem } from '../answer.ts';
import { declares, tokensOf } from './endedtokens.ts';
import { knownPlan } from './names.ts';
import type { Resource } from './resource.ts';
import { wrong } from './trouble.ts';

const order = clientDocument
  .omit({ id: true, hash: true })
  .extend({ public: z.boolean().default(false).describe('It has no secret, as a tool on the machine of a person.') })
  .describe('A client of the token service.');
type Order = z.output<typeof order>;

const change = order.omit({ public: true });
const once = z.object({
  secret: z.string().optional().describe('Its secret. It is shown in this answer, and never again.'),
});

/** Clients, as the API has them. */
export const clients: Resource<ClientDocument> = {
  name: 'clients',
  one: 'client',
  kind: CLIENT_KIND,
  reads: 'viewer',
  writes: 'admin',
  tenants: false,
  order,
  change,
  answer: order,
  onceShown: once,
  fixed: ['public'],
  ids: 'chosen',
  shown: ({ id: _, hash, ...rest }) => ({ ...rest, public: hash === undefined && rest.keys === undefined }),
  async make(id, { public: open, ...rest }: Order, around) {
    const { pepper } = around;
    const unknown = await knownPlan(rest.plan, undefined, around);
    if (unknown !== undefined) return unknown;
    if (declares(around, 'client', id))
      return problem(409, 'refused', `${id} is a client of the configuration (tokens.clients): choose another id.`);
    const named = clientDocument.shape.id.safeParse(id);
    if (!named.success) return wrong([{ path: 'id', message: named.error.issues[0]?.message ?? 'wrong' }]);
    if (open && rest.keys !== undefined) {
      return wrong([{ path: 'public', message: 'a client with keys proves itself by them: it is not public' }]);
    }
    if (open && rest.grants.includes('clientCredentials')) {
      return wrong([
        { path: 'grants', message: 'a public client cannot prove that it is itself: no clientCredentials' },
      ]);
    }
    const made = { ...rest, id: named.data };
    const also = await tokensOf('client', named.data, false, !rest.disabled, around);
    // One that has keys proves itself by them.
    if (open || rest.keys !== undefined) return { id: named.data, value: made, also };
    if (pepper === '') return problem(409, 'no_pepper', 'Secrets are hashed under access.pepper, and none is set.');
    const secret = `gh_client_${mintKey('live').slice('gh_live_'.length)}`;
    return { id: named.data, value: { ...made, hash: hashSecret(pepper, secret) }, once: { secret }, also };
  },
  async changed({ id, value: { hash, keys, plan, disabled } }, rest: Omit<Order, 'public'>, around) {
    const unknown = await knownPlan(rest.plan, plan, around);
    if (unknown !== undefined) return unknown;
    if (hash !== undefined && rest.keys !== undefined)
      return wrong([
        { path: 'keys', message: 'this client has a secret: make another one that proves itself by keys' },
      ]);
    if (keys !== undefined && rest.keys === undefined)
      return wrong([
        { path: 'keys', message: 'without keys anybody could say that they are this client: make another one' },
      ]);
    const value = { ...rest, id, ...(hash === undefined ? {} : { hash }) };
    const also = await tokensOf('client', id, !disabled, !rest.disabled, around);
    return { id, value, also };
  },
  gone: ({ id }, around) => tokensOf('client', id, true, false, around),
  parentOf: ({ tenant }) => tenant,
};
