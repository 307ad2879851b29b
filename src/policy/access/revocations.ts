/** How revocations travel from the store to the workers. */
import { z } from 'zod';
import type { Store } from '../../store/store.ts';
import { sha256 } from './jwt/hash.ts';
import type { Revocation, Revocations } from './jwt/revocation.ts';

/** Kind of the documents in the store; their ids are anything that is unique. */
export const REVOCATION_KIND = 'revocation';

/** A revocation as it stands in the store. Times are milliseconds since 1970. */
export const revocationDocument = z.strictObject({
  kind: z.enum(['id', 'principal', 'session', 'client', 'family']),
  value: z.string().min(1).max(1024),
  issuer: z.string().min(1).max(128).optional(),
  issuedUpTo: z.number().int().min(0).optional(),
  /** Where all are ended: up to when those had been that were ended before. */
  endedBefore: z.number().int().min(0).optional(),
  forgetAt: z.number().int().min(0).optional(),
});

/** The write that makes a revocation hold on every node, until the tokens have expired by themselves. */
export function revocationPut(revocation: Revocation) {
  const { kind, issuer = '', value, forgetAt } = revocation;
  const id = sha256(`${kind}\n${issuer}\n${value}`);
  return { op: 'put' as const, kind: REVOCATION_KIND, id, value: revocation, expiresAt: forgetAt };
}

/** What the store has of a revocation that names these tokens. */
export async function findRevocation(store: Pick<Store, 'get'>, named: Revocation): Promise<Revocation | undefined> {
  return (await store.get<Revocation>(REVOCATION_KIND, revocationPut(named).id))?.value;
}

/** Up to when tokens were issued that had ended before all of them did, or have ended alone. Wall clock; undefined: none. */
export const endedUpTo = ({ issuedUpTo, endedBefore }: Revocation): number | undefined => issuedUpTo ?? endedBefore;

/** A document → what workers get. Throws a `ZodError` when it is none. */
export function packRevocation(_id: string, value: unknown): Revocation {
  return revocationDocument.parse(value);
}

/** Keeps `revocations` as the store has them. */
export function revocationConsumer(revocations: Revocations) {
  const known = new Map<string, Revocation>();
  let loading: Map<string, Revocation> | undefined;
  return {
    begin() {
      loading = new Map();
    },
    put(id: string, packed: unknown) {
      const one = packed as Revocation;
      known.set(id, one);
      loading?.set(id, one);
      // It holds at once; what is still to come cannot take it back.
      revocations.revoke(one);
    },
    remove(id: string) {
      loading?.delete(id);
      if (known.delete(id)) revocations.replace([...known.values()]);
    },
    complete() {
      known.clear();
      for (const [id, one] of loading ?? []) known.set(id, one);
      loading = undefined;
      revocations.replace([...known.values()]);
    },
  };
}
