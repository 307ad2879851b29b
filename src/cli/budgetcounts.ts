/** Budgets where they are counted: by this node, or for all nodes together in a store that they share. */
import type {
  LeaseAsk,
  LedgerView,
  LocalAuthority,
  PooledAuthority,
  Rule,
  SharedStore,
  UsedOf,
} from '../policy/quota/quota.ts';

/** Who knows what was spent of budgets. */
export interface Purse extends LedgerView {
  /** Told of all rules whenever they change. */
  configure(rules: readonly Rule[]): void;
  /** Asked before anything is granted; a promise where something has to be read first. */
  before(asks: readonly LeaseAsk[]): Promise<void> | undefined;
}

/** Nobody. */
export const NO_PURSE: Purse = {
  configure: () => {},
  before: () => undefined,
  known: () => undefined,
  read: async () => {},
  lost: () => {},
  writtenAt: () => undefined,
  ended: () => true,
};

/** See the file's head. */
export class BudgetCounts {
  readonly #authority: LocalAuthority;
  readonly #pool: PooledAuthority;
  readonly #store: () => SharedStore | undefined;

  constructor(authority: LocalAuthority, pool: PooledAuthority, store: () => SharedStore | undefined) {
    this.#authority = authority;
    this.#pool = pool;
    this.#store = store;
  }

  /** Whether all nodes count it together. */
  isShared(rule: string): boolean {
    return this.#pool.has(rule);
  }

  /** Of one that this node counts: units that were told by others than its workers, in the period that began at `startedAt`. */
  setOutside(rule: string, key: string, units: number, startedAt: number): void {
    this.#authority.setOutside(rule, key, units, startedAt);
  }

  /** Units that a key has used in this period, as far as was told. */
  usedOf(rule: string, key: string): number {
    return this.isShared(rule) ? (this.#store()?.usedOf(rule, key) ?? 0) : this.#authority.usedOf(rule, key);
  }

  /** The limit that a key has now. */
  limitOf(rule: Rule, key: string): number {
    return this.#authority.limitOf(rule, key);
  }

  /** A request was refused because what is left is less than it needs, in the period that runs. */
  exhausted(rule: string, key: string): boolean {
    return this.isShared(rule) ? this.#pool.exhausted(rule, key) : this.#authority.exhausted(rule, key);
  }

  /** Time of the store that counts for all nodes, as it was heard last; 0: none. */
  get heard(): number {
    return this.#store()?.heard ?? 0;
  }

  /** What a holder that has died has used is known now. */
  closed(holder: number, usedOf: UsedOf): void {
    this.#authority.closed(holder, usedOf);
    this.#pool.closed(holder, usedOf);
  }
}
