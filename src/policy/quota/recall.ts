/**
 * Before a limit refuses, what lies idle with other holders is called back. Whoever wants for it waits for one round of that: until
 * each of them has answered, or for a moment at most.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { LocalAuthority } from './authority.ts';
import type { Authority, LeaseAsk, LeaseGrant, RecallNote } from './protocol.ts';

/** How long a round may take, and how soon the next one of the same key may begin (milliseconds). */
const ROUND_MS = 200;

/** One round of one key. */
interface Round {
  number: number;
  /** Who has not answered yet. */
  waits: Set<number>;
  over: Promise<void>;
  end(): void;
}

const idOf = ({ rule, key }: { rule: string; key: string }) => `${rule}\n${key}`;

/** Nothing was granted, and waiting is not in vain. */
const refused = (ask: LeaseAsk, { granted, retryAfterMs, lost }: LeaseGrant): boolean =>
  ask.need > 0 && granted === ask.granted && retryAfterMs > 0 && retryAfterMs !== Number.POSITIVE_INFINITY && !lost;

/** See the file's head. */
export class Recall {
  readonly #clock: Clock;
  readonly #authority: LocalAuthority;
  readonly #send: (notes: RecallNote[]) => void;
  readonly #ask: Authority['exchange'];
  /** Those that run, and those that have ended a moment ago. */
  readonly #rounds = new Map<string, Round>();
  #number = 0;

  /** `send` reaches all holders. `ask`: whoever grants when a round is over. */
  constructor(
    clock: Clock,
    authority: LocalAuthority,
    send: (notes: RecallNote[]) => void,
    ask: Authority['exchange'] = (holder, asks) => authority.exchange(holder, asks),
  ) {
    this.#ask = ask;
    this.#clock = clock;
    this.#authority = authority;
    this.#send = send;
  }

  /** As an authority does; a promise where others are asked first. */
  exchange(holder: number, asks: readonly LeaseAsk[]): LeaseGrant[] | Promise<LeaseGrant[]> {
    const grants = this.#authority.exchange(holder, asks);
    let pending: Promise<void>[] | undefined;
    let notes: RecallNote[] | undefined;
    for (let i = 0; i < asks.length; i++) {
      const ask = asks[i] as LeaseAsk;
      // What it had has come back by now.
      if (ask.recalled) this.#answered(holder, ask, ask.recalled);
      if (!refused(ask, grants[i] as LeaseGrant)) continue;
      let round = this.#rounds.get(idOf(ask));
      if (round === undefined) {
        round = this.#begin(holder, ask);
        if (round === undefined) continue;
        notes ??= [];
        notes.push({ rule: ask.rule, key: ask.key, number: round.number });
      } else {
        if (round.waits.size === 0) continue;
        // It wants for more itself.
        this.#heard(round, holder);
      }
      pending ??= [];
      pending.push(round.over);
    }
    if (notes !== undefined) this.#send(notes);
    if (pending === undefined) return grants;
    return Promise.all(pending).then(() => this.#again(holder, asks, grants));
  }

  /** Asks anew for what was refused; what was granted holds. */
  async #again(holder: number, asks: readonly LeaseAsk[], grants: readonly LeaseGrant[]): Promise<LeaseGrant[]> {
    const anew = asks.filter((ask, i) => refused(ask, grants[i] as LeaseGrant));
    const answers = await this.#ask(holder, anew);
    let next = 0;
    return asks.map((ask, i) => (anew[next] === ask ? (answers[next++] as LeaseGrant) : (grants[i] as LeaseGrant)));
  }

  /** Undefined where nobody else has anything. */
  #begin(holder: number, ask: LeaseAsk): Round | undefined {
    const waits = new Set<number>();
    for (const one of this.#authority.holdingsOf(ask.rule, ask.key))
      if (one.holder !== holder && one.granted > one.back) waits.add(one.holder);
    if (waits.size === 0) return undefined;
    let end: () => void = () => {};
    const over = new Promise<void>((done) => {
      end = done;
    });
    const round: Round = { number: ++this.#number, waits, over, end };
    const id = idOf(ask);
    this.#rounds.set(id, round);
    this.#clock.after(ROUND_MS, () => {
      this.#rounds.delete(id);
      round.end();
    });
    return round;
  }

  #answered(holder: number, ask: LeaseAsk, number: number): void {
    const round = this.#rounds.get(idOf(ask));
    if (round !== undefined && number >= round.number) this.#heard(round, holder);
  }

  #heard(round: Round, holder: number): void {
    if (round.waits.delete(holder) && round.waits.size === 0) round.end();
  }
}
