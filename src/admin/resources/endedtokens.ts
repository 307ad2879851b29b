/**
 * Tokens end with the key or client that they were made for: the writes that say so, for the transaction that ends it, so that
 * no worker ever learns of the one without the other.
 */
import { endedUpTo, findRevocation, revocationPut } from '../../policy/access/access.ts';
import { datedUpTo, forgottenAt, OWN_ISSUER } from '../../policy/token/config.ts';
import type { Store, Write } from '../../store/store.ts';
import type { Surroundings } from './resource.ts';

/** Whose tokens are meant: of a key (`session`), or of a client. */
type Owner = 'session' | 'client';

/** The write that ends the tokens of a key or client, those to come as well. `now`: wall clock, milliseconds since 1970. */
export async function tokensEnd(store: Pick<Store, 'get'>, kind: Owner, value: string, now: number): Promise<Write> {
  const ended = await findRevocation(store, { kind, issuer: OWN_ISSUER, value });
  const endedBefore = ended && endedUpTo(ended);
  return revocationPut({ kind, issuer: OWN_ISSUER, value, endedBefore, forgetAt: forgottenAt(now) });
}

/**
 * What is written when a key or client comes (back) under an id: its new tokens hold, those of before stay ended. Nothing where
 * none have been.
 */
export async function tokensBegin(
  store: Pick<Store, 'get'>,
  kind: Owner,
  value: string,
  now: number,
): Promise<readonly Write[]> {
  const ended = await findRevocation(store, { kind, issuer: OWN_ISSUER, value });
  if (ended === undefined) return [];
  const issuedUpTo = datedUpTo(now, endedUpTo(ended));
  return [revocationPut({ kind, issuer: OWN_ISSUER, value, issuedUpTo, forgetAt: forgottenAt(now) })];
}

/** Whether a key or client of the configuration bears the id: then its tokens are none of the store's business. */
export function declares({ names }: Pick<Surroundings, 'names'>, kind: Owner, id: string | undefined): boolean {
  return id !== undefined && names?.[kind === 'client' ? 'clients' : 'keys'].includes(id) === true;
}

/** What is written where a key or client gave tokens `before`, or did not, and does so `after`, or does not. */
export async function tokensOf(
  kind: Owner,
  id: string,
  before: boolean,
  after: boolean,
  around: Pick<Surroundings, 'store' | 'now' | 'names'>,
): Promise<readonly Write[]> {
  const { store, now } = around;
  if (before === after || declares(around, kind, id)) return [];
  return after ? tokensBegin(store, kind, id, now) : [await tokensEnd(store, kind, id, now)];
}
