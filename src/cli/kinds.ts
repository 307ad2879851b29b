/** The kinds of documents of which every worker has a copy: how they are packed in the supervisor, and unpacked in a worker. */
import { packPlan, packTenant } from '../config/config.ts';
import {
  KEY_KIND,
  type KeyNews,
  type KeyTable,
  keyConsumer,
  packKey,
  packRevocation,
  REVOCATION_KIND,
  revocationConsumer,
  type Tokens,
} from '../policy/access/access.ts';
import { PLAN_KIND, type Registry, TENANT_KIND } from '../policy/authorize/authorize.ts';
import { forgottenAt, OWN_ISSUER } from '../policy/token/config.ts';
import { type DirectoryConsumer, followDirectory, type Link, topicOf } from '../supervisor/link.ts';
import type { DirectoryKind } from '../supervisor/supervisor.ts';

/** The supervisor's side. `registry` learns of plans and tenants before workers do, `keys` of each key that is read. */
export function directoryKinds(registry: Registry, keys: { saw(value: unknown): void }): readonly DirectoryKind[] {
  const watched = (kind: string, pack: DirectoryKind['pack'], known: DirectoryConsumer): DirectoryKind => ({
    kind,
    pack(id, value) {
      // What is no good counts as absent, here as well.
      known.remove(id);
      const facts = pack(id, value);
      known.put(id, facts);
      return facts;
    },
    gone: (id) => known.remove(id),
  });
  return [
    watched(PLAN_KIND, packPlan, registry.planConsumer()),
    watched(TENANT_KIND, packTenant, registry.tenantConsumer()),
    {
      kind: KEY_KIND,
      pack(id, value) {
        keys.saw(value);
        return packKey(id, value);
      },
    },
    { kind: REVOCATION_KIND, pack: packRevocation },
  ];
}

/** `iat` counts in whole seconds. In milliseconds. */
const SECOND_MS = 1000;

/** A key that ends takes the tokens that were made of it along, here and at once: the store's own word is still on its way. */
function endTokens({ clock, revocations }: Tokens): KeyNews {
  const tokensOf = (value: string) => ({ kind: 'session' as const, issuer: OWN_ISSUER, value });
  return {
    ended(id) {
      revocations.conclude({ ...tokensOf(id), forgetAt: forgottenAt(clock.wall()) });
    },
    usable: (id) => revocations.limit(tokensOf(id), clock.wall() - SECOND_MS),
  };
}

/** Where a worker keeps its copies. */
export interface Copies {
  keys: KeyTable;
  tokens: Tokens;
  registry: Registry;
}

/** The worker's side: follows all kinds from now on. */
export function followKinds(link: Pick<Link, 'follow' | 'notice'>, copies: Copies): void {
  const consumers: Record<string, DirectoryConsumer> = {
    [PLAN_KIND]: copies.registry.planConsumer(),
    [TENANT_KIND]: copies.registry.tenantConsumer(),
    [KEY_KIND]: keyConsumer(copies.keys, endTokens(copies.tokens)),
    [REVOCATION_KIND]: revocationConsumer(copies.tokens.revocations),
  };
  for (const [kind, consumer] of Object.entries(consumers)) {
    const failed = (error: Error) => link.notice('error', `a ${kind} of the store is not taken: ${error.message}`);
    link.follow(topicOf(kind), followDirectory(consumer, failed));
  }
}
