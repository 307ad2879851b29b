/** What a node says about the store that nodes share, and about the other nodes. */
import type { NoticeEvent } from '../../../kernel/event.ts';
import type { LeaseGrant } from '../protocol.ts';
import type { StoredRule } from './inspect.ts';
import type { SharedStoreStatus } from './parts.ts';

/** See the file's head. */
export class Said {
  readonly #notice: (notice: NoticeEvent) => void;
  #missing = 0;

  constructor(notice: (notice: NoticeEvent) => void) {
    this.#notice = notice;
  }

  /** It does not answer. */
  lost(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    const message = `the store of shared limits cannot be reached: ${why}; each limit goes on as its onStoreLoss says`;
    this.#notice({ level: 'warn', message });
  }

  /** It answers again. */
  reached(): void {
    this.#notice({ level: 'info', message: 'the store of shared limits is reached again' });
  }

  /** It has begun anew. */
  emptied(): void {
    const message = 'the store of shared limits has lost its data; it is told what this node knows';
    this.#notice({ level: 'warn', message });
  }

  /** So many of all nodes have not been heard of lately. `forgetMs`: after which they are forgotten. */
  missing(nodes: number, all: number, forgetMs: number): void {
    const before = this.#missing;
    this.#missing = nodes;
    if (nodes > before) {
      const message = `${nodes} of ${all} nodes that share limits ${nodes === 1 ? 'has' : 'have'} not been heard of: their part of each limit (onStoreLoss: localShare) is left to them for at most ${forgetMs / 60_000} minutes`;
      this.#notice({ level: 'warn', message, attributes: { missing: nodes, nodes: all } });
    } else if (nodes === 0 && before > 0)
      this.#notice({ level: 'info', message: 'no node that shares limits is missing any more' });
  }
}

/** What a refusal by a rule says of nodes that are missing. */
export function withheldOf(
  { missing, nodes }: SharedStoreStatus,
  stored: StoredRule | undefined,
): Pick<LeaseGrant, 'missing'> {
  return missing > 0 && stored?.rule.onStoreLoss === 'localShare' ? { missing: `${missing} of ${nodes} nodes` } : {};
}
