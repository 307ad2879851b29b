/**
 * What a node grants while it does not reach the store: no more than its part of what was free. A shadow of what it does all along
 * tells it what it has used itself.
 */
import type { Clock } from '../../../kernel/clock.ts';
import { LocalAuthority } from '../authority.ts';
import type { LeaseAsk, LeaseGrant } from '../protocol.ts';
import type { Rule } from '../rule.ts';

/** See the file's head. */
export class Alone {
  readonly #shadow: LocalAuthority;
  /** Keys of which the shadow has been told that others may have used what was free. */
  readonly #cut = new Set<string>();

  constructor(clock: Clock) {
    this.#shadow = new LocalAuthority(clock);
  }

  /** Goes over to these rules. */
  configure(rules: readonly Rule[]): void {
    this.#shadow.configure(rules);
  }

  /** A key has another limit; no more than its part of the usual one is granted here. */
  limitKey({ name, limit: usual }: Rule, key: string, limit: number): void {
    this.#shadow.limitKey(name, key, limit < usual ? limit : undefined);
  }

  /** There are so many nodes. */
  divide(nodes: number): void {
    this.#shadow.divide(nodes);
  }

  /** A question that the store is asked: what it says was used counts here too. */
  hear(ask: LeaseAsk): void {
    this.#free(ask);
  }

  /** Units that this node has used or holds. */
  counted({ rule, key }: LeaseAsk): number {
    return this.#shadow.counted(rule, key);
  }

  /** The store is reached again. */
  end(): void {
    this.#cut.clear();
  }

  /** One of so many nodes grants by itself. `left`: of a budget, what the ledger leaves of it for all of them; infinite otherwise. */
  grant(ask: LeaseAsk, nodes: number, left: number): LeaseGrant {
    const { rule, key, home } = ask;
    const id = `${rule}\n${key}`;
    // Of what was free when the store last spoke of it, the others may take their parts too.
    const free = Math.min(home === '' ? Number.POSITIVE_INFINITY : ask.free, left);
    if (!this.#cut.has(id) && free !== Number.POSITIVE_INFINITY) {
      this.#cut.add(id);
      this.#shadow.spend(rule, key, this.#free(ask) - Math.floor(free / nodes));
    }
    if (left !== Number.POSITIVE_INFINITY)
      this.#shadow.spend(rule, key, this.#free(ask) - Math.max(0, Math.floor(left)));
    const [grant] = this.#shadow.exchange(0, [ask]) as [LeaseGrant];
    return grant;
  }

  #free(ask: LeaseAsk): number {
    const [{ free }] = this.#shadow.exchange(0, [{ ...ask, need: 0, wish: 0 }]) as [LeaseGrant];
    return free;
  }
}
