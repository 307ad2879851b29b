/**
 * Limits of an hour and more on a node of its own, kept on the disk: a restart, or a crash, forgets nothing. What workers may
 * use is written down before they get it, so after a crash it counts as used, and nothing is ever granted twice.
 *
 * The file has one line per change: key, until when it is kept, and the account; the last line of a key holds. The process may
 * die at any time; power that fails may cost the last second.
 */
import { closeSync, fsync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { NoticeEvent } from '../../../kernel/event.ts';
import { Eldest } from '../eldest.ts';
import { KeyLimits } from '../keylimits.ts';
import { type CalendarPeriod, SteadyWall } from '../period.ts';
import { type LeaseAsk, type LeaseGrant, lostGrant } from '../protocol.ts';
import { Remains } from '../remains.ts';
import type { Rule } from '../rule.ts';
import { Nearest, type Standing } from '../standing.ts';
import { carryOn, keepMs, newAccount, serveLease, settle } from './account.ts';
import { accountPrefix, nothingAsked, released, type StoredRule, standingIn, storedRules } from './inspect.ts';
import { type Line, readLines } from './journalfile.ts';
import { storeAsk } from './lines.ts';
import type { StoreAccount, StoreAsk } from './terms.ts';

/** Lines beyond what is needed, before the file is written anew. */
const WASTE = 10_000;
/** How often the disk is told to keep what was written (milliseconds). */
const SYNC_MS = 1000;
/** Nothing else decides about these limits, so a lease lasts until the process ends. */
const FOREVER = 1e15;
const NODE = 'node';
const ALONE = { missing: 0, boot: '', written: () => undefined };

/** Accounts that are kept of keys that strangers can make. */
const MOST_KEYS = 200_000;
/** Accounts looked at to make room for a new one. */
const LOOK_MOST = 8;

interface Kept {
  account: StoreAccount;
  until: number;
  /** No stranger can make such keys. */
  known: boolean;
}

/** See the file's head. */
export class JournalStore {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #wall: SteadyWall;
  readonly #notice: (notice: NoticeEvent) => void;
  readonly #accounts = new Map<string, Kept>();
  readonly #eldest = new Eldest(this.#accounts);
  readonly #most: number;
  #rules = new Map<string, StoredRule>();
  /** Of a rule: what was counted of keys that had to make room. */
  readonly #remains = new Map<string, Remains>();
  readonly #keyLimits: KeyLimits;
  #fd: number | undefined;
  #lines = 0;
  #dirty = false;
  readonly #timer: Timer;

  /** Call `open`. `most`: accounts, beyond which those of strangers make room. */
  constructor(
    path: string,
    clock: Clock,
    notice: (notice: NoticeEvent) => void,
    keyLimits = new KeyLimits(),
    most = MOST_KEYS,
  ) {
    this.#path = path;
    this.#keyLimits = keyLimits;
    this.#most = most;
    this.#clock = clock;
    this.#notice = notice;
    this.#wall = new SteadyWall(clock);
    this.#timer = clock.every(SYNC_MS, () => {
      if (!this.#dirty || this.#fd === undefined) return;
      this.#dirty = false;
      fsync(this.#fd, () => {});
    });
  }

  /** Accounts that are kept. */
  get size(): number {
    return this.#accounts.size;
  }

  /** Goes over to these rules. */
  configure(rules: readonly Rule[]): void {
    this.#rules = storedRules(rules, this.#rules, this.#clock);
  }

  /** Counters of which something is held or used, the nearest to their limit first. */
  standings(most: number): Standing[] {
    const nearest = new Nearest(most);
    const now = Math.floor(this.#wall.now());
    for (const [name, { account, until }] of this.#accounts) {
      const stored = until > now ? this.#ruleOf(name) : undefined;
      if (stored === undefined) continue;
      const key = name.slice(accountPrefix(stored.rule).length);
      const standing = standingIn(stored, key, account, this.#keyLimits.of(stored.rule, key), now);
      if (standing !== undefined) nearest.add(standing);
    }
    return nearest.list();
  }

  /** A rule that is counted here. */
  ruleNamed(name: string): Rule | undefined {
    return this.#rules.get(name)?.rule;
  }

  /** The key of a rule that fits, among those that are counted. */
  keyNamed(rule: Rule, fits: (key: string) => boolean): string | undefined {
    const prefix = accountPrefix(rule);
    for (const name of this.#accounts.keys())
      if (name.startsWith(prefix) && fits(name.slice(prefix.length))) return name.slice(prefix.length);
    return undefined;
  }

  /** Forgets what was counted of a key, but not what is held. Returns whether there was something; throws when it cannot be written. */
  forget(rule: string, key: string): boolean {
    const stored = this.#rules.get(rule);
    const name = stored === undefined ? '' : accountPrefix(stored.rule) + key;
    const kept = this.#accounts.get(name);
    if (stored === undefined || kept === undefined || this.#fd === undefined) return false;
    const limit = this.#keyLimits.of(stored.rule, key);
    kept.account = released(kept.account, nothingAsked(stored, key, limit), Math.floor(this.#wall.now()));
    writeSync(this.#fd, `${JSON.stringify([name, kept.until, kept.account] satisfies Line)}\n`);
    this.#lines++;
    return true;
  }

  /** One batch; what it grants is written down before it is known to anybody. */
  async ask(asks: readonly LeaseAsk[]): Promise<LeaseGrant[]> {
    if (this.#fd === undefined) return asks.map(lostGrant);
    const now = Math.floor(this.#wall.now());
    let text = '';
    const grants = asks.map((ask): LeaseGrant => {
      const known = this.#rules.get(ask.rule);
      if (known === undefined) return { granted: ask.granted, retryAfterMs: 50, ttlMs: FOREVER, free: 0, resetMs: 0 };
      const { rule, period } = known;
      const prefix = accountPrefix(rule);
      const key = prefix + ask.key;
      const question = storeAsk(ask, rule, period, 0, this.#keyLimits.of(rule, ask.key));
      const found = this.#accounts.get(key);
      const account =
        found !== undefined && found.until > now ? found.account : this.#begin(known, prefix, key, question, now);
      const { granted, retryAfterMs, free, resetMs } = serveLease(account, NODE, question, now, FOREVER, ALONE);
      const until = now + keepMs(account, question, 0);
      if (found === undefined && this.#accounts.size >= this.#most) this.#makeRoom(now);
      // When it gets tight, whoever has asked last is last to go.
      else if (this.#accounts.size > this.#most / 2) this.#accounts.delete(key);
      this.#accounts.set(key, { account, until, known: rule.known });
      text += `${JSON.stringify([key, until, account] satisfies Line)}\n`;
      this.#lines++;
      return { granted, retryAfterMs, ttlMs: FOREVER, free, resetMs };
    });
    try {
      if (text !== '') writeSync(this.#fd, text);
      this.#dirty = true;
      if (this.#lines > this.#accounts.size * 2 + WASTE) this.#compact();
    } catch (error) {
      this.#notice({
        level: 'error',
        message: `limits of an hour and more are refused, ${this.#path} cannot be written: ${(error as Error).message}`,
      });
      return asks.map(lostGrant);
    }
    return grants;
  }

  /** Reads the file, at first or after `release`; throws when it cannot be read or written. What was held counts as used. */
  open(): void {
    if (this.#fd !== undefined) return;
    this.#accounts.clear();
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const now = Math.floor(this.#wall.now());
    for (const line of readLines(this.#path)) {
      const [key, until, account] = line;
      this.#accounts.set(key, { account, until, known: false });
    }
    for (const [key, { account, until }] of this.#accounts) {
      if (until <= now) this.#accounts.delete(key);
      else settleAll(key, account, now);
    }
    this.#compact();
  }

  /** Another process goes on with the file; until `open`, nothing is granted here. */
  release(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  close(): void {
    this.#timer.cancel();
    this.release();
  }

  /** An account of which nothing is kept. */
  #begin({ rule, period }: StoredRule, prefix: string, key: string, question: StoreAsk, now: number): StoreAccount {
    const account = newAccount(question, now);
    const { units, at } = this.#remains.get(prefix)?.of(key, generationOf(rule, period, now)) ?? { units: 0, at: 0 };
    if (units > 0) settle(account, question, 0, units, at);
    return account;
  }

  /** The oldest of strangers goes of which nothing is held; what was counted of it is remembered. */
  #makeRoom(now: number): void {
    for (let looked = 0; looked < LOOK_MOST; looked++) {
      const found = this.#eldest.take();
      if (found === undefined) return;
      const [key, { account, until, known }] = found;
      if (until <= now) return;
      const of = this.#ruleOf(key);
      if (of === undefined) return;
      if (known || account.h > 0) {
        this.#eldest.renew(found);
        continue;
      }
      const prefix = accountPrefix(of.rule);
      const remains = this.#remains.get(prefix) ?? new Remains(() => this.#clock.random());
      this.#remains.set(prefix, remains);
      remains.keep(key, account.u + (account.d ?? 0), now, generationOf(of.rule, of.period, now));
      return;
    }
  }

  /** The rule of an account, while it is in force. */
  #ruleOf(name: string): StoredRule | undefined {
    const stored = this.#rules.get(name.slice(0, name.indexOf(':{')));
    return stored !== undefined && name.startsWith(accountPrefix(stored.rule)) ? stored : undefined;
  }

  /** Writes the file anew, with what still counts. */
  #compact(): void {
    const now = this.#wall.now();
    const next = `${this.#path}.new`;
    const fd = openSync(next, 'w', 0o600);
    let text = '';
    for (const [key, { account, until }] of this.#accounts) {
      if (until <= now) {
        this.#accounts.delete(key);
        continue;
      }
      text += `${JSON.stringify([key, until, account] satisfies Line)}\n`;
      if (text.length > 1_000_000) {
        writeSync(fd, text);
        text = '';
      }
    }
    writeSync(fd, text);
    renameSync(next, this.#path);
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = fd;
    this.#lines = this.#accounts.size;
  }
}

/** As of `Counters` in rule.ts. */
function generationOf({ refill }: Rule, period: CalendarPeriod | undefined, now: number): number {
  if (refill.type === 'sliding') return Math.floor(now / (refill.windowMs * (1 + 1 / 64)));
  // Of the period before nothing is left.
  return (period?.current() ?? 0) * 2;
}

/** Whoever held something is gone: it was used. */
function settleAll(key: string, account: StoreAccount, now: number): void {
  let rest = 0;
  for (const [, granted, back] of Object.values(account.n)) rest += granted - back;
  account.n = {};
  account.h -= rest;
  if (rest <= 0) return;
  const windowMs = Number(/"windowMs":(\d+)/.exec(key)?.[1] ?? 0);
  carryOn(account, { windowMs }, rest, now);
}
