/**
 * Limits while two processes serve, during an upgrade: the new one decides for both. The old one passes on what its workers ask, and
 * is told of all that is granted, so that it can go on if the new one dies.
 */
import type { Clock, Timer } from '../../kernel/clock.ts';
import { holderBefore } from './handover.ts';
import type { LeaseAsk, LeaseGrant, RecallNote } from './protocol.ts';

/** Questions of one holder, each with what is counted by that rule there: another configuration may mean something else. */
interface Batch {
  holder: number;
  asks: readonly LeaseAsk[];
  kinds: readonly string[];
}

/** What the two say to each other. */
export type RelayWord =
  /** Old to new: decide. */
  | ({ type: 'leases'; id: number } & Batch)
  /** Old to new: a holder has died, or ended. */
  | { type: 'holderGone'; holder: number }
  /** New to old: the answer; null where it has no such limit. */
  | { type: 'granted'; id: number; grants: readonly (LeaseGrant | null)[] }
  /** New to old: what it has granted to its own, as the sums in these questions. */
  | ({ type: 'told' } & Batch)
  /** New to old: others want for what lies idle. */
  | { type: 'recall'; notes: readonly RecallNote[] };

/** What of a process is asked and told. */
export interface RelayParts {
  clock: Clock;
  /** Decides here. */
  decide(holder: number, asks: readonly LeaseAsk[]): LeaseGrant[] | Promise<LeaseGrant[]>;
  /** Counts what was granted elsewhere, by the sums of these questions; nothing is granted. */
  note(holder: number, asks: readonly LeaseAsk[]): void;
  gone(holder: number): void;
  /** To all workers. */
  recall(notes: readonly RecallNote[]): void;
  /** What is counted by a rule; undefined: it is counted where both reach it, or not at all. */
  kindOf(rule: string): string | undefined;
}

/** An answer; null: it has no such limit there. Undefined: nobody answers any more. */
type Answer = LeaseGrant | null | undefined;

/** Questions that were passed on. */
interface Pending extends Batch {
  done(grants: readonly Answer[]): void;
}

/** A worker that hears nothing for longer refuses its requests (milliseconds). */
const PATIENCE_MS = 500;

/** To a worker whose question is still on its way: it asks again at once. */
const askAgain = ({ granted, free }: LeaseAsk): LeaseGrant => ({
  granted,
  retryAfterMs: 0,
  ttlMs: Number.POSITIVE_INFINITY,
  free,
  resetMs: 0,
});

/** What is told where nothing is asked: `granted` by somebody else. */
const asTold = (ask: LeaseAsk, { granted }: LeaseGrant): LeaseAsk => ({
  ...ask,
  granted: Math.max(ask.granted, granted),
  need: 0,
  least: 0,
  wish: 0,
});

/** See the file's head. */
export class Relay {
  readonly #parts: RelayParts;
  readonly #pending = new Map<number, Pending>();
  /** The answers to come, by holder, rule and key. */
  readonly #coming = new Map<string, Promise<Answer>>();
  /** Holders of the other process that we know of. */
  readonly #others = new Set<number>();
  #ids = 0;
  #next: ((word: RelayWord) => void) | undefined;
  #before: ((word: RelayWord) => void) | undefined;

  constructor(parts: RelayParts) {
    this.#parts = parts;
  }

  /** Another process decides from now on, and `send` reaches it. */
  leave(send: (word: RelayWord) => void): void {
    this.#next = send;
  }

  /** It has gone: we decide again. What its holders had counts as used. */
  comeBack(): void {
    this.#next = undefined;
    this.#forget();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    this.#coming.clear();
    for (const { done } of pending) done([]);
  }

  /** We decide for the process before us, too, and `send` reaches it. `holders`: those of it that hold something. */
  follow(send: (word: RelayWord) => void, holders: Iterable<number>): void {
    this.#before = send;
    for (const holder of holders) this.#others.add(holderBefore(holder));
  }

  /** The process before us has gone, and what was under way there has ended. */
  unfollow(): void {
    this.#before = undefined;
    this.#forget();
  }

  /** Another process decides. */
  get leaving(): boolean {
    return this.#next !== undefined;
  }

  /** Asks of a holder, decided wherever that is done now. */
  exchange(holder: number, asks: readonly LeaseAsk[]): LeaseGrant[] | Promise<LeaseGrant[]> {
    if (this.#next !== undefined) return this.#passOn(this.#next, holder, asks);
    const grants = this.#parts.decide(holder, asks);
    if (this.#before === undefined || holder < 0) return grants;
    // Before anybody uses it.
    if (grants instanceof Promise) return grants.then((all) => this.#tell(holder, asks, all));
    return this.#tell(holder, asks, grants);
  }

  /** A holder of ours has died, or ended. */
  gone(holder: number): void {
    this.#next?.({ type: 'holderGone', holder });
  }

  /** Others want for what lies idle with workers of the process before us. */
  recall(notes: readonly RecallNote[]): void {
    this.#before?.({ type: 'recall', notes });
  }

  /** The other process has said something. */
  hear(word: RelayWord): void {
    const { note, recall, gone } = this.#parts;
    switch (word.type) {
      case 'leases':
        void this.#answer(word.id, word);
        break;
      case 'holderGone':
        this.#others.delete(holderBefore(word.holder));
        gone(holderBefore(word.holder));
        break;
      case 'granted':
        this.#granted(word.id, word.grants);
        break;
      case 'told': {
        // Late.
        if (this.#next === undefined) break;
        const holder = holderBefore(word.holder);
        this.#others.add(holder);
        note(holder, this.#ours(word));
        break;
      }
      case 'recall':
        recall(word.notes);
        break;
    }
  }

  #forget(): void {
    const others = [...this.#others];
    this.#others.clear();
    for (const holder of others) this.#parts.gone(holder);
  }

  #ours({ asks, kinds }: Batch): LeaseAsk[] {
    return asks.filter(({ rule }, i) => this.#parts.kindOf(rule) === kinds[i]);
  }

  #tell(holder: number, asks: readonly LeaseAsk[], grants: LeaseGrant[]): LeaseGrant[] {
    const told: LeaseAsk[] = [];
    const kinds: string[] = [];
    for (let i = 0; i < asks.length; i++) {
      const ask = asks[i] as LeaseAsk;
      const kind = this.#parts.kindOf(ask.rule);
      if (kind === undefined) continue;
      told.push(asTold(ask, grants[i] as LeaseGrant));
      kinds.push(kind);
    }
    if (told.length > 0) this.#before?.({ type: 'told', holder, asks: told, kinds });
    return grants;
  }

  async #answer(id: number, batch: Batch): Promise<void> {
    const known = this.#ours(batch);
    const holder = holderBefore(batch.holder);
    this.#others.add(holder);
    const grants = known.length === 0 ? [] : await this.exchange(holder, known);
    let next = 0;
    const all = batch.asks.map((ask) => (known[next] === ask ? (grants[next++] as LeaseGrant) : null));
    this.#before?.({ type: 'granted', id, grants: all });
  }

  #granted(id: number, grants: readonly (LeaseGrant | null)[]): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    const { holder, asks, done } = pending;
    for (const ask of asks) this.#coming.delete(idOf(holder, ask));
    const told: LeaseAsk[] = [];
    for (let i = 0; i < asks.length; i++) {
      const grant = grants[i];
      if (grant) told.push(asTold(asks[i] as LeaseAsk, grant));
    }
    this.#parts.note(holder, told);
    done(grants);
  }

  async #passOn(send: (word: RelayWord) => void, holder: number, asks: readonly LeaseAsk[]): Promise<LeaseGrant[]> {
    const { clock, kindOf, decide } = this.#parts;
    const some = asks.filter(({ rule }) => kindOf(rule) !== undefined);
    // Who asks again meanwhile gets the answer that is on its way: sums say what is new.
    const fresh = some.filter((ask) => !this.#coming.has(idOf(holder, ask)));
    if (fresh.length > 0) this.#send(send, { holder, asks: fresh, kinds: fresh.map(({ rule }) => kindOf(rule) ?? '') });
    const coming = Promise.all(some.map((ask) => this.#coming.get(idOf(holder, ask))));
    let timer: Timer | undefined;
    const late = new Promise<'late'>((done) => {
      timer = clock.after(PATIENCE_MS, () => done('late'));
    });
    const answers = await Promise.race([coming, late]);
    timer?.cancel();
    // By whoever decides by now.
    if (answers !== 'late' && answers.includes(undefined)) return this.exchange(holder, asks);
    const found = new Map<LeaseAsk, LeaseGrant>();
    for (let i = 0; i < some.length; i++) {
      const ask = some[i] as LeaseAsk;
      const grant = answers === 'late' ? askAgain(ask) : answers[i];
      if (grant) found.set(ask, grant);
    }
    const own = asks.filter((ask) => !found.has(ask));
    const grants = own.length === 0 ? [] : await decide(holder, own);
    for (let i = 0; i < own.length; i++) found.set(own[i] as LeaseAsk, grants[i] as LeaseGrant);
    return asks.map((ask) => found.get(ask) as LeaseGrant);
  }

  #send(send: (word: RelayWord) => void, batch: Batch): void {
    const id = ++this.#ids;
    const answers = new Promise<readonly Answer[]>((done) => {
      this.#pending.set(id, { ...batch, done });
    });
    batch.asks.forEach((ask, i) => {
      this.#coming.set(
        idOf(batch.holder, ask),
        answers.then((all) => all[i]),
      );
    });
    send({ type: 'leases', id, ...batch });
  }
}

const idOf = (holder: number, { rule, key }: LeaseAsk): string => `${holder}\n${rule}\n${key}`;
