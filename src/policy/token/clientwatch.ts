/**
 * Clients of the configuration that are taken out of it, or switched off, lose their tokens: which ones there were is kept in the
 * store, so that this holds for a change across a restart as well.
 */
import type { Put } from '../../store/store.ts';
import { type DeclaredClient, datedUpTo, forgottenAt } from './config.ts';
import type { TokenParts } from './parts.ts';

/** Kind and id of the document that holds which there were. */
const KIND = 'tokenClients';
const ID = 'declared';
/** Other nodes may write it at the same time. */
const TRIES = 8;

/** See the file's head. */
export class ClientWatch {
  readonly #parts: Pick<TokenParts, 'clock' | 'store' | 'revocation' | 'endedUpTo' | 'notice'>;
  /** Those of this node's configuration before. */
  #before: readonly string[] = [];

  constructor(parts: Pick<TokenParts, 'clock' | 'store' | 'revocation' | 'endedUpTo' | 'notice'>) {
    this.#parts = parts;
  }

  /** These are in force from now on. Rejects when the store cannot be asked. */
  async settle(clients: readonly Pick<DeclaredClient, 'id' | 'disabled'>[]): Promise<void> {
    const { store, clock, revocation, endedUpTo, notice } = this.#parts;
    const ids = clients
      .filter(({ disabled }) => !disabled)
      .map(({ id }) => id)
      .sort();
    const now = new Set(ids);
    for (let i = 0; i < TRIES; i++) {
      const known = await store.get<{ ids: readonly string[] }>(KIND, ID);
      const kept = known?.value.ids ?? [];
      const gone = [...new Set([...kept, ...this.#before])].filter((id) => !now.has(id));
      if (gone.length === 0 && kept.length === ids.length) break;
      const wall = clock.wall();
      const put = { op: 'put' as const, kind: KIND, id: ID, value: { ids }, expect: known?.version ?? 0 };
      const ends: Put[] = [];
      for (const value of gone) {
        // Where another node still has it, its next tokens hold.
        const issuedUpTo = datedUpTo(wall, await endedUpTo('', value));
        ends.push(revocation({ kind: 'client', value, issuedUpTo, forgetAt: forgottenAt(wall) }));
      }
      const { ok } = await store.write([put, ...ends], { who: 'gatehouse', what: 'tokens.endWithClient' });
      if (!ok) continue;
      if (gone.length > 0)
        notice(
          'info',
          `tokens end of clients that are not in tokens.clients any more: ${gone.slice(0, 10).join(', ')}`,
        );
      break;
    }
    this.#before = ids;
  }
}
