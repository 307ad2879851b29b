/**
 * Budgets of this node: what was spent before this process began, or by other nodes, is read from the ledger and counted by
 * the authority beside what its own workers tell; and somebody is told when a share of a budget is spent.
 */
import { formatCost } from '../ai/cost.ts';
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { CalendarPeriod, type LeaseAsk, type LocalAuthority, type Rule, sayKey } from '../policy/quota/quota.ts';
import type { Ledger, LedgerEntry } from '../store/ledger.ts';
import type { Store } from '../store/store.ts';
import { keyOf, spentOf } from './spent.ts';

/** Documents that say which alerts were given. */
const ALERT_KIND = 'budgetAlert';
/** How often what others have spent is read again, and how often where that may matter soon (milliseconds). */
const REFRESH_MS = 10_000;
const NEAR_MS = 1000;
/** That is from this part of a budget on, or where we have spent such a part since it was read. */
const NEAR_SHARE = 1 / 4;
const FRESH_SHARE = 1 / 10;
/** Keys that are read again at once. */
const REFRESH_MOST = 500;
/** Documents that say how much of what was spent is forgotten. */
const FORGIVEN_KIND = 'budgetForgiven';
/** How long these documents are kept: longer than any period (milliseconds). */
const REMEMBERED_MS = 32 * 86_400_000;
/** Keys that are looked after at once; beyond, those of periods that are over are forgotten. */
const OPEN_MAX = 100_000;

/** What it is made of. */
export interface BudgetParts {
  clock: Clock;
  authority: LocalAuthority;
  store(): Store | undefined;
  /** Requests that workers of others have under way. */
  beside(): Iterable<LedgerEntry>;
  /** Does something while nothing is added to the ledger. */
  inTurn<T>(body: () => Promise<T>): Promise<T>;
  notice(notice: NoticeEvent): void;
  /** An alert was given. */
  alerted(budget: string, share: number): void;
}

/** One key of one budget. */
interface Open {
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
  /** When it was last read (monotonic). */
  countedAt: number;
  /** What was used then, as far as we knew. */
  usedThen: number;
  /** How many of its alerts were given. */
  alerts: number;
}

/** See the file's head. */
export class Budgets {
  readonly #parts: BudgetParts;
  readonly #open = new Map<string, Open>();
  readonly #opening = new Map<string, Promise<void>>();
  /** Key of a budget → process of ours → what it has written to the ledger since it began. */
  readonly #written = new Map<string, Map<number, number>>();
  readonly #periods = new Map<string, CalendarPeriod>();
  #rules: Rule[] = [];
  /** Others may have written to the ledger of this store. */
  #stale = false;

  constructor(parts: BudgetParts) {
    this.#parts = parts;
  }

  /** Goes over to these rules; those that are no budgets are left out. */
  configure(rules: readonly Rule[]): void {
    const before = new Map(this.#rules.map(({ name, refill }) => [name, JSON.stringify(refill)]));
    // Of a name that comes twice the later one holds.
    const named = new Map(rules.map((rule) => [rule.name, rule]));
    this.#rules = [...named.values()].filter(({ budget }) => budget !== undefined);
    const periods = new Map(this.#periods);
    this.#periods.clear();
    for (const { name, limit, refill } of this.#rules) {
      const period = periods.get(name);
      if (period !== undefined && before.get(name) === JSON.stringify(refill)) {
        this.#periods.set(name, period);
        continue;
      }
      // Its counters begin anew, and so does what is known of its past.
      for (const [id, { rule }] of this.#open) if (rule === name) this.#open.delete(id);
      for (const id of this.#written.keys()) if (id.startsWith(idOf(name, ''))) this.#written.delete(id);
      if (refill.type === 'calendar')
        this.#periods.set(name, new CalendarPeriod(limit, refill.every, refill.timeZone, this.#parts.clock));
    }
  }

  /** Before a key of a budget is granted anything for the first time its past is read: a promise then. */
  before(asks: readonly LeaseAsk[]): Promise<void> | undefined {
    if (this.#rules.length === 0) return undefined;
    let waits: Promise<void>[] | undefined;
    for (const { rule, key } of asks) {
      const startedAt = this.#periods.get(rule)?.startedAt;
      if (startedAt === undefined || this.#open.get(idOf(rule, key))?.startedAt === startedAt) continue;
      waits ??= [];
      waits.push(this.#opened(rule, key));
    }
    return waits === undefined ? undefined : Promise.all(waits).then(() => {});
  }

  /** Entries are in the ledger; `pid`: which process of ours has made them; undefined: none. */
  took(entries: readonly LedgerEntry[], pid: number | undefined): void {
    if (pid === undefined) this.#stale = true;
    else for (const entry of entries) for (const rule of this.#rules) this.#add(rule, entry, pid);
  }

  /** A worker has died, and all that it has written is in the ledger: what it held of budgets comes back. */
  closed(holder: number, pid: number): void {
    const usedOf = (rule: string, key: string) => {
      const written = this.#written.get(idOf(rule, key));
      return written === undefined ? undefined : (written.get(pid) ?? 0);
    };
    this.#parts.authority.closed(holder, usedOf);
    for (const written of this.#written.values()) written.delete(pid);
  }

  /** What a key has spent so far is forgotten until its period ends, here and by whoever reads the store. */
  async release(rule: string, key: string, who: string): Promise<void> {
    await this.before([{ rule, key } as LeaseAsk]);
    await this.#parts.inTurn(async () => {
      const open = this.#open.get(idOf(rule, key));
      if (open === undefined) return;
      open.forgiven = open.spent;
      open.own = 0;
      const put = {
        op: 'put' as const,
        kind: FORGIVEN_KIND,
        id: this.#periodOf(open),
        value: { rule, key: sayKey(key), cost: open.spent },
      };
      const expiresAt = this.#parts.clock.wall() + REMEMBERED_MS;
      await this.#parts.store()?.write([{ ...put, expiresAt }], { who, what: 'limits.release' });
    });
  }

  #periodOf({ rule, key, startedAt }: Pick<Open, 'rule' | 'key' | 'startedAt'>): string {
    return JSON.stringify([rule, sayKey(key), startedAt]).slice(0, 480);
  }

  /** Counts what others have spent, and gives alerts. To be called every second or so. */
  look(): Promise<void> {
    return this.#parts.inTurn(() => this.#look());
  }

  async #look(): Promise<void> {
    const beside = this.#beside();
    const stale = this.#stale;
    this.#stale = false;
    for (const [id, open] of this.#open)
      if (this.#periods.get(open.rule)?.startedAt !== open.startedAt) this.#open.delete(id);
    const due: Open[] = [];
    // What is under way beside us ends at any time, and costs less then.
    for (const [id, open] of this.#open)
      if (stale || open.reserved > 0 || beside.has(id) || this.#isDue(open)) due.push(open);
    // Those that have waited longest first.
    if (due.length > REFRESH_MOST) due.sort((one, other) => one.countedAt - other.countedAt);
    for (const open of due.slice(0, REFRESH_MOST)) await this.#count(open, beside).catch(() => {});
    if (stale && due.length > REFRESH_MOST) this.#stale = true;
    for (const open of this.#open.values()) await this.#alert(open).catch(() => {});
  }

  /** Nobody else writes to a store of our own; of one that nodes share nobody tells us. */
  #isDue({ rule, key, countedAt, usedThen }: Open): boolean {
    const { clock, authority, store } = this.#parts;
    if (store()?.driver !== 'postgres') return false;
    const age = clock.now() - countedAt;
    if (age < NEAR_MS) return false;
    if (age >= REFRESH_MS) return true;
    const found = this.#rules.find(({ name }) => name === rule);
    if (found === undefined) return false;
    const [used, limit] = [authority.usedOf(rule, key), authority.limitOf(found, key)];
    // Each of the others may have spent as much since then as we have.
    return used >= limit * NEAR_SHARE || used - usedThen >= limit * FRESH_SHARE;
  }

  #opened(rule: string, key: string): Promise<void> {
    const id = idOf(rule, key);
    let opening = this.#opening.get(id);
    if (opening === undefined) {
      opening = this.#parts.inTurn(() => this.#read(id, rule, key)).finally(() => this.#opening.delete(id));
      this.#opening.set(id, opening);
    }
    return opening;
  }

  async #read(id: string, rule: string, key: string): Promise<void> {
    const startedAt = this.#periods.get(rule)?.startedAt;
    if (startedAt === undefined) return;
    // What stood in the ledger before this, and is ours, came from a key that was forgotten: it counts as that of others.
    const none = { own: 0, spent: 0, reserved: 0, forgiven: 0, countedAt: 0, usedThen: 0, alerts: 0 };
    const open: Open = { rule, key, startedAt, ...none };
    const forgiven = await this.#parts.store()?.get<{ cost: number }>(FORGIVEN_KIND, this.#periodOf(open));
    if (forgiven !== undefined) open.forgiven = forgiven.value.cost;
    await this.#count(open, this.#beside());
    if (this.#open.size >= OPEN_MAX) return;
    this.#open.set(id, open);
    if (!this.#written.has(id) && this.#written.size < OPEN_MAX) this.#written.set(id, new Map());
  }

  /** What is in the ledger and was not told by workers of ours is counted. */
  async #count(open: Open, beside: ReadonlyMap<string, number>): Promise<void> {
    const found = this.#rules.find(({ name }) => name === open.rule);
    const ledger: Ledger | undefined = this.#parts.store()?.ledger;
    if (found?.budget === undefined) return;
    if (ledger === undefined) throw new Error('there is no store to read what was spent from');
    open.countedAt = this.#parts.clock.now();
    open.spent = await spentOf(ledger, found, open.key, open.startedAt);
    open.reserved = beside.get(idOf(open.rule, open.key)) ?? 0;
    const outside = Math.max(0, open.spent - open.own - open.forgiven) + open.reserved;
    this.#parts.authority.setOutside(open.rule, open.key, outside, open.startedAt);
    open.usedThen = this.#parts.authority.usedOf(open.rule, open.key);
  }

  /** What is reserved for requests that workers of others have under way, by key of a budget. */
  #beside(): Map<string, number> {
    const sums = new Map<string, number>();
    for (const entry of this.#parts.beside()) {
      for (const rule of this.#rules) {
        const key = keyOf(rule, entry);
        if (key === undefined) continue;
        const id = idOf(rule.name, key);
        sums.set(id, (sums.get(id) ?? 0) + entry.cost);
      }
    }
    return sums;
  }

  #add(rule: Rule, entry: LedgerEntry, pid: number): void {
    const startedAt = this.#periods.get(rule.name)?.startedAt;
    const key = keyOf(rule, entry);
    if (startedAt === undefined || key === undefined) return;
    const id = idOf(rule.name, key);
    const written = this.#written.get(id);
    written?.set(pid, (written.get(pid) ?? 0) + entry.cost);
    const open = this.#open.get(id);
    if (open?.startedAt !== startedAt || entry.at < startedAt) return;
    open.own += entry.cost;
    open.spent += entry.cost;
  }

  async #alert(open: Open): Promise<void> {
    const { authority, notice, alerted } = this.#parts;
    const rule = this.#rules.find(({ name }) => name === open.rule);
    const shares = rule?.budget?.alerts;
    if (rule === undefined || shares === undefined) return;
    const limit = authority.limitOf(rule, open.key);
    // What was reserved by a worker that died counts as used; what another place counts, such as Redis, is known by the ledger.
    const used = Math.max(authority.usedOf(open.rule, open.key), open.spent - open.forgiven);
    // A single large request that was refused says nothing of how much is left.
    const over = used * 2 >= limit && authority.exhausted(open.rule, open.key);
    while (open.alerts < shares.length) {
      const share = shares[open.alerts] as number;
      if (used === 0 || (used < limit * share && !over)) return;
      open.alerts++;
      if (!(await this.#first(open, share))) continue;
      const percent = Math.round(share * 100);
      const budget = open.rule.replace(/^budget:/, '');
      const message = `budget ${budget}: ${percent} % of ${formatCost(limit)} is spent by ${sayKey(open.key)} (${formatCost(used)})${used < limit * share ? '; what is left is less than a request needs' : ''}`;
      notice({
        level: 'warn',
        message,
        attributes: { budget, key: sayKey(open.key), percent, spent: formatCost(used) },
      });
      alerted(budget, share);
    }
  }

  /** Of all processes and nodes one gives an alert: whoever writes it down first. */
  async #first({ rule, key, startedAt }: Open, share: number): Promise<boolean> {
    const store = this.#parts.store();
    if (store === undefined) return true;
    const id = `${this.#periodOf({ rule, key, startedAt })} ${share}`;
    const expiresAt = this.#parts.clock.wall() + REMEMBERED_MS;
    const value = { rule, key: sayKey(key), share };
    const result = await store.write([{ op: 'put', kind: ALERT_KIND, id, value, expect: 0, expiresAt }]);
    return result.ok;
  }
}

const idOf = (rule: string, key: string) => `${rule}\n${key}`;
