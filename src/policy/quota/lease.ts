/** What a worker has in hand of one limit for one key. */

import { AnswerSizes } from './answersize.ts';
import { Eldest } from './eldest.ts';
import type { Holding } from './holding.ts';
import type { LeaseAsk } from './protocol.ts';
import { calmMs, leaseMs, type Rule } from './rule.ts';

/** From this part of a limit on that is free there is no hurry. */
const CALM_SHARE = 3 / 4;
/** Below this part what is left is scarce. */
const SCARCE_SHARE = 1 / 4;
/** Such a part of a limit may lie idle or untold in each worker for a while: so little that nobody misses it. */
const CHANGE_PART = 512;
/**
 * Of what a request has not used of its reservation, this part of a limit goes back at once where others may need it. Less stays for
 * the next request here; so does more, up to the second part, while this share of the limit is free.
 */
const LUMP_PART = 32;
const PLENTY_PART = 12;
const PLENTY_SHARE = 1 / 2;
/** That is kept so many times longer than what is left of a scarce limit. */
const LUMP_LEASES = 4;
/** For this long at most (milliseconds). */
const CHANGE_MS = 10_000;
/** With more keys than this in one worker nothing is kept beyond its time. */
const KEYS_EASY = 10_000;

/** What all leases of one rule in one worker share. */
export class LeaseRule {
  readonly rule: Rule;
  /** How long what is not used is kept, in milliseconds. */
  readonly leaseMs: number;
  /** The same while most of the limit is free. */
  readonly calmMs: number;
  /** Units come back when a request ends, and what has been used is not counted any more. */
  readonly permits: boolean;
  /** Units that may lie idle in each worker for a while, so that a key that is seldom used need not ask each time. */
  readonly change: number;
  /** Units that are a lump. */
  readonly lump: number;
  /** What is free of it may be somewhere else for a while. */
  readonly calm: boolean;
  /** What is expected of answers, where their bytes count. */
  readonly answers: AnswerSizes;
  readonly leases = new Map<string, Lease>();
  readonly eldest = new Eldest(this.leases);

  constructor(rule: Rule) {
    this.rule = rule;
    this.leaseMs = leaseMs(rule);
    // What money is left is for whoever asks next, wherever he is.
    const calm = rule.refill.type !== 'held' && rule.unit !== 'credits';
    this.calm = calm;
    this.lump = rule.limit / LUMP_PART;
    this.calmMs = calm ? calmMs(rule) : this.leaseMs;
    // Each byte in hand lets in a body of unknown length.
    this.change = calm && rule.unit !== 'bytes' ? Math.floor(rule.limit / CHANGE_PART) : 0;
    this.permits = rule.refill.type === 'held';
    this.answers = new AnswerSizes(rule.limit);
  }
}

/** A request that waits for units; told when there may be some. */
export interface Waiter {
  retry(): void;
}

/** See the file's head. Times are monotonic milliseconds. */
export class Lease {
  readonly owner: LeaseRule;
  readonly key: string;
  /** Which of the leases that this worker had for this key. */
  readonly epoch: number;
  /** Units that requests may take. */
  idle = 0;
  /** Units that requests have taken and not settled yet. */
  flight = 0;
  /** Sums since this lease was made: granted, held no more, used. */
  granted = 0;
  back = 0;
  used = 0;
  /** What of these the authority has heard for certain. */
  backTold = 0;
  usedTold = 0;
  /** Units taken since the last sweep, and in the time before that. */
  taken = 0;
  takenBefore = 0;
  /** Number of the last recall of it. */
  recalled = 0;
  /** A question about it is on its way. */
  asking = false;
  /** Something has come up meanwhile that is to be told or asked next. */
  wanted = false;
  /** It stands in the list of those that the next sweep looks at. */
  listed = false;
  /** Until then it is in vain to ask for `refused` units or more; and when it will make sense, as the authority last said. */
  emptyUntil = 0;
  refused = 0;
  retryAt = 0;
  /** The authority could not be reached: it may have granted what is not known here. */
  lost = false;
  sweptAt = 0;
  /** When idle units must not be used any more. */
  expiresAt = Number.POSITIVE_INFINITY;
  /** When to ask for more time, if anything is in hand. */
  renewAt = Number.POSITIVE_INFINITY;
  /** See `LeaseGrant`. */
  missing: string | undefined = undefined;
  /** Which data the authority's last answer was from. */
  home = '';
  /** What others have of it in turn, where this process is an authority itself. */
  holdings: Holding[] | undefined = undefined;
  /** Units of the limit that were free when it was last asked. */
  free: number;
  /** When all of them will be. */
  resetAt = 0;
  /** Where bytes count: how large its next answer may be; -1: nothing is known. */
  answerBytes = -1;
  /** Units that waiting requests need together. */
  need = 0;
  waiters: { waiter: Waiter; units: number; least: number }[] = [];

  constructor(owner: LeaseRule, key: string, epoch: number) {
    this.owner = owner;
    this.key = key;
    this.epoch = epoch;
    this.free = owner.rule.limit;
  }

  /** Takes units when they are in hand. */
  take(units: number): void {
    this.idle -= units;
    this.flight += units;
    this.taken += units;
  }

  /** What became of `taken` units: `used` of them were used, which may be more than were taken. */
  settle(taken: number, used: number): void {
    this.flight -= taken;
    if (this.owner.permits) {
      this.idle += taken;
      return;
    }
    const kept = Math.min(taken, used);
    this.back += kept;
    this.used += used;
    this.idle += taken - kept;
    // What was used beyond that is no longer in hand either: else each idle unit would let in another of its kind.
    if (used <= taken) return;
    this.keep(Math.max(0, this.idle - (used - taken)));
    // Nor is what was taken a measure of what comes next, to be fetched ahead.
    this.taken = 0;
    this.takenBefore = 0;
  }

  /** What is in hand beyond `units` goes back. */
  keep(units: number): void {
    if (this.idle <= units) return;
    this.back += this.idle - units;
    this.idle = units;
  }

  /** What is not in use goes back. */
  giveBack(): void {
    this.back += this.idle;
    this.idle = 0;
  }

  /** What is to be said about it to the authority. */
  question(): LeaseAsk {
    const { owner, key, epoch, granted, back, used, need, idle, waiters, free, home, recalled } = this;
    let least = waiters[0]?.least ?? 0;
    for (const one of waiters) least = Math.min(least, one.least);
    // What is in hand already need not be asked for.
    if (least > 0) least = Math.max(1, least - idle);
    const wish = Math.max(0, owner.change - idle, Math.max(this.taken, this.takenBefore) * 2 - idle);
    const { backTold: heardBack, usedTold: heardUsed } = this;
    return {
      rule: owner.rule.name,
      key,
      epoch,
      granted,
      back,
      used,
      need: Math.max(least, need - idle),
      least,
      wish,
      heardBack,
      heardUsed,
      free,
      home,
      recalled,
    };
  }

  /** So much is free that what requests have left of their reservations may wait here for the next one, who reserves as much. */
  get plenty(): boolean {
    const { calm, rule } = this.owner;
    return calm && this.free >= rule.limit * PLENTY_SHARE && this.idle <= rule.limit / PLENTY_PART;
  }

  /** How long it is left alone, in milliseconds: not long where others may need what it has, or want to know what was used. */
  get restMs(): number {
    const { leaseMs, calmMs, change, lump, permits, rule, leases } = this.owner;
    const { idle, flight, free, used, usedTold, back, backTold } = this;
    if (permits || this.lost || leases.size > KEYS_EASY) return leaseMs;
    const left = free + idle + flight;
    const little = idle + Math.max(used - usedTold, back - backTold) <= change * 2;
    // Towards the end of a limit others may need even that.
    if (little && left >= rule.limit * SCARCE_SHARE) return CHANGE_MS;
    if (left < rule.limit * CALM_SHARE) return leaseMs;
    return idle <= lump ? calmMs : Math.min(calmMs, leaseMs * LUMP_LEASES);
  }

  /** Lets the waiting requests try again, in the order in which they came. */
  wake(): void {
    const { waiters } = this;
    this.waiters = [];
    this.need = 0;
    for (const { waiter } of waiters) waiter.retry();
  }

  /** What is to be told. */
  get sums(): { back: number; used: number } {
    return { back: this.back, used: this.used };
  }

  /** Something is to be told. */
  get untold(): boolean {
    return this.back !== this.backTold || this.used !== this.usedTold;
  }

  /** Nothing is in hand, on its way, or to be told. */
  get quiet(): boolean {
    return this.idle === 0 && this.flight === 0 && !this.untold && !this.asking && !this.lost && this.need === 0;
  }
}
