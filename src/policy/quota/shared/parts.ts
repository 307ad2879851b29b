/** What a store that nodes share is reached by, and how it goes. */
import type { Clock } from '../../../kernel/clock.ts';
import type { NoticeEvent } from '../../../kernel/event.ts';
import type { KeyLimits } from '../keylimits.ts';
import type { LeaseAsk, LeaseGrant } from '../protocol.ts';
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
  /** All that workers of this node had used by then (monotonic milliseconds) is in it; undefined: there are no budgets. */
  writtenAt(): number | undefined;
  /** Nobody here will use any more, and all that was used is in it. */
  ended(): boolean;
}

/** Names of nodes that are kept beyond their death. */
export interface Roll {
  /** This node counts as present from now on. */
  enter(node: string): void;
  /** It has left; or it spends what it could not tell before its death, and must be missed then. */
  leave(): void;
  /** Names of nodes that have died and will not spend any more. */
  dead(): readonly string[];
  /** The others know. */
  buried(node: string): void;
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
  /** Undefined: nothing is kept. */
  roll?: Roll;
}

/** How it goes, for metrics. */
export interface SharedStoreStatus {
  up: boolean;
  nodes: number;
  /** Those of them that have not been heard of lately. */
  missing: number;
  asks: number;
  failures: number;
  /** Milliseconds that answers have taken together, and how many there were. */
  waitedMs: number;
  answers: number;
  /** Grants of this node's part, while the store was gone. */
  own: number;
}

/** Before the first answer. */
export const NOTHING_YET: Readonly<SharedStoreStatus> = {
  up: false,
  nodes: 0,
  missing: 0,
  asks: 0,
  failures: 0,
  waitedMs: 0,
  answers: 0,
  own: 0,
};

/** A question on its way. */
export interface Waiting {
  ask: LeaseAsk;
  /** The ledger has been read for it. */
  read?: boolean;
  done(grant: LeaseGrant): void;
}
