/** How keys travel from the store to the workers: only what a worker needs, and into the packed table. */
import { type KeyFacts, keyDocument } from './document.ts';
import type { KeyTable } from './table.ts';

/** Kind of the documents in the store. */
export const KEY_KIND = 'key';
/** Kind of the documents that hold when a key was used last, apart from the key, so that a use is no change of it. */
export const KEY_USE_KIND = 'keyUse';

/** A key's document → what workers get. Throws a `ZodError` when the document is none. */
export function packKey(id: string, value: unknown): unknown {
  const {
    hash,
    tenant,
    plan,
    scopes,
    roles,
    models,
    networks,
    labels,
    trial,
    disabled,
    principal,
    notBefore,
    expiresAt,
  } = keyDocument.parse(value);
  const facts: KeyFacts = {
    id,
    hash,
    tenant,
    plan,
    scopes,
    roles,
    models,
    networks,
    labels,
    trial,
    disabled,
    principal,
    notBefore,
    expiresAt,
  };
  // What says nothing need not travel.
  return Object.fromEntries(Object.entries(facts).filter(([key, fact]) => key === 'id' || !saysNothing(fact)));
}

function saysNothing(fact: unknown): boolean {
  return (
    fact === undefined ||
    fact === '' ||
    fact === false ||
    (Array.isArray(fact) && fact.length === 0) ||
    (typeof fact === 'object' && fact !== null && !Array.isArray(fact) && Object.keys(fact).length === 0)
  );
}

const NOTHING: Omit<KeyFacts, 'id' | 'hash' | 'principal'> = {
  tenant: '',
  plan: '',
  scopes: [],
  roles: [],
  models: undefined,
  networks: [],
  labels: {},
  trial: false,
  disabled: false,
};

/** Puts what `packKey` gave into a table. */
export function keyConsumer(table: KeyTable) {
  return {
    begin: () => table.begin(),
    put: (id: string, packed: unknown) => table.put({ ...NOTHING, ...(packed as KeyFacts), id }),
    remove: (id: string) => table.remove(id),
    complete: () => table.complete(),
  };
}
