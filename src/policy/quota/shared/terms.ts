/** What nodes ask a store that they share, and what it keeps of one key. Times are milliseconds of the store. */

/** One node's question about one key. */
export interface StoreAsk {
  /** Sliding, bucket, calendar, held. */
  type: 's' | 'b' | 'c' | 'h';
  limit: number;
  /** Milliseconds; of a calendar limit 0. */
  windowMs: number;
  burst: number;
  /** When the calendar period began, and how long it still lasts. */
  period: number;
  left: number;
  /** Nodes that are missing may be spending their share of the limit on their own. */
  share: boolean;
  epoch: number;
  granted: number;
  back: number;
  used: number;
  /** What of `back` and `used` the store has heard for certain. */
  heardBack: number;
  heardUsed: number;
  /** Units that this node has used in the window that runs, for a store that has lost the account. */
  again: number;
  need: number;
  least: number;
  wish: number;
  /** Of a budget: what the ledger has of this key in this period, as this node has last read it. -1: it is no budget. */
  known: number;
  /** The same as it was read so long ago that all of it has been told here too. */
  past: number;
  /** What an operator has forgiven of that. */
  forgiven: number;
  /** Milliseconds since `known` was read; -1: not yet. */
  age: number;
  /** Time of the store that this node had heard before it read `known`; 0: none, or nobody else writes to that ledger. */
  heard: number;
}

/** What the store says to it. */
export interface StoreGrant {
  granted: number;
  retryAfterMs: number;
  free: number;
  resetMs: number;
  /** Of a budget: units that count as used. */
  used?: number;
  /** Of a budget: nothing was done. What was counted is lost, and has to be read from the ledger before it is asked again. */
  unread?: true;
}

/** What one node has of an account: epoch, granted, back, used, and until when. */
export type NodeHolding = [number, number, number, number, number];

/** A node's name, epoch, granted, back and used, of a holding that has lapsed, and when. */
export type Lapsed = [string, number, number, number, number, number];

/** One limit for one key, as it stands in the store. */
export interface StoreAccount {
  /** Held by nodes. */
  h: number;
  /** Used. */
  u: number;
  /** Slot and units by turns, oldest first. */
  s: number[];
  /** Used beyond the limit, and in no slot yet. */
  d?: number | undefined;
  /** Level of a bucket, and when it was brought up to date. */
  l: number;
  a: number;
  /** Start of the calendar period. */
  p: number;
  n: Record<string, NodeHolding>;
  /** Of a budget: what nodes held that were not heard of in time; it is part of what counts as used. */
  x?: Lapsed[];
  /** When it was noted what counted as used beside it (0: it was not), that, and of how many holdings more has come to an end than they. */
  y?: number;
  z?: number;
  o?: number;
  /** When all that was told by then was found to be in the ledger; 0: it was not. */
  c?: number;
  /** Node → when it has last told that it has used more. */
  t?: Record<string, number>;
  /** Which data the store had when this began. */
  b?: string;
  /** Forgiven by an operator. */
  f?: number;
  /** Withheld for nodes that are missing, and which share of all nodes they are. */
  w?: number;
  g?: number;
}
