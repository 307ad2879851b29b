/** The kinds of documents of which every worker has a copy: how they are packed in the supervisor, and unpacked in a worker. */
import {
  KEY_KIND,
  type KeyTable,
  keyConsumer,
  packKey,
  packRevocation,
  REVOCATION_KIND,
  revocationConsumer,
  type Tokens,
} from '../policy/access/access.ts';
import { type DirectoryConsumer, followDirectory, type Link, topicOf } from '../supervisor/link.ts';
import type { DirectoryKind } from '../supervisor/supervisor.ts';

/** The supervisor's side. */
export const KINDS: readonly DirectoryKind[] = [
  { kind: KEY_KIND, pack: packKey },
  { kind: REVOCATION_KIND, pack: packRevocation },
];

/** Where a worker keeps its copies. */
export interface Copies {
  keys: KeyTable;
  tokens: Tokens;
}

/** The worker's side: follows all kinds from now on. */
export function followKinds(link: Pick<Link, 'follow' | 'notice'>, copies: Copies): void {
  const consumers: Record<string, DirectoryConsumer> = {
    [KEY_KIND]: keyConsumer(copies.keys),
    [REVOCATION_KIND]: revocationConsumer(copies.tokens.revocations),
  };
  for (const [kind, consumer] of Object.entries(consumers)) {
    const failed = (error: Error) => link.notice('error', `a ${kind} of the store is not taken: ${error.message}`);
    link.follow(topicOf(kind), followDirectory(consumer, failed));
  }
}
