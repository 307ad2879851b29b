/** A limit as authority and workers see it: plain data, made from the configuration, sent over the channel. */
import type { Clock } from '../../kernel/clock.ts';
import { CalendarCounter } from './calendarcounter.ts';
import { Bucket, BucketCounter, type Counter, PermitCounter, SlidingCounter, SlidingWindow } from './counter.ts';
import { CalendarPeriod, type CalendarUnit } from './period.ts';

/** What is counted. `bytes`: bodies both ways; `credits`: thousand-millionths of the unit that prices are in. */
export type Unit = 'requests' | 'inputTokens' | 'outputTokens' | 'tokens' | 'bytes' | 'credits' | 'concurrency';

/** When units come back. */
export type Refill =
  /** No interval of `windowMs`, wherever it begins, has more than the limit. */
  | { type: 'sliding'; windowMs: number }
  /** `limit` units come back in each `windowMs`, and up to `burst` are saved up. */
  | { type: 'bucket'; windowMs: number; burst: number }
  /** All come back when the next hour, day, week or month begins in `timeZone`. */
  | { type: 'calendar'; every: CalendarUnit; timeZone: string }
  /** Each comes back when its request has ended. */
  | { type: 'held' };

/** One limit. */
export interface Rule {
  /** Unique; shown to operators and clients. Its counters live on as long as it keeps name and refill. */
  name: string;
  unit: Unit;
  limit: number;
  refill: Refill;
  /** Its keys come from callers that were authenticated, so no stranger can make more of them. */
  known: boolean;
  /** Counted for all nodes together where they have a store in common, or for each by itself. */
  scope: 'shared' | 'node';
  /** What happens while that store cannot be reached. */
  onStoreLoss: 'refuse' | 'localShare';
  /** It is a budget: what was spent is known from the ledger, and its end is told otherwise. */
  budget?: BudgetTerms;
}

/** What a budget has beyond a limit; plain data. */
export interface BudgetTerms {
  /** Parts of its key. */
  key: readonly string[];
  /** Shares at which somebody is told, ascending, such as 0.5. */
  alerts: readonly number[];
  /** Limits of certain keys, instead of the rule's, in its units. */
  only: Readonly<Record<string, number>>;
}

/** Shortest and longest time that a worker keeps what it has not used, in milliseconds. */
const LEASE_LEAST = 20;
const LEASE_MOST = 2000;
/** A lease lasts this part of a window, so that little of a limit lies idle in other workers' hands. */
const LEASE_SHARE = 40;

/** Units that can ever be free at once. */
export function mostOf({ refill, limit }: Rule): number {
  return refill.type === 'bucket' ? refill.burst : limit;
}

/** How long a worker keeps what it has not used, in milliseconds. */
export function leaseMs({ refill }: Rule): number {
  if (refill.type === 'held') return 200;
  if (refill.type === 'calendar') return LEASE_MOST;
  return Math.min(LEASE_MOST, Math.max(LEASE_LEAST, refill.windowMs / LEASE_SHARE));
}

/** A lease of a limit of which most is free is kept so many times longer, and so long at most, in milliseconds. */
const CALM = 10;
const CALM_MOST = 10_000;

/** A window is long from here on (milliseconds). */
const LONG_MS = 3_600_000;

/** Whether a limit has to outlive a restart. Buckets refill from nothing: what they forget is their burst, at most. */
export function isLong({ refill }: Rule): boolean {
  return refill.type === 'calendar' || (refill.type === 'sliding' && refill.windowMs >= LONG_MS);
}

/** The same while most of the limit is free, in milliseconds. */
export function calmMs(rule: Rule): number {
  // What a worker has in hand when it dies counts as used until the window ends.
  if (isLong(rule)) return leaseMs(rule);
  return Math.min(CALM_MOST, leaseMs(rule) * CALM);
}

/** Whether counters of `before` may go on under `after`. */
export function sameRefill(before: Rule, after: Rule): boolean {
  return before.unit === after.unit && JSON.stringify(before.refill) === JSON.stringify(after.refill);
}

/** Makes the counters of one rule; `limit` may change while they live. */
export interface Counters {
  make(now: number): Counter;
  /** `nodes`: it is divided by so many, rounded down. */
  setLimit(limit: number, nodes: number): void;
  /** Number of a stretch of time, growing: what was used in one is counted no more after the next. */
  generation(now: number): number;
}

/** The counters of `rule`. */
export function countersOf(rule: Rule, clock: Clock): Counters {
  const { refill, limit } = rule;
  switch (refill.type) {
    case 'sliding': {
      const window = new SlidingWindow(limit, refill.windowMs);
      return {
        make: () => new SlidingCounter(window),
        setLimit: (next, nodes) => {
          window.limit = Math.floor(next / nodes);
        },
        generation: (now) => Math.floor(now / (window.windowMs + window.slotMs)),
      };
    }
    case 'bucket': {
      const bucket = new Bucket(limit, refill.windowMs, refill.burst);
      return {
        make: (now) => new BucketCounter(bucket, now),
        setLimit: (next, nodes) => {
          bucket.perMs = next / refill.windowMs / nodes;
          bucket.burst = Math.floor(refill.burst / nodes);
        },
        generation: (now) => Math.floor((now * bucket.perMs) / Math.max(1, bucket.burst)),
      };
    }
    case 'calendar': {
      const period = new CalendarPeriod(limit, refill.every, refill.timeZone, clock);
      return {
        make: (now) => new CalendarCounter(period, now),
        setLimit: (next, nodes) => {
          period.limit = Math.floor(next / nodes);
        },
        // Of the period before nothing is left.
        generation: () => period.current() * 2,
      };
    }
    case 'held': {
      const held = { limit };
      return {
        make: () => new PermitCounter(held),
        setLimit: (next, nodes) => {
          held.limit = Math.floor(next / nodes);
        },
        generation: () => 0,
      };
    }
  }
}
