/** What a store that nodes share is reached by, and how it goes. */
import type { Clock } from '../../../kernel/clock.ts';
import type { NoticeEvent } from '../../../kernel/event.ts';
import type { KeyLimits } from '../keylimits.ts';
import type { Known } from './lines.ts';

/** Runs the script; rejects when the store does not answer in time. */
export type RunScript = (keys: string[], args: string[]) => Promise<unknown>;

/** What the ledger says of budgets. */
export interface LedgerView {
  /** Of a key, in the period that began at `startedAt`; undefined: it has not been read. */
  known(rule: string, key: string, startedAt: number): Known | undefined;
  /** Reads it anew; rejects when it cannot be read. */
  read(rule: string, key: string): Promise<void>;
  /** The store has lost its data: what was read before that is too old. */
  lost(): void;
}

/** What a `SharedStore` is made of. */
export interface SharedStoreParts {
  clock: Clock;
  run: RunScript;
  /** Name of this node, of this start of it: no other ever bears it. */
  node: string;
  /** Begins every key. */
  prefix(): string;
  /** Nodes that there are at least. 0: as many as have been seen. */
  nodes(): number;
  notice(notice: NoticeEvent): void;
  /** Whether all has been told that was used when this was last begun (`anew`); what has not is told at once. */
  caughtUp(anew: boolean): boolean;
  /** Keys that have other limits. */
  keyLimits: KeyLimits;
  ledger(): LedgerView;
}

/** How it goes, for metrics. */
export interface SharedStoreStatus {
  up: boolean;
  nodes: number;
  asks: number;
  failures: number;
  /** Milliseconds that answers have taken together, and how many there were. */
  waitedMs: number;
  answers: number;
  /** Grants of this node's part, while the store was gone. */
  own: number;
}
