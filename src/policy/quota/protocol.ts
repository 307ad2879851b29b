/** What holders of leases and those who grant them say to each other. */
import type { Holding } from './holding.ts';

/**
 * What a holder says about one key of one rule. Sums run from the beginning of `epoch`, so a message that is lost or comes twice
 * changes nothing: the next one says it again.
 */
export interface LeaseAsk {
  rule: string;
  key: string;
  /** Which of the leases that the holder had for this key, growing. */
  epoch: number;
  /** Sum of what it has been granted, as far as it knows. */
  granted: number;
  /** Sum of the units that it holds no more. */
  back: number;
  /** Sum of the units that were used; more than `back` where more was used than was reserved. */
  used: number;
  /** Units that requests wait for. */
  need: number;
  /** The smallest request that waits: less than this is of no use. */
  least: number;
  /** Units it would like to have beside, for requests to come. */
  wish: number;
  /** What of `back` and `used` has been heard for certain: where an account was lost, the rest is still counted. */
  heardBack: number;
  heardUsed: number;
  /** Units of the limit that were free when it was last asked. */
  free: number;
  /** `home` of the last answer; '' when there was none. */
  home: string;
  /** The last recall of it that was heard; 0 or undefined: none. */
  recalled?: number;
}

/** Somebody wants for a key of a rule: what lies idle of it is to come back, and be told with this number. */
export interface RecallNote {
  rule: string;
  key: string;
  number: number;
}

/** What it is told. */
export interface LeaseGrant {
  /** Sum of what it has been granted in this epoch. */
  granted: number;
  /** When less than `least` could be granted: milliseconds after which asking again makes sense; infinite: never. */
  retryAfterMs: number;
  /** Milliseconds from the question on, after which units in hand must not be used; infinite where one process decides alone. */
  ttlMs: number;
  /** Units of the limit that are free after this, and milliseconds until all of them are. */
  free: number;
  resetMs: number;
  /** Nobody could be asked. */
  lost?: boolean;
  /** Granted by a node of its own share, while the store that counts could not be reached: that one has heard nothing. */
  own?: boolean;
  /** Why less may be free than seems to be: `1 of 2 nodes`, whose part is held back. */
  missing?: string;
  /** Which data the answer is from; another value says that a store has begun anew. */
  home?: string;
}

/** Nobody could be asked. */
export const lostGrant = ({ granted }: LeaseAsk): LeaseGrant => ({
  granted,
  retryAfterMs: 0,
  ttlMs: 0,
  free: 0,
  resetMs: 0,
  lost: true,
});

/** Grants leases to holders. */
export interface Authority {
  /** One batch of a holder; grants in the same order. */
  exchange(holder: number, asks: readonly LeaseAsk[]): LeaseGrant[] | Promise<LeaseGrant[]>;
  /** A holder has died. */
  gone(holder: number): void;
}

/** What one process has counted of a key, as told to the one that takes over. */
export interface Counted {
  rule: string;
  /** Of the rule: where it has changed, nothing of it holds. */
  refill: string;
  key: string;
  units: number;
  /** What the limit was there: the rest of the units is owed. */
  limit?: number;
  /** Who holds some of these units there. */
  holdings?: readonly Holding[];
}
