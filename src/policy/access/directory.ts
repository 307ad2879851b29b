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

const NONE: string[] = [];
const NO_LABELS = {};

/** Puts what `packKey` gave into a table. */
export function keyConsumer(table: KeyTable) {
  return {
    begin: () => table.begin(),
    put: (id: string, packed: unknown) => table.put(unpack(id, packed as Partial<KeyFacts>)),
    remove: (id: string) => table.remove(id),
    complete: () => table.complete(),
  };
}

/** Written out: a spread costs as much as all the rest, and there may be a million. */
function unpack(id: string, packed: Partial<KeyFacts>): KeyFacts {
  return {
    id,
    hash: packed.hash ?? '',
    principal: packed.principal ?? '',
    tenant: packed.tenant ?? '',
    plan: packed.plan ?? '',
    scopes: packed.scopes ?? NONE,
    roles: packed.roles ?? NONE,
    models: packed.models,
    networks: packed.networks ?? NONE,
    labels: packed.labels ?? NO_LABELS,
    trial: packed.trial ?? false,
    disabled: packed.disabled ?? false,
    notBefore: packed.notBefore,
    expiresAt: packed.expiresAt,
  };
}
