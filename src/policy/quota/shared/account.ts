/**
 * What a shared store does with one lease, as plain state and one function. The store's script (script.ts) is the same in Lua,
 * line for line; a test runs both side by side. Times are milliseconds of the store.
 */

import { aheadOf } from '../ahead.ts';
import { DEBT_WINDOWS } from '../counter.ts';
import {
  beginMoney,
  type Crowd,
  keepLapsed,
  lapsedOf,
  noteTold,
  reckon,
  restore,
  turnMoney,
  withheld,
} from './money.ts';
import type { NodeHolding, StoreAccount, StoreAsk, StoreGrant } from './terms.ts';

/** As in counter.ts. */
const SLOTS = 64;
const UNKNOWN_WAIT = 1000;
/** How much longer than it counts an account is kept (milliseconds). */
const SPARE_MS = 60_000;

/** An account of which nothing is counted. */
export function newAccount(ask: StoreAsk, now: number, boot = ''): StoreAccount {
  const account: StoreAccount = { h: 0, u: 0, s: [], l: ask.burst, a: now, p: ask.period, n: {} };
  beginMoney(account, ask, boot);
  return account;
}

/** Units that were used before this account began, the last of them at `at`. `windowMs` is 0 for a calendar limit. */
export function carryOn(
  account: StoreAccount,
  { windowMs }: Pick<StoreAsk, 'windowMs'>,
  units: number,
  at: number,
): void {
  account.u += units;
  if (windowMs > 0) account.s.push(Math.floor(at / (windowMs / SLOTS)), units);
}

/** As of a counter: `back` units are held no more, and `used` have been used. */
export function settle(account: StoreAccount, ask: StoreAsk, back: number, used: number, at: number): void {
  account.h -= back;
  if (ask.type === 'b') account.l = Math.min(ask.burst - account.h, account.l + back - used);
  else if (ask.type === 'c') account.u += used;
  else if (ask.type !== 's') return;
  else if (used > back || account.d !== undefined) overdraw(account, ask, used, used - back, at);
  else if (used > 0) count(account, ask, used, at);
}

function count(account: StoreAccount, ask: StoreAsk, units: number, at: number): void {
  account.u += units;
  const slot = Math.floor(at / (ask.windowMs / SLOTS));
  const last = account.s.length - 2;
  if (last >= 0 && (account.s[last] as number) >= slot) account.s[last + 1] = (account.s[last + 1] as number) + units;
  else account.s.push(slot, units);
}

/** The account is up to date. */
function overdraw(account: StoreAccount, ask: StoreAsk, used: number, beyond: number, at: number): void {
  const before = account.d ?? 0;
  const room = ask.limit - account.h - account.u;
  const owed = Math.max(0, Math.min(beyond, used + before - room));
  const debt = Math.max(0, Math.min(before + owed, ask.limit * DEBT_WINDOWS));
  const paid = Math.max(0, Math.min(debt, room - (used - owed)));
  account.d = debt > paid ? debt - paid : undefined;
  if (used - owed + paid > 0) count(account, ask, used - owed + paid, at);
}

function hold(account: StoreAccount, units: number): void {
  account.h += units;
  account.l -= units;
}

const endOf = (slot: number, windowMs: number) => (slot + 1) * (windowMs / SLOTS) + windowMs;

/** Of what has expired or come back meanwhile. */
export function bringUp(account: StoreAccount, ask: StoreAsk, now: number): void {
  if (ask.type === 'b') {
    account.l = Math.min(ask.burst - account.h, account.l + ((now - account.a) * ask.limit) / ask.windowMs);
    account.a = now;
  } else if (ask.type === 'c') {
    if (ask.period > account.p) {
      account.p = ask.period;
      account.u = 0;
      turnMoney(account, now);
    }
  } else if (ask.type === 's') {
    const slots = account.s;
    let gone = 0;
    while (gone < slots.length && endOf(slots[gone] as number, ask.windowMs) <= now) {
      const units = slots[gone + 1] as number;
      account.u -= units;
      if (account.d !== undefined) {
        const paid = Math.min(units, account.d);
        account.d = account.d > paid ? account.d - paid : undefined;
        account.u += paid;
        slots.push((slots[gone] as number) + SLOTS + 1, paid);
      }
      gone += 2;
    }
    if (gone > 0) slots.splice(0, gone);
    if (slots.length === 0) {
      account.u = 0;
      if (account.h <= 0) account.d = undefined;
    }
  }
}

/** Units that are free, once it is up to date. */
export function freeOf(account: StoreAccount, ask: StoreAsk): number {
  if (ask.type === 'b') return account.l;
  if (ask.type === 'h') return ask.limit - account.h;
  return ask.limit - account.h - account.u - (account.d ?? 0);
}

function retryAfter(account: StoreAccount, ask: StoreAsk, units: number, now: number): number {
  if (units > (ask.type === 'b' ? ask.burst : ask.limit)) return Number.POSITIVE_INFINITY;
  const free = freeOf(account, ask);
  if (free >= units) return UNKNOWN_WAIT;
  if (ask.type === 'c') return free + account.h + lapsedOf(account) >= units ? UNKNOWN_WAIT : Math.max(1, ask.left);
  if (ask.type === 'b') {
    if (units > ask.burst - account.h) return UNKNOWN_WAIT;
    return Math.max(1, Math.ceil(((units - free) * ask.windowMs) / ask.limit));
  }
  return ask.type === 's' ? until(account, ask, units - free, now) : UNKNOWN_WAIT;
}

/** Milliseconds until so many of the units that are counted are no more. */
function until({ u, d = 0, s }: StoreAccount, { windowMs }: StoreAsk, units: number, now: number): number {
  const rounds = d > 0 && u > 0 ? Math.ceil(units / u) - 1 : 0;
  if (rounds > 0 && units > u + d) return UNKNOWN_WAIT;
  let gone = rounds * u;
  for (let i = 0; i < s.length; i += 2) {
    gone += s[i + 1] as number;
    if (gone >= units) return Math.max(1, endOf((s[i] as number) + rounds * (SLOTS + 1), windowMs) - now);
  }
  return UNKNOWN_WAIT;
}

/** Milliseconds until all of it is. */
export function resetOf(account: StoreAccount, ask: StoreAsk, now: number): number {
  if (ask.type === 'c') return ask.left;
  if (ask.type === 'b') return ((ask.burst - account.l) * ask.windowMs) / ask.limit;
  if (ask.type === 'h') return 0;
  if (account.h > 0) return ask.windowMs;
  if (account.d !== undefined) return until(account, ask, account.u + account.d, now);
  const last = account.s.length - 2;
  return last < 0 ? 0 : Math.max(0, endOf(account.s[last] as number, ask.windowMs) - now);
}

/** What a node held that has not been heard of in time is taken for used; permits come back. */
function lapse(account: StoreAccount, ask: StoreAsk, node: string, at: number): void {
  const holding = account.n[node] as NodeHolding;
  const [, granted, back] = holding;
  delete account.n[node];
  keepLapsed(account, node, holding, at);
  settle(account, ask, granted - back, ask.type === 'h' ? 0 : granted - back, at);
}

/**
 * Serves one question. `ttlMs`: how long a node may use what it is granted. Of a budget `again` says that what the node had was lost here:
 * what it has used meanwhile is in the ledger.
 */
export function serveLease(
  account: StoreAccount,
  node: string,
  ask: StoreAsk,
  now: number,
  ttlMs: number,
  crowd: Crowd,
): StoreGrant {
  bringUp(account, ask, now);
  const lapsed = Object.keys(account.n).filter((name) => (account.n[name] as NodeHolding)[4] <= now);
  for (const name of lapsed.sort()) lapse(account, ask, name, (account.n[name] as NodeHolding)[4]);
  let holding = account.n[node];
  if (holding !== undefined && holding[0] !== ask.epoch) {
    // What was sent before what we know already; nobody waits for an answer to it.
    if (holding[0] > ask.epoch) return { granted: ask.granted, retryAfterMs: UNKNOWN_WAIT, free: 0, resetMs: 0 };
    lapse(account, ask, node, now);
    holding = undefined;
  }
  if (holding === undefined) {
    holding = restore(account, node, ask.epoch);
    if (holding !== undefined) account.n[node] = holding;
  }
  if (holding === undefined) {
    const anew = ask.known >= 0 && ask.again > 0;
    holding = [ask.epoch, ask.granted, anew ? ask.back : ask.heardBack, anew ? ask.used : ask.heardUsed, 0];
    account.n[node] = holding;
    hold(account, ask.granted - holding[2]);
    if (anew) account.u = Math.max(account.u, ask.known - ask.forgiven);
    else if (ask.again > 0) settle(account, ask, 0, ask.again, now);
  } else if (ask.granted > holding[1]) {
    // The node has granted itself of its share, while we could not be reached.
    hold(account, ask.granted - holding[1]);
    holding[1] = ask.granted;
  }
  const back = Math.max(0, Math.min(ask.back, holding[1]) - holding[2]);
  const used = Math.max(0, ask.used - holding[3]);
  if (back > 0 || used > 0) settle(account, ask, back, used, now);
  if (used > 0) noteTold(account, node, now, crowd);
  holding[2] += back;
  holding[3] += used;
  reckon(account, ask, now, crowd);
  const free = Math.floor(freeOf(account, ask) - withheld(account, ask, crowd));
  let units = 0;
  let retryAfterMs = 0;
  if (ask.need > 0 && free < ask.least) retryAfterMs = retryAfter(account, ask, ask.least, now);
  else {
    units = Math.max(0, Math.min(ask.need, free));
    if (units === ask.need) units += aheadOf(ask, ask.limit, free - units);
    hold(account, units);
    holding[1] += units;
  }
  holding[4] = now + ttlMs;
  return {
    granted: holding[1],
    retryAfterMs,
    free: Math.max(0, free - units),
    resetMs: resetOf(account, ask, now),
    ...(ask.known < 0 ? {} : { used: account.u }),
  };
}

/** How long the account has to be kept when nobody asks, in milliseconds. */
export function keepMs(account: StoreAccount, ask: StoreAsk, ttlMs: number): number {
  let keep = 0;
  if (ask.type === 's') keep = (ask.windowMs + ask.windowMs / SLOTS) * (account.d === undefined ? 1 : DEBT_WINDOWS + 2);
  else if (ask.type === 'c') keep = ask.left;
  else if (ask.type === 'b') keep = ((ask.burst - account.l) * ask.windowMs) / ask.limit;
  return Math.ceil(keep) + ttlMs + (account.u > 0 || account.h > 0 ? SPARE_MS : 0);
}
