/** Simulated nodes that share budgets, with a simulated ledger: journals reach it late, those of dead nodes much later. */
import type { ManualClock } from '../../../kernel/clock.ts';
import type { Use, Weather } from '../leases.fixture.ts';
import { CalendarPeriod } from '../period.ts';
import type { Rule } from '../rule.ts';
import type { Known } from './lines.ts';
import { SimulatedNode, type SimulatedStore } from './nodes.fixture.ts';
import type { LedgerView } from './parts.ts';

/** How often a node reads the ledger, and what is long ago (milliseconds). */
const REFRESH_MS = 10_000;
/** How often journals are pushed (milliseconds). */
const PUSH_MS = 250;
/** A dead node is started again within the first time, or its disk is read within the other (milliseconds). */
const SOON_MS = 5000;
const BACK_MS = 300_000;

/** What was written down by all nodes; `at`: when a request has ended. */
export class SimulatedLedger {
  readonly entries: Use[] = [];

  /** What it has of a period. */
  sum(from: number, to = Number.POSITIVE_INFINITY): number {
    let sum = 0;
    for (const { at, units } of this.entries) if (at >= from && at < to) sum += units;
    return sum;
  }
}

/** A journal: what is pushed to it is in the ledger a little later. */
class Journal extends Array<Use> {
  kept: (use: Use) => void = () => {};

  override push(...uses: Use[]): number {
    for (const use of uses) this.kept(use);
    return 0;
  }
}

/** One node with its view of the ledger. */
export class Spender implements LedgerView {
  readonly node: SimulatedNode;
  /** What has not been pushed yet. */
  #unpushed: Use[] = [];
  readonly #clock: ManualClock;
  readonly #ledger: SimulatedLedger;
  readonly #period: CalendarPeriod;
  #read: { spent: number; readAt: number; heard: number; startedAt: number } | undefined;
  #noted = 0;
  #past = 0;
  #notedAt = 0;
  /** Nothing reaches the ledger until then. */
  #stuckUntil = 0;
  #writtenAt = Number.NEGATIVE_INFINITY;
  /** Who waits for what dead workers wrote. */
  #closing: (() => void)[] = [];

  constructor(clock: ManualClock, rule: Rule, store: SimulatedStore, ledger: SimulatedLedger, weather: Weather) {
    this.#clock = clock;
    this.#ledger = ledger;
    const every = rule.refill.type === 'calendar' ? rule.refill.every : 'month';
    this.#period = new CalendarPeriod(rule.limit, every, 'UTC', clock);
    const journal = new Journal();
    journal.kept = ({ units }) => this.#unpushed.push({ at: clock.wall(), units });
    this.node = new SimulatedNode(clock, rule, store, weather, 2, journal, this);
    clock.every(PUSH_MS, () => {
      if (!this.node.alive) return;
      if (clock.now() >= this.#stuckUntil) this.push();
      const age = clock.now() - (this.#read?.readAt ?? 0);
      if (this.#read?.startedAt !== this.#period.startedAt || age >= REFRESH_MS) this.#look();
      this.#age();
    });
    this.#look();
  }

  /** Units that are not in the ledger yet. */
  get unpushed(): number {
    return this.#unpushed.reduce((sum, { units }) => sum + units, 0);
  }

  known(_rule: string, _key: string, startedAt: number): Known | undefined {
    const read = this.#read;
    if (read === undefined || read.startedAt !== startedAt) return undefined;
    return { known: read.spent, past: this.#past, forgiven: 0, readAt: read.readAt, heard: read.heard };
  }

  async read(): Promise<void> {
    this.#look();
  }

  lost(): void {
    this.#read = undefined;
  }

  writtenAt(): number {
    return this.#writtenAt;
  }

  ended(): boolean {
    return false;
  }

  /** For so long its journal does not reach the ledger. */
  stall(ms: number): void {
    this.#stuckUntil = Math.max(this.#stuckUntil, this.#clock.now() + ms);
  }

  /** Its journal reaches the ledger. */
  push(): void {
    const started = this.#period.startedAt;
    for (const use of this.#unpushed) {
      this.#ledger.entries.push(use);
      if (this.#read !== undefined && use.at >= started) this.#read.spent += use.units;
    }
    this.#unpushed = [];
    this.#writtenAt = this.#clock.now();
    for (const closed of this.#closing.splice(0)) closed();
  }

  /** Dies with its workers; this share of what they had under way is in doubt, and in its journal. */
  kill(share = 1): void {
    this.node.kill();
    for (const { reserved } of this.node.workers) this.#doubt(reserved * share);
    const most = this.#clock.random() < 0.5 ? SOON_MS : BACK_MS;
    this.#clock.after(this.#clock.random() * most, () => {
      this.push();
      this.node.bury();
    });
  }

  /** A worker dies. */
  killWorker(i: number): void {
    this.#doubt(this.node.workers[i]?.reserved ?? 0);
    this.node.killWorker(this.#clock, i, (closed) => this.#closing.push(closed));
  }

  #doubt(units: number): void {
    if (units > 0) this.#unpushed.push({ at: this.#clock.wall(), units });
  }

  #look(): void {
    const { startedAt } = this.#period;
    if (this.#read?.startedAt !== startedAt) this.#noted = this.#past = this.#notedAt = 0;
    const heard = this.node?.store.heard ?? 0;
    this.#read = { spent: this.#ledger.sum(startedAt), readAt: this.#clock.now(), heard, startedAt };
  }

  #age(): void {
    if (this.#read === undefined || this.#clock.now() - this.#notedAt < REFRESH_MS) return;
    this.#past = this.#noted;
    this.#noted = this.#read.spent;
    this.#notedAt = this.#clock.now();
  }
}
