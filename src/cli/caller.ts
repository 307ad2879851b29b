/** Whom `gatehouse check --as KEY` speaks of: a key, the name of one, or a token; in the configuration, then in the store. */
import { type Config, packPlan, packTenant } from '../config/config.ts';
import { accessOf } from '../gatehouse.ts';
import type { Identity } from '../kernel/identity.ts';
import { hashesOf, KEY_KIND, keyIdentity, keyRefusal, unverifiedToken } from '../policy/access/access.ts';
import type { AccessConfig } from '../policy/access/config.ts';
import { PLAN_KIND, Registry, TENANT_KIND } from '../policy/authorize/authorize.ts';
import type { Store } from '../store/store.ts';

/** What is read of the store. */
export type Documents = Pick<Store, 'get' | 'find'>;

/** What was found out about a caller. */
export interface Caller {
  identity: Identity | undefined;
  /** What it is, in a line. */
  found: string;
  /** Why nobody is let in by it. */
  refused?: string;
  /** Networks that it must come from. */
  networks: readonly string[];
  /** Plan and tenant of the store, where it names some. */
  registry: Registry;
}

type KeyDocument = AccessConfig['keys'][number];

/** Looks for what was shown. `now`: wall clock in milliseconds; `beyond`: what `store` is, in words. */
export async function findCaller(
  shown: string,
  config: Config,
  store: Documents | undefined,
  now: number,
  beyond = 'the store',
): Promise<Caller> {
  const registry = new Registry();
  const nobody = { identity: undefined, networks: [], registry };
  if (/^ey[\w-]+\./.test(shown)) {
    const told = unverifiedToken(shown, accessOf(config).issuers, now);
    if (typeof told === 'string') return { ...nobody, found: 'a token', refused: told };
    await readPlan(told.identity, store, registry);
    const found = `a token of issuer ${told.issuer} for ${told.identity.principal} (its signature is not checked here)`;
    return { identity: told.identity, found, networks: [], registry };
  }
  const key = await findKey(shown, config.access, store);
  if (key === undefined && hashesOf(shown, config.access.pepper).length === 0)
    return { ...nobody, found: 'a key', refused: 'its form or checksum is wrong: was it cut off, or mistyped?' };
  if (key === undefined) {
    const where =
      store === undefined ? 'the configuration; --store or --admin look further' : `the configuration or ${beyond}`;
    return { ...nobody, found: 'a key', refused: `no key with this name or text is in ${where}` };
  }
  const { document, place } = key;
  const identity = keyIdentity(document);
  await readPlan(identity, store, registry);
  const refused = keyRefusal(document, now);
  const found = `key ${document.id} of ${document.principal} (${place})`;
  return { identity, found, networks: document.networks, registry, ...(refused !== undefined && { refused }) };
}

async function findKey(shown: string, { keys, pepper }: AccessConfig, store: Documents | undefined) {
  const hashes = hashesOf(shown, pepper);
  const declared = keys.find(({ id, hash }) => id === shown || hashes.includes(hash));
  if (declared !== undefined) return { document: declared, place: 'in the configuration' };
  if (store === undefined) return undefined;
  let stored = await store.get<KeyDocument>(KEY_KIND, shown);
  for (const hash of hashes) stored ??= await store.find<KeyDocument>(KEY_KIND, `hash:${hash}`);
  return stored && { document: { ...EMPTY, ...stored.value }, place: 'in the store' };
}

/** What documents may leave out. */
const EMPTY = { tenant: '', plan: '', scopes: [], roles: [], networks: [], labels: {}, disabled: false, trial: false };

/** Reads tenant and plan of a caller, as a worker would know them. */
async function readPlan({ tenant, plan }: Identity, store: Documents | undefined, registry: Registry): Promise<void> {
  if (store === undefined) return;
  const own = tenant === '' ? undefined : await store.get(TENANT_KIND, tenant);
  if (own !== undefined) registry.tenantConsumer().put(tenant, packTenant(tenant, own.value));
  const name = plan || registry.tenants.get(tenant)?.plan || '';
  const stored = name === '' ? undefined : await store.get(PLAN_KIND, name);
  if (stored !== undefined) registry.planConsumer().put(name, packPlan(name, stored.value));
}
