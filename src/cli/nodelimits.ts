/**
 * The limits of this node, kept in step with the configuration: what it counts by itself, and with `redis` what all nodes count
 * together. Workers ask one service for both.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { limitsOf, storedRules } from '../gatehouse.ts';
import {
  allRules,
  type Counted,
  Inspector,
  isLong,
  JournalStore,
  KeyLimits,
  LEASE_SCRIPT,
  type LeaseAsk,
  type LeaseGrant,
  LocalAuthority,
  lostGrant,
  Nearest,
  PooledAuthority,
  Recall,
  type RecallNote,
  Relay,
  type RelayWord,
  type Rule,
  SharedStore,
  type Standing,
  storeTag,
} from '../policy/quota/quota.ts';
import { askEach } from './askeach.ts';
import { BudgetCounts, NO_PURSE, type Purse } from './budgetcounts.ts';
import type { LimitsStatus, NodeLimitsParts } from './limitparts.ts';
import type { Predecessor } from './successor.ts';

/** Name of the service that workers ask for leases. */
export const QUOTA_SERVICE = 'quota';

/** Every limit of a configuration. */
const rulesOf = (config: Config) => allRules(limitsOf(config));

/** See the file's head. */
export class NodeLimits {
  readonly authority: LocalAuthority;
  /** Who decides while two processes serve. */
  readonly relay: Relay;
  /** Knows what was spent of budgets. */
  purse: Purse = NO_PURSE;
  /** Where they are counted. */
  readonly budgets: BudgetCounts;
  readonly #parts: NodeLimitsParts;
  readonly #recall: Recall;
  readonly #pool: PooledAuthority;
  readonly #long: PooledAuthority;
  readonly #keyLimits = new KeyLimits();
  /** What the limits that are no budgets count. */
  readonly #kinds = new Map<string, string>();
  readonly #inspector: Inspector;
  #journal: JournalStore | undefined;
  #store: SharedStore | undefined;
  #config: Config;
  #next: Config | undefined;
  #epoch = -1;
  #asks = 0;
  #started = false;

  constructor(parts: NodeLimitsParts) {
    this.#parts = parts;
    this.authority = new LocalAuthority(parts.clock, undefined, this.#keyLimits);
    this.#inspector = new Inspector(
      (script, keys, args) => this.#run(script, keys, args),
      () => storeTag(parts.redis()?.prefix ?? ''),
    );
    this.#pool = new PooledAuthority(parts.clock, async (asks) => this.#store?.ask(asks) ?? asks.map(lostGrant));
    this.#long = new PooledAuthority(parts.clock, async (asks) => this.#journal?.ask(asks) ?? asks.map(lostGrant));
    this.budgets = new BudgetCounts(this.authority, this.#pool, () => this.#store);
    const recall = (notes: readonly RecallNote[]) => parts.services.push(QUOTA_SERVICE, notes);
    this.relay = new Relay({
      clock: parts.clock,
      decide: (holder, asks) => this.#exchange(holder, asks),
      note: (holder, asks) => this.authority.exchange(holder, asks),
      gone: (holder) => this.gone(holder),
      recall,
      kindOf: (rule) => (this.#pool.has(rule) ? undefined : this.#kinds.get(rule)),
    });
    const called = (notes: RecallNote[]) => {
      recall(notes);
      this.relay.recall(notes);
    };
    this.#recall = new Recall(parts.clock, this.authority, called, (holder, asks) =>
      this.relay.leaving ? this.relay.exchange(holder, asks) : this.authority.exchange(holder, asks),
    );
    this.#config = parts.config;
    this.#configure();
    parts.services.publish(QUOTA_SERVICE, () => []);
    parts.services.provide(QUOTA_SERVICE, (payload, worker) => {
      const asks = payload as LeaseAsk[];
      if (this.#epoch !== this.#parts.registry.epoch) this.#configure();
      const first = this.purse.before(asks);
      const { relay } = this;
      return first === undefined ? relay.exchange(worker, asks) : first.then(() => relay.exchange(worker, asks));
    });
  }

  /** Reaches the store, if there is one; resolves when it was reached, or was not. `before`: the process whose place we take. */
  async start(before?: Predecessor): Promise<void> {
    if (before !== undefined) this.#takeOver(await before.counted(), before);
    this.#started = true;
    this.#open();
    await this.#parts.redis()?.opened;
    await this.#store?.start();
  }

  /** A configuration is about to be tried: workers may ask about its limits from now on, and still about the old ones. */
  prepare(config: Config): void {
    this.#next = config;
    this.#configure();
  }

  /** It is in force, or was refused. */
  settle(accepted: boolean): void {
    if (accepted && this.#next !== undefined) this.#config = this.#next;
    this.#next = undefined;
    this.#configure();
  }

  /** Every rule in force. */
  get rules(): Rule[] {
    return [...storedRules(this.#parts.registry), ...rulesOf(this.#config)];
  }

  /** Counters that are not empty, those with the smallest share free first. Of a store that is not reached none are known. */
  async standings(most: number): Promise<Standing[]> {
    const nearest = new Nearest(most);
    const limitOf = (rule: Rule, key: string) => this.#keyLimits.of(rule, key);
    const shared = [...(this.#store?.rules.values() ?? [])];
    for (const all of [
      this.authority.standings(most),
      this.#journal?.standings(most) ?? [],
      shared.length === 0 ? [] : await this.#inspector.standings(shared, limitOf, most).catch(() => []),
    ])
      for (const one of all) nearest.add(one);
    return nearest.list();
  }

  /** The key of a rule that fits, among those that are counted. Rejects when the store is needed and not reached. */
  async keyNamed(rule: string, fits: (key: string) => boolean): Promise<string | undefined> {
    const shared = this.#store?.rules.get(rule);
    if (shared !== undefined) return this.#pool.keyNamed(rule, fits) ?? this.#inspector.keyNamed(shared, fits);
    const long = this.#journal?.ruleNamed(rule);
    return long === undefined ? this.authority.keyNamed(rule, fits) : this.#journal?.keyNamed(long, fits);
  }

  /** The limit that a key has now, whether it was seen before or not. */
  limitOf(rule: Rule, key: string): number {
    return this.#keyLimits.of(rule, key);
  }

  /** Gives one key a limit of its own, or takes it away (undefined), wherever it is counted. */
  limitKey(name: string, key: string, limit: number | undefined): void {
    this.authority.limitKey(name, key, limit);
    const shared = this.#store?.rules.get(name)?.rule;
    if (shared !== undefined) this.#store?.limitKey(shared, key, this.#keyLimits.of(shared, key));
  }

  /**
   * Forgets what was counted for a key, but not what is held. Returns whether there was something. Rejects when the store is needed
   * and not reached, or the disk.
   */
  async release(name: string, key: string): Promise<boolean> {
    const shared = this.#store?.rules.get(name)?.rule;
    if (shared !== undefined) return this.#inspector.release(shared, key);
    if (this.#long.has(name)) return this.#journal?.forget(name, key) ?? false;
    return this.authority.release(name, key);
  }

  /** A worker has gone for good. */
  gone(worker: number): void {
    this.authority.gone(worker);
    this.#pool.gone(worker);
    this.#long.gone(worker);
    this.relay.gone(worker);
  }

  /** Another process is to take over, which `send` reaches: says what is counted, and asks it from now on. */
  handOver(send: (word: RelayWord) => void): Counted[] {
    // What lies idle is written down at once; what workers hold of it counts as used there.
    void this.#long.close();
    this.#journal?.release();
    this.relay.leave(send);
    return this.authority.handOver();
  }

  /** It has gone again. */
  takeBack(): void {
    this.#open();
    this.relay.comeBack();
  }

  status(): LimitsStatus {
    const keys = this.authority.size + this.#pool.size + (this.#journal?.size ?? 0);
    return { keys, evicted: this.authority.evicted, asks: this.#asks, store: this.#store?.status };
  }

  /** Gives everything back. */
  async close(): Promise<void> {
    await this.#long.close();
    this.#journal?.close();
    await this.#pool.close();
    await this.#store?.close();
  }

  #takeOver(counted: readonly Counted[], before: Predecessor): void {
    this.authority.takeOver(counted);
    const holders = counted.flatMap(({ holdings }) => (holdings ?? []).map(({ holder }) => holder));
    this.relay.follow(before.send, holders);
    before.hear((word) => this.relay.hear(word));
    // Its workers may let their last requests end without it.
    before.gone(() => this.#parts.clock.after(this.#config.drainTimeout, () => this.relay.unfollow()));
  }

  /** Of a name that comes twice the later one holds: the configuration before the store, the next before the one in force. */
  #configure(): void {
    const { clock, notice, redis, registry, roll } = this.#parts;
    this.#epoch = registry.epoch;
    const next = this.#next === undefined ? [] : rulesOf(this.#next);
    const rules: Rule[] = [...storedRules(registry), ...rulesOf(this.#config), ...next];
    const settings = (this.#next ?? this.#config).redis;
    if (settings !== undefined && this.#store === undefined) {
      this.#store = new SharedStore({
        clock,
        notice,
        node: randomBytes(9).toString('base64url'),
        prefix: () => redis()?.prefix ?? '',
        nodes: () => (this.#next ?? this.#config).redis?.nodes ?? 0,
        run: (keys, args) => this.#run(LEASE_SCRIPT, keys, args),
        caughtUp: (anew) => this.#pool.caughtUp(anew),
        keyLimits: this.#keyLimits,
        ledger: () => this.purse,
        roll,
      });
    } else if (settings === undefined && this.#store !== undefined) {
      void this.#store.close();
      this.#store = undefined;
    }
    const shared = settings === undefined ? [] : rules.filter(({ scope }) => scope === 'shared');
    // What was spent of a budget is known by the ledger.
    const kept = (rule: Rule) => isLong(rule) && rule.budget === undefined;
    const own = rules.filter((rule) => !shared.includes(rule) && !kept(rule));
    const long = rules.filter((rule) => !shared.includes(rule) && kept(rule));
    if (long.length > 0 && this.#journal === undefined) {
      this.#journal = new JournalStore(join(this.#parts.folder, 'limits.jsonl'), clock, notice, this.#keyLimits);
      this.#open();
    }
    this.#journal?.configure(long);
    this.#long.configure(long);
    this.#store?.configure(shared);
    this.#pool.configure(shared);
    this.authority.configure(own);
    this.#kinds.clear();
    for (const { name, unit, refill, budget } of rules)
      if (budget === undefined) this.#kinds.set(name, JSON.stringify([unit, refill]));
    this.purse.configure(rules);
  }

  async #run(script: string, keys: string[], args: string[]): Promise<unknown> {
    const link = this.#parts.redis();
    if (link === undefined) throw new Error('none is configured');
    // On its way, it is not missed yet.
    if (!link.ready) await link.opened;
    return link.script(script, keys, args);
  }

  /** Not before the process before us has let go of the file. */
  #open(): void {
    if (!this.#started) return;
    try {
      this.#journal?.open();
    } catch (error) {
      const message = `limits of an hour and more are refused, their file cannot be used: ${(error as Error).message}`;
      this.#parts.notice({ level: 'error', message });
    }
  }

  #exchange(worker: number, asks: readonly LeaseAsk[]): LeaseGrant[] | Promise<LeaseGrant[]> {
    this.#asks += asks.length;
    const of = asks.map(({ rule }) => (this.#pool.has(rule) ? 1 : this.#long.has(rule) ? 2 : 0));
    if (of.every((one) => one === 0)) return this.#recall.exchange(worker, asks);
    return askEach([this.#recall, this.#pool, this.#long], of, worker, asks);
  }
}
