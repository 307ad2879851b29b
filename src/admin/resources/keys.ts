/** API keys: made, rotated, changed, revoked. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { durationOnly } from '../../kernel/schema.ts';
import {
  changeKey,
  createKey,
  isUsable,
  KEY_KIND,
  KEY_USE_KIND,
  KEYS_PER_PRINCIPAL,
  type KeyDocument,
  type KeyOrder,
  keyOrder,
  lookupsOf,
  revokeKey,
  rotateKey,
  shownKey,
} from '../../policy/access/access.ts';
import type { Document } from '../../store/store.ts';
import { type Answer, problem } from '../answer.ts';
import { declares, tokensOf } from './endedtokens.ts';
import { ownedBy, ownership } from './keyowner.ts';
import { widened } from './keywidening.ts';
import { knownPlan } from './names.ts';
import type { Acted, Action, Resource, Surroundings, Wanted } from './resource.ts';
import { time, withMilliseconds, withTimes } from './times.ts';
import { wrong } from './trouble.ts';

const TIMES = ['createdAt', 'notBefore', 'expiresAt', 'lastUsedAt'];

const order = z
  .strictObject({
    ...keyOrder.shape,
    notBefore: time.optional().describe('Not valid before.'),
    expiresAt: time.optional().describe('Not valid from then on.'),
  })
  .describe('An API key that is to be made.');
type Order = z.output<typeof order>;

const change = order
  .omit({ principal: true, tenant: true, mode: true })
  .extend({ disabled: z.boolean().default(false).describe('Switched off, or revoked.') })
  .describe('What may be changed of an API key.');
type Change = z.output<typeof change>;

const { shape } = order.omit({ mode: true });
const answer = z
  .object({
    ...shape,
    hint: z.string().describe('Beginning and end of the key, to tell keys apart.'),
    pepper: z
      .string()
      .describe('Short name of the pepper under which its hash is kept: when that goes, so does the key.'),
    createdAt: time,
    disabled: z.boolean(),
    lastUsedAt: time.optional().describe('Last use, to the minute; only in the answer about one key.'),
  })
  .describe('An API key, without the key itself.');

const key = z.object({ key: z.string().describe('The key itself. It is shown in this answer, and never again.') });

const rotation = z.strictObject({
  overlap: durationOnly('24h', '0s', '24d')
    .optional()
    .describe('How long the old key goes on beside the new one; 24h when left out, 0s ends it at once.'),
});

/** Keys, as the API has them. */
export const keys: Resource<KeyDocument> = {
  name: 'keys',
  one: 'key',
  kind: KEY_KIND,
  reads: 'viewer',
  writes: 'operator',
  tenants: true,
  order,
  change,
  answer,
  onceShown: key,
  fixed: ['hint', 'pepper', 'createdAt', 'lastUsedAt', 'principal', 'tenant'],
  ids: 'optional',
  shown: (value) => {
    const { id: _, ...rest } = shownKey(value);
    return withTimes(rest, TIMES);
  },
  async more(store, { id }) {
    const use = await store.get<{ lastUsedAt: number }>(KEY_USE_KIND, id);
    return use === undefined ? {} : withTimes({ lastUsedAt: use.value.lastUsedAt }, TIMES);
  },
  async make(id, wanted: Order, around) {
    const over = beyond(wanted, undefined, around) ?? (await knownPlan(wanted.plan, undefined, around));
    if (over !== undefined) return over;
    const { store, now, pepper } = around;
    if (declares(around, 'session', id))
      return refused(`the id ${id} is that of a key of the configuration (access.keys): choose another`);
    if (pepper === '') return problem(409, 'no_pepper', NO_PEPPER);
    const owned = await ownedBy(store, wanted.tenant, wanted.principal);
    const made = createKey(withMilliseconds(wanted, TIMES) as KeyOrder, owned.keys, { pepper, now });
    if ('refused' in made) return refused(made.refused);
    const document = id === undefined ? made.document : { ...made.document, id };
    const usable = owned.keys.filter((one) => isUsable(one, now)).map((one) => one.id);
    return {
      id: document.id,
      value: document,
      once: { key: made.key },
      also: [
        ownership(owned, [...usable, document.id]),
        ...(await tokensOf('session', document.id, false, true, around)),
      ],
    };
  },
  async changed({ id, value }, wanted: Change, around) {
    const over = beyond(wanted, value, around) ?? (await knownPlan(wanted.plan, value.plan, around));
    if (over !== undefined) return over;
    // What is left out is taken away: the document is replaced.
    const { models, priority, notBefore, expiresAt, ...rest } = wanted;
    const all = withMilliseconds({ models, priority, notBefore, expiresAt, ...rest }, TIMES);
    const next = changeKey(value, all);
    const { store, now } = around;
    const tokens = await tokensOf('session', id, givesTokens(value, now), givesTokens(next, now), around);
    if (!isUsable(next, now) || isUsable(value, now)) return { id, value: next, also: tokens };
    const owned = await ownedBy(store, value.tenant, value.principal);
    const usable = owned.keys.filter((one) => one.id !== id && isUsable(one, now)).map((one) => one.id);
    if (usable.length >= KEYS_PER_PRINCIPAL) {
      return refused(
        `${value.principal} has ${usable.length} keys already (${usable.join(' and ')}): revoke one first`,
      );
    }
    return { id, value: next, also: [ownership(owned, [...usable, id]), ...tokens] };
  },
  async gone({ id, value }, around) {
    const { store } = around;
    const ends = await tokensOf('session', id, true, false, around);
    const owned = await ownedBy(store, value.tenant, value.principal);
    if (owned.version === 0) return ends;
    const left = owned.keys.filter((one) => one.id !== id).map((one) => one.id);
    return [ownership(owned, left), { op: 'delete', kind: KEY_USE_KIND, id }, ...ends];
  },
  parentOf: ({ tenant }) => tenant,
  lookupsOf,
  actions: [
    {
      name: 'rotate',
      what: 'makes a key that may do the same, and lets the old one expire',
      order: rotation,
      status: 201,
      answer,
      run: rotate,
    },
    {
      name: 'revoke',
      what: 'revokes the key and the tokens that were made of it: every worker refuses them within a second',
      order: z.strictObject({}),
      unconditional: true,
      answer,
      run: async ({ id, value }, _: unknown, around): Promise<Acted> => ({
        wanted: [{ id, value: revokeKey(value) }],
        also: await tokensOf('session', id, true, false, around),
        answered: 0,
      }),
    },
  ] satisfies Action<KeyDocument>[],
};

/** One that is bound to networks gives none, for these would not be. */
const givesTokens = (key: KeyDocument, now: number): boolean => isUsable(key, now) && key.networks.length === 0;

async function rotate(
  { id, value }: Document<KeyDocument>,
  { overlap }: z.output<typeof rotation>,
  around: Surroundings,
): Promise<Acted | Answer> {
  const { store, now, pepper } = around;
  const owned = await ownedBy(store, value.tenant, value.principal);
  const made = rotateKey(value, owned.keys, { pepper, now }, overlap);
  if ('refused' in made) return refused(made.refused);
  const { key: secret, old } = made;
  // One that the caller could not make lives no longer by that: neither a trial, nor what else it may not give.
  const borrowed = value.trial || beyond(value as never, undefined, around) !== undefined;
  const ends = around.caller.tenant !== '' && borrowed ? value.expiresAt : undefined;
  const document = ends === undefined ? made.document : { ...made.document, expiresAt: ends };
  const usable = owned.keys.filter((one) => one.id !== id && isUsable(one, now)).map((one) => one.id);
  const wanted: Wanted[] = [
    { id, value: old },
    { id: document.id, value: document, once: { key: secret } },
  ];
  const tokens = await tokensOf('session', id, true, isUsable(old, now), around);
  return { wanted, also: [ownership(owned, [...usable, id, document.id]), ...tokens], answered: 1 };
}

const NO_PEPPER =
  'Keys are hashed under a secret of yours, and none is set. Write access: { pepper: "${GATEHOUSE_PEPPER}" } into the configuration and start the gateway with GATEHOUSE_PEPPER=$(openssl rand -base64 32); keep that value.';

const refused = (why: string): Answer => problem(409, 'refused', `${why.charAt(0).toUpperCase()}${why.slice(1)}.`);

/**
 * A caller of one tenant gives its keys no more than it may: neither a plan nor roles nor labels, and only scopes of its own. Nor
 * does it widen what narrows one.
 */
function beyond(wanted: Change | Order, before: KeyDocument | undefined, { caller }: Surroundings): Answer | undefined {
  if (caller.tenant === '') return undefined;
  const fault = (path: string, what: string) =>
    wrong([{ path, message: `a caller of one tenant may not give ${what}` }]);
  if (wanted.plan !== (before?.plan ?? '')) return fault('plan', 'a plan to a key: that of the tenant holds');
  const roles = new Set(before?.roles);
  if (wanted.roles.some((role) => !roles.has(role))) return fault('roles', 'roles to a key');
  // Conditions read labels as claims, and may ask for one that is there as well as for one that is not.
  if (!isDeepStrictEqual({ ...wanted.labels }, { ...before?.labels }))
    return fault('labels', 'labels to a key, or take them away: conditions may ask for them');
  const scopes = new Set([...(before?.scopes ?? []), ...caller.scopes]);
  const more = wanted.scopes.find((scope) => !scopes.has(scope));
  if (more !== undefined)
    return fault('scopes', `the scope ${more}: it has ${[...caller.scopes].join(', ') || 'none'}`);
  if (before === undefined || !('disabled' in wanted)) return undefined;
  const wide = widened(wanted, before);
  return wide && wrong([{ path: wide.field, message: `a caller of one tenant ${wide.may}` }]);
}
