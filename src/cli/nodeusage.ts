/** What requests have used, on this node: journals of workers into the ledger, budgets by it, and alerts. */
import type { AdminLimits } from '../admin/handle.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { sayKey } from '../policy/quota/quota.ts';
import { JournalReader } from '../store/journalreader.ts';
import type { Ledger } from '../store/ledger.ts';
import type { Store } from '../store/store.ts';
import { Budgets } from './budgets.ts';
import { lives } from './lives.ts';
import type { NodeLimits } from './nodelimits.ts';
import { Overrides, sayAmount } from './overrides.ts';

/** How often budgets and overrides are looked at (milliseconds). */
const LOOK_MS = 1000;

/** What it is made of. */
export interface NodeUsageParts {
  clock: Clock;
  /** Data directory. */
  folder: string;
  /** Name of this start, which journals of our workers begin with. */
  owner: string;
  limits: NodeLimits;
  store(): Store | undefined;
  notice(notice: NoticeEvent): void;
  metrics: UsageMetrics;
}

/** Where it counts. */
export interface UsageMetrics {
  /** Entries that are in the ledger now and were not before; others were there already. */
  entries(fresh: number, repeated: number): void;
  /** So many of them were under way when their worker died. */
  inDoubt(entries: number): void;
  /** A share of a budget was spent. */
  alerted(budget: string, share: number): void;
  /** For how long entries have waited for the store. */
  lag(seconds: number): void;
}

/** See the file's head. */
export class NodeUsage {
  readonly reader: JournalReader;
  readonly budgets: Budgets;
  readonly overrides: Overrides;
  readonly #parts: NodeUsageParts;
  /** Workers that have died, and whose journals may not be in the ledger yet. */
  readonly #dead: { readonly worker: number; readonly pid: number }[] = [];
  #timer: Timer | undefined;

  constructor(parts: NodeUsageParts) {
    this.#parts = parts;
    const { clock, folder, owner, limits, store, notice, metrics } = parts;
    this.reader = new JournalReader({
      folder,
      clock,
      ledger: () => store()?.ledger,
      alive: lives,
      took: (entries, writer, fresh) => {
        metrics.entries(fresh, entries.length - fresh);
        this.budgets.took(entries, writer.owner === owner ? writer.pid : undefined);
      },
      inDoubt: (entries, { pid }) => {
        metrics.inDoubt(entries.length);
        const message = `${entries.length} requests were under way when worker process ${pid} died: they are in the ledger as in_doubt, with what was reserved for them`;
        notice({ level: 'warn', message, attributes: { pid, requests: entries.length } });
      },
      trouble: (message) => notice({ level: 'error', message }),
      well: () => notice({ level: 'info', message: 'usage is taken into the ledger again' }),
    });
    this.budgets = new Budgets({
      clock,
      counts: limits.budgets,
      store,
      beside: () => this.reader.openBeside(owner),
      writtenAt: () => this.reader.writtenAt,
      ended: () => this.reader.ended,
      inTurn: (body) => this.reader.inTurn(body),
      notice,
      alerted: (budget, share) => metrics.alerted(budget, share),
    });
    this.overrides = new Overrides({ clock, limits, store, budgets: this.budgets, notice });
    limits.purse = this.budgets;
    this.budgets.configure(limits.rules);
  }

  /** Takes in what was left behind, before the first worker starts; journals are read from here on. */
  async start(): Promise<void> {
    await this.reader.look();
    await this.overrides.load();
    this.reader.start();
    this.#timer = this.#parts.clock.every(LOOK_MS, () => {
      void this.budgets.look();
      void this.overrides.look();
      if (this.#dead.length > 0) void this.#close();
    });
  }

  /** A worker has gone for good. */
  gone(worker: number, pid: number): void {
    this.#dead.push({ worker, pid });
    void this.#close();
  }

  /** What workers that have died held of budgets comes back when all that they wrote is in the ledger; until then it stays held. */
  async #close(): Promise<void> {
    const dead = [...this.#dead];
    if (!(await this.reader.look())) return;
    for (const one of dead) {
      if (!this.#dead.includes(one)) continue;
      this.#dead.splice(this.#dead.indexOf(one), 1);
      this.budgets.closed(one.worker, one.pid);
    }
  }

  /** The ledger, where one is open. */
  get ledger(): Ledger | undefined {
    return this.#parts.store()?.ledger;
  }

  /** What the admin API may see and change. */
  get desk(): AdminLimits {
    const { limits } = this.#parts;
    const { overrides } = this;
    return {
      list: async (most) => ({
        nodes: nodesOf(limits),
        limits: (await limits.standings(most)).map((one) => ({
          rule: one.rule,
          key: sayKey(one.key),
          unit: one.unit,
          limit: sayAmount(one, one.limit),
          used: sayAmount(one, Math.max(0, one.limit - one.free)),
          free: sayAmount(one, Math.max(0, one.free)),
          // Of nothing everything is used.
          share: one.limit <= 0 ? 1 : Math.round((1 - one.free / one.limit) * 1000) / 1000,
          resetMs: Math.round(one.resetMs),
        })),
        overrides: overrides.list().map(({ rule, key, limit, until }) => {
          const unit = limits.rules.find(({ name }) => name === rule)?.unit ?? 'requests';
          return { rule, key: sayKey(key), limit: sayAmount({ unit }, limit), until: new Date(until).toISOString() };
        }),
      }),
      raise: (order, who) => overrides.raise(order, who),
      restore: ({ rule, key }, who) => overrides.restore(rule, key, who),
      release: ({ rule, key }, who) => overrides.release(rule, key, who),
    };
  }

  /** Brings metrics up to date. */
  measure(): void {
    const { metrics, clock, store } = this.#parts;
    metrics.lag(store() === undefined ? 0 : (clock.now() - this.reader.caughtUpAt) / 1000);
  }

  /** The workers have ended: takes in the last of what they have written. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.reader.close();
  }
}

/** How many nodes share limits, and how many of them are missing; undefined where there is nothing to share them in. */
function nodesOf(limits: NodeLimits): { all: number; missing: number } | undefined {
  const { store } = limits.status();
  return store?.up ? { all: store.nodes, missing: store.missing } : undefined;
}
