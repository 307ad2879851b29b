/** How keys travel from the store to the workers: only what a worker needs, and into the packed table. */
import { type KeyDocument, type KeyFacts, keyDocument } from './document.ts';
import type { KeyTable } from './table.ts';

/** Kind of the documents in the store. */
export const KEY_KIND = 'key';
/** Kind of the documents that hold when a key was used last, apart from the key, so that a use is no change of it. */
export const KEY_USE_KIND = 'keyUse';

/** A key's document → what workers get. Throws a `ZodError` when the document is none. */
export function packKey(id: string, value: unknown): unknown {
  // What the schema says is looked at by hand first: it takes ten times as long, and there may be a million.
  const key = isPlain(value as Loose) ? (value as Partial<KeyDocument>) : keyDocument.parse(value);
  const facts: Record<string, unknown> = { id, hash: key.hash, principal: key.principal };
  // What says nothing need not travel.
  if (key.tenant) facts.tenant = key.tenant;
  if (key.plan) facts.plan = key.plan;
  if (key.scopes && key.scopes.length > 0) facts.scopes = key.scopes;
  if (key.roles && key.roles.length > 0) facts.roles = key.roles;
  if (key.models) facts.models = key.models;
  if (key.networks && key.networks.length > 0) facts.networks = key.networks;
  if (key.labels && Object.keys(key.labels).length > 0) facts.labels = key.labels;
  if (key.trial) facts.trial = true;
  if (key.disabled) facts.disabled = true;
  if (key.priority !== undefined) facts.priority = key.priority;
  if (key.notBefore !== undefined) facts.notBefore = key.notBefore;
  if (key.expiresAt !== undefined) facts.expiresAt = key.expiresAt;
  return facts;
}

type Loose = Readonly<Record<string, unknown>> | null;
const HASH = /^[A-Za-z0-9_-]{43}$/;
const WORD = /^[\x21-\x7e]{1,128}$/;
const USUAL: ReadonlySet<string> = new Set([
  'id',
  'hash',
  'pepper',
  'hint',
  'name',
  'principal',
  'tenant',
  'plan',
  'scopes',
  'roles',
  'networks',
  'labels',
  'trial',
  'createdAt',
  'expiresAt',
  'disabled',
]);

/** Whether a document is as most are, and right; any other is for the schema to judge. */
function isPlain(key: Loose): boolean {
  if (typeof key !== 'object' || key === null) return false;
  for (const name in key) if (!USUAL.has(name)) return false;
  const { hash, principal, tenant, plan, scopes, roles, networks, labels, expiresAt, disabled, trial } = key;
  return (
    typeof hash === 'string' &&
    HASH.test(hash) &&
    typeof principal === 'string' &&
    WORD.test(principal) &&
    isWord(tenant) &&
    isWord(plan) &&
    isEmpty(roles) &&
    isEmpty(networks) &&
    hasNoNames(labels) &&
    (trial === undefined || typeof trial === 'boolean') &&
    (scopes === undefined ||
      (Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string' && WORD.test(scope)))) &&
    (expiresAt === undefined || (Number.isInteger(expiresAt) && (expiresAt as number) >= 0)) &&
    (disabled === undefined || typeof disabled === 'boolean')
  );
}

const isWord = (text: unknown) => text === undefined || text === '' || (typeof text === 'string' && WORD.test(text));
const isEmpty = (list: unknown) => list === undefined || (Array.isArray(list) && list.length === 0);

function hasNoNames(labels: unknown): boolean {
  if (labels === undefined) return true;
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return false;
  for (const _ in labels) return false;
  return true;
}

const NONE: string[] = [];
const NO_LABELS = {};

/** Told of keys that end or come back after all were told; what was so from the start is no news. */
export interface KeyNews {
  ended(id: string): void;
  usable(id: string): void;
}

/** Puts what `packKey` gave into a table. */
export function keyConsumer(table: KeyTable, news?: KeyNews) {
  let complete = false;
  return {
    begin() {
      complete = false;
      table.begin();
    },
    put(id: string, packed: unknown) {
      const facts = packed as Partial<KeyFacts>;
      table.put(unpack(id, facts));
      if (!complete || table.reserved.has(id)) return;
      if (facts.disabled === true) news?.ended(id);
      else news?.usable(id);
    },
    remove(id: string) {
      table.remove(id);
      if (complete && !table.reserved.has(id)) news?.ended(id);
    },
    complete() {
      complete = true;
      table.complete();
    },
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
    priority: packed.priority,
    networks: packed.networks ?? NONE,
    labels: packed.labels ?? NO_LABELS,
    trial: packed.trial ?? false,
    disabled: packed.disabled ?? false,
    notBefore: packed.notBefore,
    expiresAt: packed.expiresAt,
  };
}
