/** A key of a budget that a node looks after, and what it needs for that. */
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { sayKey } from '../policy/quota/quota.ts';
import type { LedgerEntry } from '../store/ledger.ts';
import type { Store } from '../store/store.ts';
import type { BudgetCounts } from './budgetcounts.ts';

/** What was in the ledger so long ago was told to all who count (milliseconds). */
const TOLD_MS = 10_000;

/** What budgets of a node are made of. */
export interface BudgetParts {
  clock: Clock;
  counts: BudgetCounts;
  store(): Store | undefined;
  /** Requests that workers of others have under way. */
  beside(): Iterable<LedgerEntry>;
  /** All that workers of ours had used by then (monotonic) is in the ledger. */
  writtenAt(): number;
  /** Nobody here will use any more, and all that was used is in it. */
  ended(): boolean;
  /** Does something while nothing is added to the ledger. */
  inTurn<T>(body: () => Promise<T>): Promise<T>;
  notice(notice: NoticeEvent): void;
  /** An alert was given. */
  alerted(budget: string, share: number): void;
}

/** One key of one budget. */
export interface Open {
  readonly rule: string;
  readonly key: string;
  /** Began when (milliseconds since 1970). */
  startedAt: number;
  /** What workers of ours have written to the ledger in this period. */
  own: number;
  /** All that the ledger had when it was last asked, and what it has got from workers of ours since. */
  spent: number;
  /** What is reserved for requests that workers of others have under way. */
  reserved: number;
  /** What an operator has forgiven in it. */
  forgiven: number;
  /** When it was last read (monotonic), and the time of the store that counts for all nodes that had been heard before. */
  countedAt: number;
  heard: number;
  /** What was used then, as far as we knew. */
  usedThen: number;
  /** How many of its alerts were given, and for which amount. */
  alerts: number;
  alertsOf: number;
  /** What the ledger had some time ago, and a while before that; and when the former was noted (monotonic). */
  noted: number;
  past: number;
  notedAt: number;
}

/** Notes now and then what the ledger has. */
export function noteSpent(open: Open, now: number): void {
  if (now - open.notedAt < TOLD_MS) return;
  open.past = open.noted;
  open.noted = open.spent;
  open.notedAt = now;
}

/** A key of a budget in a period, as documents are named by it. */
export function periodOf({ rule, key, startedAt }: Pick<Open, 'rule' | 'key' | 'startedAt'>): string {
  return JSON.stringify([rule, sayKey(key), startedAt]).slice(0, 480);
}

/** How long documents of one are kept: longer than any period (milliseconds). */
export const REMEMBERED_MS = 32 * 86_400_000;
