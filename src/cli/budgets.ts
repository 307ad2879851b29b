/**
 * Budgets of this node: what was spent before this process began, or by other nodes, is read from the ledger and counted by
 * the authority beside what its own workers tell; and somebody is told when a share of a budget is spent.
 */
import { CalendarPeriod, type Known, type LeaseAsk, type Rule, sayKey } from '../policy/quota/quota.ts';
import type { Ledger, LedgerEntry } from '../store/ledger.ts';
import { BudgetAlerts } from './budgetalerts.ts';
import { isDue } from './budgetdue.ts';
import { BudgetList } from './budgetlist.ts';
import { type BudgetParts, noteSpent, type Open, periodOf, REMEMBERED_MS } from './budgetopen.ts';
import { keyOf, spentOf } from './spent.ts';

/** Keys that are read again at once. */
const REFRESH_MOST = 500;
/** Documents that say how much of what was spent is forgotten. */
const FORGIVEN_KIND = 'budgetForgiven';
/** Keys that are looked after at once; beyond, those of periods that are over are forgotten. */
const OPEN_MAX = 100_000;

/** See the file's head. */
export class Budgets {
  readonly #parts: BudgetParts;
  readonly #open = new Map<string, Open>();
  readonly #opening = new Map<string, Promise<void>>();
  /** Key of a budget → process of ours → what it has written to the ledger since it began. */
  readonly #written = new Map<string, Map<number, number>>();
  readonly #periods = new Map<string, CalendarPeriod>();
  readonly #alerts: BudgetAlerts;
  readonly #list = new BudgetList();
  /** How often the store that counts for all nodes has lost its data. */
  #losses = 0;
  #rules: Rule[] = [];
  #looking: Promise<void> | undefined;
  /** Budgets that all nodes count together. */
  #shared: ReadonlySet<string> = new Set();
  /** Others may have written to the ledger of this store. */
  #stale = false;

  constructor(parts: BudgetParts) {
    this.#parts = parts;
    this.#alerts = new BudgetAlerts(parts);
  }

  /** Goes over to these rules; those that are no budgets are left out. */
  configure(rules: readonly Rule[]): void {
    const before = new Map(this.#rules.map(({ name, refill }) => [name, JSON.stringify(refill)]));
    // Of a name that comes twice the later one holds.
    const named = new Map(rules.map((rule) => [rule.name, rule]));
    this.#rules = [...named.values()].filter(({ budget }) => budget !== undefined);
    const shared = new Set(this.#rules.map(({ name }) => name).filter((name) => this.#parts.counts.isShared(name)));
    const moved = (name: string) => this.#shared.has(name) !== shared.has(name);
    const periods = new Map(this.#periods);
    this.#periods.clear();
    for (const { name, limit, refill } of this.#rules) {
      const period = periods.get(name);
      if (period !== undefined && before.get(name) === JSON.stringify(refill) && !moved(name)) {
        this.#periods.set(name, period);
        continue;
      }
      // Its counters begin anew, and so does what is known of its past.
      this.#list.forget(name);
      for (const [id, { rule }] of this.#open) if (rule === name) this.#open.delete(id);
      for (const id of this.#written.keys()) if (id.startsWith(idOf(name, ''))) this.#written.delete(id);
      if (refill.type === 'calendar')
        this.#periods.set(name, new CalendarPeriod(limit, refill.every, refill.timeZone, this.#parts.clock));
    }
    this.#shared = shared;
  }

  /** What the ledger says of a key, for the store that counts it for all nodes. */
  known(rule: string, key: string, startedAt: number): Known | undefined {
    const open = this.#open.get(idOf(rule, key));
    if (open === undefined || open.startedAt !== startedAt) return undefined;
    const { spent, reserved, past, forgiven, countedAt, heard } = open;
    const own = this.#parts.store()?.driver !== 'postgres';
    // Nobody else writes to a store of our own: it is always up to date, and says nothing of what other nodes have spent.
    const read = own ? { readAt: this.#parts.clock.now(), heard: 0 } : { readAt: countedAt, heard };
    return { known: spent + reserved, past, forgiven, ...read };
  }

  /** Reads it anew. */
  async read(rule: string, key: string): Promise<void> {
    const id = idOf(rule, key);
    // What is being read may have been so before it was lost.
    await this.#opening.get(id)?.catch(() => {});
    this.#open.delete(id);
    await this.#opened(rule, key);
  }

  /** The store that counts for all nodes has lost its data: what was read before that may be less than what it had. */
  lost(): void {
    this.#losses++;
    for (const [id, { rule }] of this.#open) if (this.#shared.has(rule)) this.#open.delete(id);
  }

  /** All that workers of ours had used by then (monotonic) is in the ledger; undefined: there are no budgets. */
  writtenAt(): number | undefined {
    return this.#rules.length === 0 ? undefined : this.#parts.writtenAt();
  }

  /** Nothing will be spent here any more, and all that was is in the ledger. */
  ended(): boolean {
    return this.#rules.length === 0 || this.#parts.ended();
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
    this.#parts.counts.closed(holder, usedOf);
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
        id: periodOf(open),
        value: { rule, key: sayKey(key), cost: open.spent },
      };
      const expiresAt = this.#parts.clock.wall() + REMEMBERED_MS;
      await this.#parts.store()?.write([{ ...put, expiresAt }], { who, what: 'limits.release' });
    });
  }

  /** Counts what others have spent, and gives alerts. To be called every second or so. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { inTurn } = this.#parts;
    await this.#openListed().catch(() => {});
    const beside = this.#beside();
    const stale = this.#stale;
    this.#stale = false;
    for (const [id, open] of this.#open)
      if (this.#periods.get(open.rule)?.startedAt !== open.startedAt) this.#open.delete(id);
    const due: Open[] = [];
    // What is under way beside us ends at any time, and costs less then.
    for (const [id, open] of this.#open) {
      const rule = this.#rules.find(({ name }) => name === open.rule);
      if (stale || open.reserved > 0 || beside.has(id) || isDue(this.#parts, open, rule, this.#shared.has(open.rule)))
        due.push(open);
    }
    // Those that have waited longest first.
    if (due.length > REFRESH_MOST) due.sort((one, other) => one.countedAt - other.countedAt);
    // One at a time, and alerts beside: while they are written, or hundreds of keys are counted, the ledger must not fall behind.
    for (const open of due.slice(0, REFRESH_MOST)) await inTurn(() => this.#count(open, beside)).catch(() => {});
    if (stale && due.length > REFRESH_MOST) this.#stale = true;
    for (const open of this.#open.values()) {
      noteSpent(open, this.#parts.clock.now());
      const rule = this.#rules.find(({ name }) => name === open.rule);
      if (rule !== undefined) await this.#alerts.look(rule, open).catch(() => {});
    }
  }

  /** What all nodes count together is known where they count it. */
  async #openListed(): Promise<void> {
    const ledger = this.#parts.store()?.ledger;
    if (ledger === undefined) return;
    const own = this.#rules.filter(({ name }) => !this.#shared.has(name));
    const listed = await this.#list.next(ledger, own, (rule) => this.#periods.get(rule)?.startedAt);
    for (const { rule, key } of listed) await this.#opened(rule, key);
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
    // Another turn has read it, and since then what our workers spend of it counts as ours.
    if (this.#open.get(id)?.startedAt === startedAt) return;
    const losses = this.#losses;
    // What stood in the ledger before this, and is ours, came from a key that was forgotten: it counts as that of others.
    const none = {
      own: 0,
      spent: 0,
      reserved: 0,
      forgiven: 0,
      countedAt: 0,
      heard: 0,
      usedThen: 0,
      alerts: 0,
      alertsOf: 0,
    };
    const aged = { noted: 0, past: 0, notedAt: 0 };
    const open: Open = { rule, key, startedAt, ...none, ...aged };
    const forgiven = await this.#parts.store()?.get<{ cost: number }>(FORGIVEN_KIND, periodOf(open));
    if (forgiven !== undefined) open.forgiven = forgiven.value.cost;
    await this.#count(open, this.#beside());
    if (losses !== this.#losses) {
      await this.#read(id, rule, key);
      return;
    }
    if (this.#open.size >= OPEN_MAX && !this.#makeRoom()) return;
    this.#open.set(id, open);
    if (!this.#written.has(id) && this.#written.size < OPEN_MAX) this.#written.set(id, new Map());
  }

  /** What is counted elsewhere may be read again. */
  #makeRoom(): boolean {
    const [first] = this.#open;
    return first !== undefined && this.#shared.has(first[1].rule) && this.#open.delete(first[0]);
  }

  /** What is in the ledger and was not told by workers of ours is counted. */
  async #count(open: Open, beside: ReadonlyMap<string, number>): Promise<void> {
    const found = this.#rules.find(({ name }) => name === open.rule);
    const ledger: Ledger | undefined = this.#parts.store()?.ledger;
    if (found?.budget === undefined) return;
    if (ledger === undefined) throw new Error('there is no store to read what was spent from');
    const { clock, counts } = this.#parts;
    const readAt = clock.now();
    const { heard } = counts;
    open.spent = await spentOf(ledger, found, open.key, open.startedAt);
    open.countedAt = readAt;
    open.heard = heard;
    open.reserved = beside.get(idOf(open.rule, open.key)) ?? 0;
    const outside = Math.max(0, open.spent - open.own - open.forgiven) + open.reserved;
    counts.setOutside(open.rule, open.key, outside, open.startedAt);
    open.usedThen = counts.usedOf(open.rule, open.key);
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
}

const idOf = (rule: string, key: string) => `${rule}\n${key}`;
