/** Simulated nodes, each with workers, around one simulated store that delays, loses, and is cut off. */
import type { ManualClock } from '../../../kernel/clock.ts';
import { KeyLimits } from '../keylimits.ts';
import { SimulatedWorker, type Use, type Weather } from '../leases.fixture.ts';
import { PooledAuthority } from '../pool.ts';
import type { Rule } from '../rule.ts';
import { ModelStore } from './model.ts';
import type { LedgerView } from './parts.ts';
import { SharedStore } from './store.ts';

/** The store, with what lies between it and the nodes. */
export class SimulatedStore {
  readonly #clock: ManualClock;
  readonly weather: Weather;
  model: ModelStore;
  /** How far its wall clock is off. */
  ahead = 0;
  /** Nobody reaches it. */
  down = false;

  constructor(clock: ManualClock, weather: Weather) {
    this.#clock = clock;
    this.weather = weather;
    this.model = this.#empty();
  }

  /** It has lost all its data. */
  lose(): void {
    this.model = this.#empty();
  }

  /** One call of a node. */
  run(cut: () => boolean, keys: string[], args: string[]): Promise<unknown> {
    const clock = this.#clock;
    const { delayMost, loss, timeout } = this.weather;
    return new Promise((done, failed) => {
      const timer = clock.after(timeout, () => failed(new Error('no answer')));
      if (clock.random() < loss) return;
      clock.after(clock.random() * delayMost, () => {
        if (cut() || this.down) return;
        const answer = this.model.run(keys, args);
        // What comes a second time, and late, is out of order too.
        if (clock.random() < loss) clock.after(clock.random() * timeout, () => this.model.run(keys, args));
        if (clock.random() < loss) return;
        clock.after(clock.random() * delayMost, () => {
          timer.cancel();
          if (!cut()) done(answer);
        });
      });
    });
  }

  /** A node is dead, and all that it has used is in the ledger. */
  bury(name: string): void {
    if (this.down) this.#clock.after(500, () => this.bury(name));
    else this.model.run([], [name, '0', '', '-1', '10000', '2000', '600000', '0.5', 'leave', '1']);
  }

  #empty(): ModelStore {
    return new ModelStore(() => Math.floor(this.#clock.wall() + this.ahead));
  }
}

/** Where there are no budgets. */
const NO_LEDGER: LedgerView = {
  known: () => undefined,
  read: async () => {},
  lost: () => {},
  writtenAt: () => undefined,
  ended: () => true,
};

let names = 0;

/** One node. */
export class SimulatedNode {
  readonly store: SharedStore;
  readonly pool: PooledAuthority;
  readonly workers: SimulatedWorker[] = [];
  readonly #born: () => SimulatedWorker;
  readonly #name: string;
  readonly #store: SimulatedStore;
  /** It does not reach the store. */
  cut = false;
  alive = true;

  constructor(
    clock: ManualClock,
    rule: Rule,
    store: SimulatedStore,
    weather: Weather,
    workers: number,
    uses: Use[],
    ledger: LedgerView = NO_LEDGER,
  ) {
    const name = `node${++names}`;
    this.#name = name;
    this.#store = store;
    this.store = new SharedStore({
      clock,
      node: name,
      prefix: () => '',
      nodes: () => 0,
      notice: () => {},
      keyLimits: new KeyLimits(),
      caughtUp: (anew) => this.pool.caughtUp(anew),
      ledger: () => ledger,
      run: (keys, args) => store.run(() => this.cut || !this.alive, keys, args),
    });
    this.pool = new PooledAuthority(clock, (asks) => this.store.ask(asks));
    this.store.configure([rule]);
    this.pool.configure([rule]);
    void this.store.start();
    let holders = 0;
    this.#born = () => new SimulatedWorker(++holders, clock, rule, this.pool, weather, uses);
    for (let i = 0; i < workers; i++) this.workers.push(this.#born());
  }

  /** Dies with its workers. */
  kill(): void {
    this.alive = false;
    for (const worker of this.workers) worker.alive = false;
    void this.store.close();
  }

  /** Who comes after it says that it is dead, and that all it has used is in the ledger. */
  bury(): void {
    this.#store.bury(this.#name);
  }

  /** A worker dies, and another one comes. `written`: does something when what it wrote is in the ledger. */
  killWorker(
    clock: ManualClock,
    i: number,
    written: (closed: () => void) => void = (closed) => void clock.after(clock.random() * 50, closed),
  ): void {
    const worker = this.workers[i];
    if (worker === undefined) return;
    worker.alive = false;
    const used = worker.written + worker.reserved;
    written(() => {
      this.pool.gone(worker.holder);
      this.pool.closed(worker.holder, () => used);
    });
    this.workers[i] = this.#born();
  }
}
