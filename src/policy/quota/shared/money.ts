/**
 * What the store does about budgets beside other limits: money lasts for a month, so what was spent must not be forgotten with its data,
 * nor must what dead nodes held be taken for spent until the period ends. The ledger knows both, if later. In Lua: script.ts.
 */
import type { Lapsed, NodeHolding, StoreAccount, StoreAsk } from './terms.ts';

/** What an account that is not kept begins from must have been read so lately (milliseconds). */
const FRESH_MS = 2000;
/** All that was told to the store is in the ledger by then (milliseconds). */
const WRITTEN_MS = 10_000;

/** The nodes, as the store sees them now. */
export interface Crowd {
  /** Share of them that has not been heard of lately. */
  readonly missing: number;
  /** Whether this node is one of those. */
  misses(node: string): boolean;
}

/**
 * Whether the ledger must be read before a question about a budget makes sense. `known`: the asking node knows which data this store has.
 * `lost`: what the node had was not kept here.
 */
export function unread(ask: StoreAsk, known: boolean, kept: boolean, lost: boolean): boolean {
  if (ask.known < 0) return false;
  return !known || ((lost || !kept) && (ask.age < 0 || ask.age > FRESH_MS));
}

/** A budget begins with what the ledger says. */
export function beginMoney(account: StoreAccount, { known, forgiven }: StoreAsk): void {
  if (known < 0) return;
  account.u = Math.max(0, known - forgiven);
  account.f = forgiven;
  account.x = [];
  account.y = account.z = account.w = account.g = 0;
}

/** A new period: nothing of the one before counts. */
export function turnMoney(account: StoreAccount): void {
  if (account.x === undefined) return;
  account.x = [];
  account.f = account.y = account.z = account.w = account.g = 0;
}

/** Units that lapsed, of nodes that may have spent them or not. */
export function lapsedOf({ x }: StoreAccount): number {
  let units = 0;
  if (x !== undefined) for (const [, , granted, back] of x) units += granted - back;
  return units;
}

/** A holding has lapsed, and counts as used. */
export function keepLapsed(account: StoreAccount, node: string, [epoch, granted, back, used]: NodeHolding): void {
  if (account.x === undefined || granted === back) return;
  account.x.push([node, epoch, granted, back, used]);
  account.y = 0;
}

/** Its node is there again, and holds it as before. */
export function restore(account: StoreAccount, node: string, epoch: number): NodeHolding | undefined {
  const at = account.x === undefined ? -1 : account.x.findIndex(([name, of]) => name === node && of === epoch);
  if (at < 0) return undefined;
  const [[, , granted, back, used]] = (account.x as Lapsed[]).splice(at, 1) as [Lapsed];
  account.u -= granted - back;
  account.h += granted - back;
  account.l -= granted - back;
  return [epoch, granted, back, used, 0];
}

/**
 * Brings what counts as used in line with the ledger. While all nodes are there, what it has had for a while has been told here too, or is
 * held: less is an error. And when a node is missed no longer whose holding has lapsed, it is noted what counts as used beside that; what
 * the ledger has more, when it has been read later, is what the node had spent of it. The rest comes back.
 */
export function reckon(account: StoreAccount, ask: StoreAsk, now: number, crowd: Crowd): void {
  const { x } = account;
  if (x === undefined || ask.period !== account.p) return;
  const forgiven = Math.max(account.f as number, ask.forgiven);
  account.f = forgiven;
  if (crowd.missing === 0) account.u = Math.max(account.u, ask.past - forgiven - account.h);
  if (x.length === 0) return;
  const over = x.filter(([name]) => !crowd.misses(name));
  if (over.length === 0) return;
  if (account.y === 0) {
    account.y = now;
    account.z = account.u - lapsedOf(account);
  } else if (ask.age >= 0 && now - ask.age >= (account.y as number) + WRITTEN_MS) {
    let units = 0;
    for (const [, , granted, back] of over) units += granted - back;
    account.u -= Math.max(0, units - Math.max(0, ask.known - forgiven - (account.z as number)));
    account.x = x.filter(([name]) => crowd.misses(name));
    account.y = 0;
  }
}

/** Units that nodes which are missing may be spending on their own: their part of what was left when they were missed first. */
export function withheld(account: StoreAccount, ask: StoreAsk, { missing }: Crowd): number {
  if (!ask.share) return 0;
  if (account.g === undefined || account.w === undefined) return ask.limit * missing;
  if (missing !== account.g && ask.age >= 0 && ask.period === account.p) {
    const left = Math.max(0, ask.limit - Math.max(0, ask.known - (account.f as number)));
    if (missing > account.g) account.w += Math.floor(left * (missing - account.g));
    else account.w = Math.floor((account.w * missing) / account.g);
    account.g = missing;
  }
  return account.w;
}
