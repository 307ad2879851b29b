/**
 * Which keys a principal has: a document beside the keys, written in the same transaction, so that two people at once cannot
 * make a third key, and nobody has to read a million to count two.
 */
import { KEY_KIND, type KeyDocument } from '../../policy/access/access.ts';
import type { Store, Write } from '../../store/store.ts';

/** Kind of the documents. */
export const KEY_OWNER_KIND = 'keyOwner';

/** The keys of a principal, with the version of the list. */
export interface Owned {
  readonly id: string;
  readonly version: number;
  readonly keys: readonly KeyDocument[];
}

/** The keys that a principal of a tenant has. */
export async function ownedBy(store: Store, tenant: string, principal: string): Promise<Owned> {
  const id = JSON.stringify([tenant, principal]);
  const list = await store.get<{ keys: string[] }>(KEY_OWNER_KIND, id);
  const found = await Promise.all((list?.value.keys ?? []).map((key) => store.get<KeyDocument>(KEY_KIND, key)));
  const keys = found.flatMap((one) => (one === undefined ? [] : [one.value]));
  return { id, version: list?.version ?? 0, keys };
}

/** The write by which a principal has these keys from now on. */
export function ownership({ id, version }: Owned, keys: readonly string[]): Write {
  if (keys.length === 0 && version > 0) return { op: 'delete', kind: KEY_OWNER_KIND, id, expect: version };
  return { op: 'put', kind: KEY_OWNER_KIND, id, value: { keys }, expect: version };
}
