/** Copies of issuers' keys in the store, for a restart while an issuer cannot be reached. */
import { createHash } from 'node:crypto';
import type { KeyCopies } from '../policy/access/jwt/authority.ts';
import type { Store } from '../store/store.ts';

/** Kind of the documents. */
const KIND = 'issuerKeys';

const idOf = (source: string): string => createHash('sha256').update(source).digest('base64url');

/** `store`: as it is at the time; without one nothing is kept. */
export function keyCopies(store: () => Store | undefined): KeyCopies {
  return {
    async read(source) {
      const found = await store()?.get<{ source: string; keys: unknown }>(KIND, idOf(source));
      return found?.value.keys;
    },
    async write(source, keys) {
      await store()?.write([{ op: 'put', kind: KIND, id: idOf(source), value: { source, keys } }]);
    },
  };
}
