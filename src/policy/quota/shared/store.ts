/**
 * A node's way to the store that several nodes share. While it answers, it alone decides. While it does not, a rule refuses or
 * goes on with this node's part, as it says (FAULTS.md row 31): the shadow, an authority that has been told of everything all
 * along, grants of it. When the store is there again, it is told all that was used before this node counts as present.
 */
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { NoticeEvent } from '../../../kernel/event.ts';
import { LocalAuthority } from '../authority.ts';
import type { KeyLimits } from '../keylimits.ts';
import type { LeaseAsk, LeaseGrant } from '../protocol.ts';
import type { Rule } from '../rule.ts';
import { accountPrefix, type StoredRule, storedRules, storeTag } from './inspect.ts';
import { askFields, readGrant, storeAsk } from './lines.ts';

/** Runs the script; rejects when the store does not answer in time. */
export type RunScript = (keys: string[], args: string[]) => Promise<unknown>;

/** What a `SharedStore` is made of. */
export interface SharedStoreParts {
  clock: Clock;
  run: RunScript;
  /** Name of this node, of this start of it: no other ever bears it. */
  node: string;
  /** Begins every key. */
  prefix(): string;
  /** Nodes that there are at least. 0: as many as have been seen. */
  nodes(): number;
  notice(notice: NoticeEvent): void;
  /** Whether all that was used has been told. */
  told(): boolean;
  /** Keys that have other limits. */
  keyLimits: KeyLimits;
}

/** How it goes, for metrics. */
export interface SharedStoreStatus {
  up: boolean;
  nodes: number;
  asks: number;
  failures: number;
  /** Milliseconds that answers have taken together, and how many there were. */
  waitedMs: number;
  answers: number;
  /** Grants of this node's part, while the store was gone. */
  own: number;
}

/** How long a node may use what it has leased, without hearing from the store (milliseconds). */
export const NODE_LEASE_MS = 10_000;
/** How often a node says that it is there; after how long it is missed; and after how long it is forgotten. */
export const BEAT_MS = 500;
const MISSING_MS = 2000;
const FORGET_MS = 600_000;
/** When a node begins to spend its own part: the others have missed it by then, and leave it its part. */
export const ALONE_MS = 3000;
/** Questions in one script: what a store does meanwhile is nothing else. */
const BATCH = 64;
/** Scripts on their way at once. What comes meanwhile goes together. */
const FLYING = 2;

interface Waiting {
  ask: LeaseAsk;
  done(grant: LeaseGrant): void;
}

/** See the file's head. */
export class SharedStore {
  readonly #parts: SharedStoreParts;
  readonly #shadow: LocalAuthority;
  #rules = new Map<string, StoredRule>();
  readonly #status: SharedStoreStatus = { up: false, nodes: 0, asks: 0, failures: 0, waitedMs: 0, answers: 0, own: 0 };
  readonly #timer: Timer;
  #queue: Waiting[] = [];
  #flying = 0;
  #beating = false;
  /** Has told everything since it could last be reached, and counts as present. */
  #present = false;
  /** Time of the store and which data it has, in its last answer, and when that was asked for. */
  #seen = 0;
  #home = '';
  #askedAt: number;
  /** Names of the nodes last seen. */
  #names: string[] = [];
  /** Keys of which the shadow has been told that others may have used what was free. */
  #cut = new Set<string>();
  #closed = false;

  /** Call `start`. */
  constructor(parts: SharedStoreParts) {
    this.#parts = parts;
    this.#shadow = new LocalAuthority(parts.clock);
    this.#askedAt = parts.clock.now();
    this.#timer = parts.clock.every(BEAT_MS, () => void this.#beat());
  }

  /** Resolves when the store has been reached, or has not. */
  start(): Promise<void> {
    return this.#beat();
  }

  /** Goes over to these rules. */
  configure(rules: readonly Rule[]): void {
    this.#shadow.configure(rules);
    this.#rules = storedRules(rules, this.#rules, this.#parts.clock);
  }

  /** Rules in force. */
  get rules(): ReadonlyMap<string, StoredRule> {
    return this.#rules;
  }

  /** A key has another limit. Without the store a node gives no more than its part of the usual one. */
  limitKey({ name, limit: usual }: Rule, key: string, limit: number): void {
    this.#shadow.limitKey(name, key, limit < usual ? limit : undefined);
  }

  get status(): Readonly<SharedStoreStatus> {
    return this.#status;
  }

  /** One batch; answers in the same order. Never rejects. */
  ask(asks: readonly LeaseAsk[]): Promise<LeaseGrant[]> {
    return Promise.all(
      asks.map(
        (ask) =>
          new Promise<LeaseGrant>((done) => {
            this.#queue.push({ ask, done });
            if (this.#queue.length === 1) queueMicrotask(() => this.#flush());
          }),
      ),
    );
  }

  /** Leaves: the others need not miss this node. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer.cancel();
    if (this.#status.up) await this.#run('leave', [], []).catch(() => {});
  }

  #flush(): void {
    if (!this.#status.up) {
      const all = this.#queue;
      this.#queue = [];
      for (const { ask, done } of all) done(this.#alone(ask));
      return;
    }
    while (this.#queue.length > 0 && this.#flying < FLYING) {
      const batch = this.#queue.splice(0, BATCH);
      this.#flying++;
      void this.#send(batch).finally(() => {
        this.#flying--;
        this.#flush();
      });
    }
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    const keys: string[] = [];
    const fields: string[] = [];
    const sent: Waiting[] = [];
    for (const one of batch) {
      const { ask, done } = one;
      const known = this.#rules.get(ask.rule);
      if (known === undefined) {
        done({ granted: ask.granted, retryAfterMs: 50, ttlMs: NODE_LEASE_MS, free: 0, resetMs: 0, own: true });
        continue;
      }
      // The shadow hears all, so that it knows what this node has used when it has to decide.
      this.#shadow.exchange(0, [{ ...ask, need: 0, wish: 0 }]);
      // Of what was used, the script counts by itself what it has not heard of yet.
      const told = ask.granted - ask.back + ask.used - ask.heardUsed;
      const again = Math.max(0, this.#shadow.counted(ask.rule, ask.key) - told);
      const { rule, period } = known;
      keys.push(`${this.#tag}:${accountPrefix(rule)}${ask.key}`);
      const question = storeAsk(ask, rule, period, again, this.#parts.keyLimits.of(rule, ask.key));
      for (const field of askFields(question, ask.home)) fields.push(field);
      sent.push(one);
    }
    if (sent.length === 0) return;
    this.#status.asks += sent.length;
    try {
      // A second time where an answer was lost: that changes nothing.
      const lines = await this.#run('lease', keys, fields).catch(() => this.#run('lease', keys, fields));
      const grants = sent.map((_, i) => readGrant(lines[4 + i]));
      for (let i = 0; i < sent.length; i++) {
        const grant = grants[i] as ReturnType<typeof readGrant>;
        sent[i]?.done({ ...grant, ttlMs: NODE_LEASE_MS, home: this.#home });
      }
    } catch (error) {
      this.#lost(error);
      for (const { ask, done } of sent) done(this.#alone(ask));
    }
  }

  /** Of this node's part, where the rule wants that and the others know that we are alone. */
  #alone(ask: LeaseAsk): LeaseGrant {
    const known = this.#rules.get(ask.rule);
    const { clock } = this.#parts;
    const nodes = this.#parts.nodes();
    const alone = clock.now() - this.#askedAt >= ALONE_MS && Math.max(nodes, this.#status.nodes) > 0;
    if (known === undefined || known.rule.onStoreLoss === 'refuse' || !alone)
      return { granted: ask.granted, retryAfterMs: 0, ttlMs: 0, free: 0, resetMs: 0, lost: true };
    const { rule, key } = ask;
    const id = `${rule}\n${key}`;
    if (!this.#cut.has(id) && ask.home !== '') {
      this.#cut.add(id);
      // Of what was free when the store last spoke of it, the others may take their parts too.
      const part = ask.free / Math.max(nodes, this.#status.nodes);
      const [{ free }] = this.#shadow.exchange(0, [{ ...ask, need: 0, wish: 0 }]) as [LeaseGrant];
      this.#shadow.spend(rule, key, free - Math.floor(part));
    }
    const [grant] = this.#shadow.exchange(0, [ask]) as [LeaseGrant];
    this.#status.own += grant.granted - ask.granted;
    return { ...grant, ttlMs: NODE_LEASE_MS, own: true };
  }

  async #beat(): Promise<void> {
    if (this.#beating || this.#closed) return;
    this.#beating = true;
    try {
      // Who has been away is present when it has told what it used meanwhile.
      const what = this.#present ? 'beat' : 'look';
      await this.#run(what, [], this.#names);
      if (!this.#present && this.#parts.told()) {
        this.#present = true;
        await this.#run('beat', [], this.#names);
      }
    } catch (error) {
      this.#lost(error);
    } finally {
      this.#beating = false;
    }
  }

  async #run(what: 'beat' | 'lease' | 'leave' | 'look', keys: string[], fields: string[]): Promise<unknown[]> {
    const { clock, node, run } = this.#parts;
    const sentAt = clock.now();
    const elapsed = this.#home === '' ? -1 : sentAt - this.#askedAt;
    const head = [node, this.#seen, this.#home, elapsed, NODE_LEASE_MS, MISSING_MS, FORGET_MS, clock.random(), what];
    const answer = await run([`${this.#tag}:limits`, `${this.#tag}:nodes`, ...keys], [...head.map(String), ...fields]);
    if (!Array.isArray(answer) || answer.length < 2) throw new Error('the script has answered something else');
    if (this.#closed || what === 'leave') return answer;
    const now = clock.now();
    this.#status.waitedMs += now - sentAt;
    this.#status.answers++;
    if (sentAt >= this.#askedAt || this.#home === '') {
      this.#askedAt = sentAt;
      this.#seen = Number(answer[0]);
    }
    const home = String(answer[1]);
    if (this.#home !== '' && home !== this.#home) {
      this.#present = false;
      this.#parts.notice({
        level: 'warn',
        message: 'the store of shared limits has lost its data; it is told what this node knows',
      });
    }
    this.#home = home;
    const all = Math.max(Number(answer[2]), this.#parts.nodes(), 1);
    if (all !== this.#status.nodes) {
      this.#status.nodes = all;
      this.#shadow.divide(all);
    }
    if (what === 'beat' || what === 'look') this.#names = answer.slice(4).map(String);
    if (!this.#status.up) {
      this.#status.up = true;
      this.#cut.clear();
      if (this.#status.failures > 0)
        this.#parts.notice({ level: 'info', message: 'the store of shared limits is reached again' });
    }
    return answer;
  }

  #lost(error: unknown): void {
    this.#status.failures++;
    this.#present = false;
    if (!this.#status.up && this.#status.failures > 1) return;
    this.#status.up = false;
    const why = error instanceof Error ? error.message : String(error);
    const message = `the store of shared limits cannot be reached: ${why}; each limit goes on as its onStoreLoss says`;
    if (!this.#closed) this.#parts.notice({ level: 'warn', message });
  }

  get #tag(): string {
    return storeTag(this.#parts.prefix());
  }
}
