/**
 * A node's way to the store that several nodes share. While it answers, it alone decides. While it does not, a rule refuses or
 * goes on with this node's part, as it says (FAULTS.md row 31): the shadow, an authority that has been told of everything all
 * along, grants of it. When the store is there again, it is told all that was used before this node counts as present.
 */
import type { Timer } from '../../../kernel/clock.ts';
import { type LeaseAsk, type LeaseGrant, lostGrant } from '../protocol.ts';
import type { Rule } from '../rule.ts';
import { Alone } from './alone.ts';
import { Heard } from './heard.ts';
import { accountPrefix, type StoredRule, storedRules, storeTag } from './inspect.ts';
import { askFields, type Money, moneyOf, readGrant, storeAsk } from './lines.ts';
import { NOTHING_YET, type SharedStoreParts, type SharedStoreStatus, type Waiting } from './parts.ts';
import { Progress } from './progress.ts';
import { Said, withheldOf } from './said.ts';
import { Spent } from './spent.ts';
import { ALONE_MS, BEAT_MS, FORGET_MS, MISSING_MS, NODE_LEASE_MS, RECENT_MS } from './times.ts';

/** Questions in one script: what a store does meanwhile is nothing else. */
const BATCH = 64;
/** Scripts on their way at once. What comes meanwhile goes together. */
const FLYING = 2;
/** See the file's head. */
export class SharedStore {
  readonly #parts: SharedStoreParts;
  readonly #own: Alone;
  #rules = new Map<string, StoredRule>();
  readonly #status: SharedStoreStatus = { ...NOTHING_YET };
  readonly #timer: Timer;
  #queue: Waiting[] = [];
  #flying = 0;
  #beating: Promise<void> | undefined;
  /** Has told everything since it could last be reached, and counts as present. */
  #present = false;
  /** It is being told. */
  #telling = false;
  readonly #heard: Heard;
  readonly #said: Said;
  /** Names of the nodes last seen. */
  #names: string[] = [];
  readonly #used = new Spent();
  readonly #progress = new Progress();
  #closed = false;

  /** Call `start`. */
  constructor(parts: SharedStoreParts) {
    this.#parts = parts;
    this.#own = new Alone(parts.clock);
    this.#said = new Said(parts.notice);
    this.#heard = new Heard(parts.clock.now());
    this.#timer = parts.clock.every(BEAT_MS, () => void this.#beat());
  }

  /** Resolves when the store has been reached, or has not. */
  start(): Promise<void> {
    return this.#beat();
  }

  /** Goes over to these rules. */
  configure(rules: readonly Rule[]): void {
    this.#own.configure(rules);
    this.#rules = storedRules(rules, this.#rules, this.#parts.clock);
  }

  /** Rules in force. */
  get rules(): ReadonlyMap<string, StoredRule> {
    return this.#rules;
  }

  /** A key has another limit. Without the store a node gives no more than its part of the usual one. */
  limitKey(rule: Rule, key: string, limit: number): void {
    this.#own.limitKey(rule, key, limit);
  }

  /** Units of a budget that a key has used in this period, as the store has last said; 0 where it has not. */
  usedOf(rule: string, key: string): number {
    return this.#used.of(rule, key, this.#startOf(rule));
  }

  /** Time of the store that was heard last; 0: none. */
  get heard(): number {
    return this.#progress.time;
  }

  #startOf(rule: string): number {
    return this.#rules.get(rule)?.period?.startedAt ?? 0;
  }

  get status(): Readonly<SharedStoreStatus> {
    return this.#status;
  }

  /** One batch; answers in the same order. Never rejects. */
  ask(asks: readonly LeaseAsk[]): Promise<LeaseGrant[]> {
    return Promise.all(asks.map((ask) => new Promise<LeaseGrant>((done) => this.#push({ ask, done }))));
  }

  /** Leaves: the others need not miss this node. Where not all is in the ledger, who starts here next says when it is. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer.cancel();
    if (!this.#status.up) return;
    const ended = this.#parts.ledger().ended();
    await this.#run('leave', [], [], this.#parts.node, ended).then(
      () => ended && this.#parts.roll?.leave(),
      () => {},
    );
  }

  #push(one: Waiting): void {
    this.#queue.push(one);
    if (this.#queue.length === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    if (!this.#status.up) {
      const all = this.#queue;
      this.#queue = [];
      for (const one of all) this.#alone(one);
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
      this.#own.hear(ask);
      // Of what was used, the script counts by itself what it has not heard of yet.
      const told = ask.granted - ask.back + ask.used - ask.heardUsed;
      const again = Math.max(0, this.#own.counted(ask) - told);
      const { rule, period } = known;
      keys.push(`${this.#tag}:${accountPrefix(rule)}${ask.key}`);
      const question = storeAsk(ask, rule, period, again, this.#parts.keyLimits.of(rule, ask.key), this.#money(ask));
      for (const field of askFields(question, ask.home)) fields.push(field);
      sent.push(one);
    }
    if (sent.length === 0) return;
    this.#status.asks += sent.length;
    try {
      // A second time where an answer was lost: that changes nothing.
      const lines = await this.#run('lease', keys, fields).catch(() => this.#run('lease', keys, fields));
      const grants = sent.map((_, i) => readGrant(lines[4 + i]));
      const ttlMs = NODE_LEASE_MS;
      for (let i = 0; i < sent.length; i++) {
        const { used, unread, ...grant } = grants[i] as ReturnType<typeof readGrant>;
        const one = sent[i] as Waiting;
        const { rule, key } = one.ask;
        if (used !== undefined) this.#used.note(rule, key, used, this.#startOf(rule));
        if (unread === true) this.#read(one);
        else one.done({ ...grant, ...withheldOf(this.#status, this.#rules.get(rule)), ttlMs, home: this.#heard.home });
      }
    } catch (error) {
      this.#lost(error);
      for (const one of sent) this.#alone(one);
    }
  }

  /** What the ledger says of a key of a budget; undefined: it is none. */
  #money({ rule: name, key }: LeaseAsk): Money | undefined {
    if (this.#rules.get(name)?.rule.budget === undefined) return undefined;
    return moneyOf(this.#parts.ledger().known(name, key, this.#startOf(name)), this.#parts.clock.now());
  }

  /** Asks again when the ledger has been read. */
  #read(one: Waiting): void {
    const { ask, done } = one;
    const reading = one.read === true ? Promise.reject() : this.#parts.ledger().read(ask.rule, ask.key);
    one.read = true;
    const again = () => this.#push(one);
    reading.then(again, () => done(lostGrant(ask)));
  }

  /** Of this node's part, where the rule wants that and the others know that we are alone. */
  #alone(one: Waiting): void {
    const { ask, done } = one;
    const stored = this.#rules.get(ask.rule);
    const { clock, keyLimits } = this.#parts;
    const nodes = Math.max(this.#parts.nodes(), this.#status.nodes);
    const alone = clock.now() - this.#heard.askedAt >= ALONE_MS && nodes > 0;
    if (stored === undefined || stored.rule.onStoreLoss === 'refuse' || !alone) {
      done(lostGrant(ask));
      return;
    }
    const { rule } = stored;
    const money = this.#money(ask);
    if (money !== undefined && (money.age < 0 || money.age > RECENT_MS)) return void this.#read(one);
    const spent = money === undefined ? Number.NEGATIVE_INFINITY : Math.max(0, money.known - money.forgiven);
    this.#parts.roll?.leave();
    const grant = this.#own.grant(ask, nodes, keyLimits.of(rule, ask.key) - spent);
    this.#status.own += grant.granted - ask.granted;
    done({ ...grant, ttlMs: NODE_LEASE_MS, own: true });
  }

  #beat(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#beating ??= this.#tell().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  async #tell(): Promise<void> {
    const { node, roll, caughtUp } = this.#parts;
    try {
      // Who has been away is present when it has told what it used meanwhile.
      const what = this.#present ? 'beat' : 'look';
      await this.#run(what, [], this.#names);
      if (!this.#present && caughtUp(!this.#telling)) {
        this.#present = true;
        roll?.enter(node);
        await this.#run('beat', [], this.#names);
      }
      this.#telling = !this.#present;
      for (const dead of roll?.dead() ?? []) {
        await this.#run('leave', [], [], dead, true);
        roll?.buried(dead);
      }
    } catch (error) {
      this.#lost(error);
    }
  }

  async #run(
    what: 'beat' | 'lease' | 'leave' | 'look',
    keys: string[],
    fields: string[],
    node = this.#parts.node,
    ended = false,
  ): Promise<unknown[]> {
    const { clock, ledger, run } = this.#parts;
    const sentAt = clock.now();
    const { at, home } = this.#heard;
    const elapsed = this.#heard.elapsed(sentAt);
    const head = [node, at, home, elapsed, NODE_LEASE_MS, MISSING_MS, FORGET_MS, clock.random(), what];
    head.push(what === 'leave' ? Number(ended) : this.#progress.written(ledger().writtenAt()));
    const answer = await run([`${this.#tag}:limits`, `${this.#tag}:nodes`, ...keys], [...head.map(String), ...fields]);
    if (!Array.isArray(answer) || answer.length < 2) throw new Error('the script has answered something else');
    if (this.#closed || what === 'leave') return answer;
    const now = clock.now();
    this.#status.waitedMs += now - sentAt;
    this.#status.answers++;
    if (this.#heard.take(Number(answer[0]), String(answer[1]), sentAt)) {
      this.#present = this.#telling = false;
      this.#progress.anew();
      this.#parts.ledger().lost();
      this.#said.emptied();
    }
    this.#progress.hear(Number(answer[0]), now);
    const all = Math.max(Number(answer[2]), this.#parts.nodes(), 1);
    const missing = Number(answer[3]);
    if (missing !== this.#status.missing) this.#said.missing(missing, all, FORGET_MS);
    this.#status.missing = missing;
    if (all !== this.#status.nodes) {
      this.#status.nodes = all;
      this.#own.divide(all);
    }
    if (what === 'beat' || what === 'look') this.#names = answer.slice(4).map(String);
    if (!this.#status.up) {
      this.#status.up = true;
      this.#own.end();
      if (this.#status.failures > 0) this.#said.reached();
    }
    return answer;
  }

  #lost(error: unknown): void {
    this.#status.failures++;
    this.#present = this.#telling = false;
    if (!this.#status.up && this.#status.failures > 1) return;
    this.#status.up = false;
    if (!this.#closed) this.#said.lost(error);
  }

  get #tag(): string {
    return storeTag(this.#parts.prefix());
  }
}
