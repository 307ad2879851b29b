/** The shared store's script (script.ts) on plain data in this process: the same words, the same answers. */
import { keepMs, newAccount, serveLease } from './account.ts';
import { type Crowd, unread } from './money.ts';
import { ASK_FIELDS, HEAD_FIELDS } from './script.ts';
import type { StoreAccount, StoreAsk } from './terms.ts';

/** A clock of the store that runs ahead by more than this is not believed (milliseconds). */
const SPARE_MS = 60_000;

/** Longer than any period (milliseconds). */
const KEEP_MS = 3_456_000_000;

interface Kept {
  account: StoreAccount;
  until: number;
}

/** See the file's head. */
export class ModelStore {
  readonly #time: () => number;
  #last: number | undefined;
  #offset = 0;
  #boot: string | undefined;
  readonly #nodes = new Map<string, number>();
  readonly #written = new Map<string, number>();
  readonly #accounts = new Map<string, Kept>();

  /** `time`: the store's own clock, whole milliseconds. */
  constructor(time: () => number) {
    this.#time = time;
  }

  /** Accounts that are kept. */
  get size(): number {
    return this.#accounts.size;
  }

  /** Runs the script. */
  run(keys: readonly string[], args: readonly string[]): unknown[] {
    const [node = '', seenText, home, elapsedText, , missText, forgetText, fresh, what, written] = args;
    const [missAfter, forgetAfter] = [Number(missText), Number(forgetText)];
    this.#boot ??= fresh as string;
    const boot = this.#boot;
    const now = this.#now(Number(seenText), home === boot ? Number(elapsedText) : -1);
    if (what === 'leave') {
      this.#nodes.delete(node);
      if (written === '1') this.#written.delete(node);
      return [String(now), boot];
    }
    if (written !== '-1') this.#written.set(node, Number(written));
    const looks = what === 'beat' || what === 'look';
    if (looks) {
      if (what === 'look')
        for (const [name, until] of this.#written) if (until > 0 && until < now - KEEP_MS) this.#written.delete(name);
      if (home !== boot)
        for (const name of args.slice(HEAD_FIELDS))
          if (!this.#nodes.has(name)) this.#nodes.set(name, now - missAfter - 1);
      if (what === 'beat') this.#nodes.set(node, now);
      for (const [name, at] of this.#nodes) if (at <= now - forgetAfter) this.#nodes.delete(name);
    }
    const all = this.#nodes.size;
    const missing = [...this.#nodes.values()].filter((at) => at < now - missAfter).length;
    const head = [String(now), boot, all, missing];
    if (looks)
      return [...head, ...[...this.#nodes].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).map(([name]) => name)];
    const crowd = { missing: all > 0 ? missing / all : 0, boot, written: (name: string) => this.#written.get(name) };
    return [...head, ...keys.slice(2).map((key, i) => this.#serve(key, args, i, now, crowd))];
  }

  #now(seen: number, elapsed: number): number {
    const wall = this.#time();
    let now = wall + this.#offset;
    if (this.#last !== undefined) {
      const most = Math.max(this.#last, seen + elapsed);
      if (elapsed >= 0 && now > most + SPARE_MS) {
        this.#offset -= Math.floor(now - most);
        now = wall + this.#offset;
      }
      if (now < this.#last) {
        this.#offset += this.#last - now;
        now = this.#last;
      }
    }
    this.#last = now;
    return now;
  }

  #serve(key: string, args: readonly string[], i: number, now: number, crowd: Crowd): string {
    const [node = '', , boot0 = '', , ttl] = args;
    const fields = args.slice(HEAD_FIELDS + i * ASK_FIELDS, HEAD_FIELDS + (i + 1) * ASK_FIELDS);
    const n = (at: number) => Number(fields[at]);
    const home = fields[17];
    const boot = this.#boot as string;
    const wall = this.#time();
    const found = this.#accounts.get(key);
    const kept = found !== undefined && found.until > wall ? found : undefined;
    const ask: StoreAsk = {
      type: fields[0] as StoreAsk['type'],
      limit: n(1),
      windowMs: n(2),
      burst: n(3),
      period: n(4),
      left: n(5),
      share: fields[6] === '1',
      epoch: n(7),
      granted: n(8),
      back: n(9),
      used: n(10),
      heardBack: n(11),
      heardUsed: n(12),
      again: 0,
      need: n(14),
      least: n(15),
      wish: n(16),
      known: n(18),
      past: n(19),
      forgiven: n(20),
      age: n(21),
      heard: n(22),
    };
    const lost = home !== '' && (home !== boot || kept === undefined);
    if (unread(ask, boot0 === '' || boot0 === boot, kept !== undefined, lost)) return 'unread';
    if (lost) ask.again = ask.known >= 0 ? 1 : n(13);
    const account = kept?.account ?? newAccount(ask, now, boot);
    const { granted, retryAfterMs, free, resetMs, used } = serveLease(account, node, ask, now, Number(ttl), crowd);
    this.#accounts.set(key, { account, until: wall + keepMs(account, ask, Number(ttl)) });
    const line = `${granted} ${retryAfterMs === Number.POSITIVE_INFINITY ? 'inf' : retryAfterMs} ${free} ${resetMs}`;
    return used === undefined ? line : `${line} ${used}`;
  }
}
