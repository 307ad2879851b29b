/** What `gatehouse check --as` reads of keys, tenants and plans from a running gateway, as if it were its store. */
import { KEY_KIND } from '../policy/access/access.ts';
import { PLAN_KIND, TENANT_KIND } from '../policy/authorize/authorize.ts';
import type { Document } from '../store/store.ts';
import { type AdminFlags, AdminRefusal, askAdmin } from './adminclient.ts';
import type { Documents } from './caller.ts';

const PATHS: Readonly<Record<string, string>> = { [KEY_KIND]: 'keys', [TENANT_KIND]: 'tenants', [PLAN_KIND]: 'plans' };
/** Shown as times, kept as milliseconds. */
const TIMES = ['notBefore', 'expiresAt', 'createdAt', 'trialEndsAt'];
/** What the answer has beside the document. */
const BESIDE = ['version', 'updatedAt', 'lastUsedAt', 'hint'];

/** Documents of the gateway at this admin address. */
export function adminDocuments(where: AdminFlags): Documents {
  return {
    async get<T>(kind: string, id: string): Promise<Document<T> | undefined> {
      const path = PATHS[kind];
      if (path === undefined) return undefined;
      try {
        const { value } = await askAdmin(where, 'GET', `/api/v1/${path}/${encodeURIComponent(id)}`);
        return documentOf<T>(kind, id, value as Record<string, unknown>);
      } catch (error) {
        if (error instanceof AdminRefusal && error.status === 404) return undefined;
        throw error;
      }
    },
    // The text of a key is told to nobody, not even as a hash: it is named by its id.
    find: async () => undefined,
  };
}

function documentOf<T>(kind: string, id: string, shown: Readonly<Record<string, unknown>>): Document<T> {
  const value: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(shown)) {
    if (BESIDE.includes(name) || (name === 'id' && kind !== KEY_KIND)) continue;
    value[name] = TIMES.includes(name) && typeof one === 'string' ? Date.parse(one) : one;
  }
  const facts = { kind, id, version: 0, updatedAt: 0, parent: '', lookups: [], expiresAt: undefined };
  return { ...facts, value: value as T };
}
