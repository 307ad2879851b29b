/** Revocations of tokens: one by its `jti`, or all of a subject, session, client or family. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { REVOCATION_KIND, revocationDocument } from '../../policy/access/access.ts';
import type { Resource } from './resource.ts';
import { time, withMilliseconds, withTimes } from './times.ts';

type Revocation = z.output<typeof revocationDocument>;

const TIMES = ['issuedUpTo', 'forgetAt'];

const order = z
  .strictObject({
    kind: revocationDocument.shape.kind.describe(
      'By what tokens are named: `id` (jti), `principal`, `session` (sid), `client` (client_id) or `family`.',
    ),
    value: revocationDocument.shape.value.describe('That id, principal, …'),
    issuer: revocationDocument.shape.issuer.describe('Name of the issuer in the configuration; all when left out.'),
    issuedUpTo: time
      .optional()
      .describe(
        'Tokens issued later are not meant, so that a new login goes on. Now when left out; with `id` it has no meaning.',
      ),
    forgetAt: time.optional().describe('From then on the tokens have expired anyway; kept for ever when left out.'),
  })
  .describe('Tokens that hold no longer.');
type Order = z.output<typeof order>;

/** Revocations, as the API has them. */
export const revocations: Resource<Revocation> = {
  name: 'revocations',
  one: 'revocation',
  kind: REVOCATION_KIND,
  reads: 'viewer',
  writes: 'operator',
  tenants: false,
  order,
  answer: order,
  fixed: [],
  ids: 'optional',
  replaces: true,
  shown: ({ endedBefore: _, ...value }) => withTimes(value, TIMES),
  make: (id, wanted: Order, { now }) => ({ id: id ?? idOf(wanted), value: documentOf(wanted, now) }),
  changed: ({ id }, wanted: Order, { now }) => ({ id, value: documentOf(wanted, now) }),
  expiresAt: ({ forgetAt }) => forgetAt,
};

/** The same tokens are revoked by the same document. */
function idOf({ kind, value, issuer = '' }: Order): string {
  return `${kind}_${createHash('sha256')
    .update(JSON.stringify([issuer, value]))
    .digest('base64url')
    .slice(0, 22)}`;
}

function documentOf(wanted: Order, now: number): Revocation {
  const document = withMilliseconds(wanted, TIMES) as unknown as Revocation;
  if (wanted.kind === 'id') return { ...document, issuedUpTo: undefined };
  return { ...document, issuedUpTo: document.issuedUpTo ?? now };
}
