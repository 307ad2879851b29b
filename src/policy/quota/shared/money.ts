/**
 * What the store does about budgets beside other limits: money lasts for a month, so what was spent must not be forgotten with its data,
 * nor must what dead nodes held be taken for spent until the period ends. The ledger knows both, if later. In Lua: script.ts.
 */
import type { Lapsed, NodeHolding, StoreAccount, StoreAsk } from './terms.ts';

/** What an account that is not kept begins from must have been read so lately (milliseconds). */
const FRESH_MS = 2000;
/** What others spend meanwhile is taken for that of nodes that have ended: it is noted anew when the ledger is behind by more (milliseconds). */
const NOTED_MS = 10_000;
/** Requests of a node that is cut off may go on for so long (milliseconds). */
const SPENDING_MS = 3_600_000;
/** From so many nodes on that an account remembers, those are forgotten whose usage is in the ledger. */
const TELLERS_EASY = 8;

/** The nodes, as the store sees them now. */
export interface Crowd {
  /** Share of them that has not been heard of lately. */
  readonly missing: number;
  /** Which data the store has. */
  readonly boot: string;
  /**
   * All that this node had told by then (time of the store) is in the ledger. Undefined: it has ended, and all that it has used is there. Of
   * one that was killed it stays as it was, until somebody has read what it left behind.
   */
  written(node: string): number | undefined;
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
export function beginMoney(account: StoreAccount, { known, forgiven }: StoreAsk, boot: string): void {
  if (known < 0) return;
  account.u = Math.max(0, known - forgiven);
  account.f = forgiven;
  account.b = boot;
  account.t = {};
  account.x = [];
  account.c = account.o = account.y = account.z = account.w = account.g = 0;
}

/** A new period: nothing of the one before counts, but for what lapsed so lately that it may still be spent. */
export function turnMoney(account: StoreAccount, now: number): void {
  if (account.x === undefined) return;
  account.x = account.x.filter(([, , , , , at = 0]) => now - at < SPENDING_MS);
  account.u = lapsedOf(account);
  account.f = account.y = account.z = account.w = account.g = 0;
}

/** Whether all that a node has told until `until`, last at `at`, is in the ledger. */
function isWritten(crowd: Crowd, node: string, at: number, until: number): boolean {
  const written = crowd.written(node);
  // What was told in that very millisecond may have been told later.
  return written === undefined || Math.min(at, until) < written;
}

/** A node has told that it has used more. */
export function noteTold(account: StoreAccount, node: string, now: number, crowd: Crowd): void {
  const { t } = account;
  if (t === undefined) return;
  t[node] = now;
  const nodes = Object.keys(t);
  if (nodes.length <= TELLERS_EASY) return;
  for (const name of nodes) if (isWritten(crowd, name, t[name] as number, now)) delete t[name];
}

/** Units that lapsed, of nodes that may have spent them or not. */
export function lapsedOf({ x }: StoreAccount): number {
  let units = 0;
  if (x !== undefined) for (const [, , granted, back] of x) units += granted - back;
  return units;
}

/** A holding has lapsed, and counts as used. */
export function keepLapsed(account: StoreAccount, node: string, holding: NodeHolding, at: number): void {
  const [epoch, granted, back, used] = holding;
  if (account.x === undefined || granted === back) return;
  account.x.push([node, epoch, granted, back, used, at]);
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
 * held: less is an error. And when a node has ended whose holding has lapsed, it is noted what counts as used beside that (`y`, `z`); what
 * the ledger has more than that is what the node had spent of it. For that all that was told by then must be in the ledger, which each node says
 * of what it has told itself (`c`), and the ledger must have been read after that, by what the reader had heard of the store's time before.
 * However late the ledger is, nothing comes back too early. The rest comes back then.
 */
export function reckon(account: StoreAccount, ask: StoreAsk, now: number, crowd: Crowd): void {
  const { x } = account;
  if (x === undefined || ask.period !== account.p) return;
  const forgiven = Math.max(account.f as number, ask.forgiven);
  account.f = forgiven;
  if (crowd.missing === 0) account.u = Math.max(account.u, ask.past - forgiven - account.h);
  // What is known of nodes was lost where the store has begun anew, and this account was kept.
  if (x.length === 0 || account.b !== crowd.boot) return;
  const over = x.filter(([name]) => crowd.written(name) === undefined);
  if (over.length === 0) return;
  if (account.y === 0 || account.o !== over.length) note(account, now, over.length);
  if (account.c === 0) {
    const { t = {}, y = 0 } = account;
    if (Object.keys(t).every((name) => isWritten(crowd, name, t[name] as number, y))) account.c = now;
    else if (now - y >= NOTED_MS) note(account, now, over.length);
  } else if (ask.heard > (account.c as number)) {
    let units = 0;
    for (const [, , granted, back] of over) units += granted - back;
    account.u -= Math.max(0, units - Math.max(0, ask.known - forgiven - (account.z as number)));
    account.x = x.filter(([name]) => crowd.written(name) !== undefined);
    account.y = 0;
  }
}

/** What counts as used beside what lapsed. */
function note(account: StoreAccount, now: number, ended: number): void {
  account.y = now;
  account.z = account.u - lapsedOf(account);
  account.o = ended;
  account.c = 0;
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
