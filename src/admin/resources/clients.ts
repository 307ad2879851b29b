/** Clients of the token service (OAuth 2): programs that ask for tokens. */
import { z } from 'zod';
import { mintKey } from '../../policy/access/access.ts';
import { CLIENT_KIND, type ClientDocument, clientDocument } from '../../policy/token/config.ts';
import { hashSecret } from '../../policy/token/token.ts';
import { problem } from '../answer.ts';
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
  shown: ({ id: _, hash, ...rest }) => ({ ...rest, public: hash === undefined }),
  make(id, { public: open, ...rest }: Order, { pepper }) {
    const named = clientDocument.shape.id.safeParse(id);
    if (!named.success) return wrong([{ path: 'id', message: named.error.issues[0]?.message ?? 'wrong' }]);
    if (open && rest.grants.includes('clientCredentials')) {
      return wrong([
        { path: 'grants', message: 'a public client cannot prove that it is itself: no clientCredentials' },
      ]);
    }
    if (open) return { id: named.data, value: { ...rest, id: named.data } };
    if (pepper === '') return problem(409, 'no_pepper', 'Secrets are hashed under access.pepper, and none is set.');
    const secret = `gh_client_${mintKey('live').slice('gh_live_'.length)}`;
    return { id: named.data, value: { ...rest, id: named.data, hash: hashSecret(pepper, secret) }, once: { secret } };
  },
  changed: ({ id, value }, rest: Omit<Order, 'public'>) => ({
    id,
    value: { ...rest, id, ...(value.hash === undefined ? {} : { hash: value.hash }) },
  }),
  parentOf: ({ tenant }) => tenant,
};
