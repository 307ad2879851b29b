/**
 * Tokens end with the key or client that they were made for: the writes that say so, for the transaction that ends it, so that
 * no worker ever learns of the one without the other.
 */
import { endedUpTo, findRevocation, revocationPut } from '../../policy/access/access.ts';
import { datedUpTo, forgottenAt, OWN_ISSUER } from '../../policy/token/config.ts';
import type { Store, Write } from '../../store/store.ts';

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
