/** What all requests of one simulator share: its options, its counters, its queue and its timer. */
import type { TlsOptions } from 'node:tls';
import type { Fault, Plan, Rule } from './fault.ts';
import { choosePlan, parsePlan, parseRule } from './fault.ts';
import type { Cancel, SimulatorState } from './state.ts';
import { ModelState } from './state.ts';
import { Dice } from './token.ts';
import { Wheel } from './wheel.ts';

/** How a simulator behaves. Everything has a default. */
export interface SimulatorOptions {
  /** Address to bind. Default `127.0.0.1`. */
  host?: string;
  /** Port to bind; 0 chooses a free one. Default 0. */
  port?: number;
  /** Path of a unix socket to bind instead of host and port. */
  socketPath?: string;
  /** Key, certificate and the like: speaks TLS. */
  tls?: TlsOptions;
  /** Models served; others get 404. Default: any name is served, `simulate` is listed. */
  models?: readonly string[];
  /** Tokens of an answer, where the request sets no lower limit. Default 16. */
  tokens?: number;
  /** Tokens a second; 0 (the default) is as fast as possible. */
  rate?: number;
  /** Milliseconds to the first token. Default 0. */
  ttftMs?: number;
  /** Seed of the words and of the dice that `fail` shares throw. Default 1. */
  seed?: number;
  /** Answers under way at once; more wait in a queue. Default: no limit. */
  maxConcurrency?: number;
  /** Faults for all, a share (`10%:status=503`) or the next few (`3x:reset-before-head`) of the requests. */
  fail?: readonly string[];
  /** Milliseconds an idle connection is kept. Default 65,000. */
  keepAliveMs?: number;
}

/** Something that waits for a place. */
export interface Job {
  /** Called once, when there is a place; `release` gives it back. */
  begin(): void;
}

/** State and rules of one simulator. */
export class Simulator {
  readonly models: readonly string[];
  readonly anyModel: boolean;
  readonly tokens: number;
  readonly rate: number;
  readonly ttftMs: number;
  readonly seed: number;
  readonly keepAliveMs: number;
  readonly wheel = new Wheel();
  readonly perModel = new Map<string, ModelState>();
  readonly faultTable: ReadonlyMap<string, Fault>;
  readonly played: Record<string, number> = {};
  readonly #maxConcurrency: number;
  readonly #dice: Dice;
  #rules: Rule[];
  #queue: Job[] = [];
  healthStatus = 200;
  serial = 0;
  connections = 0;
  connectionsTotal = 0;
  requests = 0;
  open = 0;
  completed = 0;
  cancelled = 0;
  cancelledTokens = 0;
  lastCancel: Cancel | null = null;
  reusedAfterFault = 0;

  /** Throws an Error that says what is wrong when `fail` cannot be understood. */
  constructor(options: SimulatorOptions, faultTable: ReadonlyMap<string, Fault>) {
    const models = options.models ?? [];
    this.anyModel = models.length === 0;
    this.models = this.anyModel ? ['simulate'] : models;
    this.tokens = options.tokens ?? 16;
    this.rate = options.rate ?? 0;
    this.ttftMs = options.ttftMs ?? 0;
    this.seed = options.seed ?? 1;
    this.keepAliveMs = options.keepAliveMs ?? 65_000;
    this.#maxConcurrency = options.maxConcurrency ?? Number.POSITIVE_INFINITY;
    this.#dice = new Dice(this.seed);
    this.faultTable = faultTable;
    this.#rules = (options.fail ?? []).map((rule) => parseRule(rule, faultTable));
    for (const model of this.models) this.model(model);
  }

  /** Replaces the rules; on a wrong one the old rules stay and an Error is thrown. */
  setRules(rules: readonly string[]): void {
    this.#rules = rules.map((rule) => parseRule(rule, this.faultTable));
  }

  /** What the header asks for, else what the rules choose. Throws an Error for a header that cannot be understood. */
  planFor(header: string | undefined): Plan {
    return header === undefined ? choosePlan(this.#rules, this.#dice) : parsePlan(header, this.faultTable);
  }

  /** Counters of a model; a stranger's thousand-and-first model name shares one entry, to keep memory bounded. */
  model(name: string): ModelState {
    const key = this.perModel.size < 1000 || this.perModel.has(name) ? name : 'other';
    let state = this.perModel.get(key);
    if (!state) {
      state = new ModelState(key);
      this.perModel.set(key, state);
    }
    return state;
  }

  /** Counts a fault that was played. */
  play(name: string): void {
    this.played[name] = (this.played[name] ?? 0) + 1;
  }

  /** Begins `job` now, or when a place is free. */
  admit(job: Job): void {
    if (this.open < this.#maxConcurrency) {
      this.open++;
      job.begin();
    } else {
      this.#queue.push(job);
    }
  }

  /** Takes a job that waits out of the queue; false when it does not wait. */
  withdraw(job: Job): boolean {
    const at = this.#queue.indexOf(job);
    if (at >= 0) this.#queue.splice(at, 1);
    return at >= 0;
  }

  /** A place has become free. */
  release(): void {
    this.open--;
    const next = this.#queue.shift();
    if (!next) return;
    this.open++;
    next.begin();
  }

  /** A client left with `tokens` generated for it. */
  cancel(model: string, path: string, tokens: number): void {
    this.cancelled++;
    this.cancelledTokens += tokens;
    this.lastCancel = { at: Date.now(), model, path, tokens };
  }

  /** The counters, as `GET /simulate/state` shows them. */
  state(): SimulatorState {
    let promptTokens = 0;
    let generationTokens = 0;
    for (const model of this.perModel.values()) {
      promptTokens += model.promptTokens;
      generationTokens += model.generationTokens;
    }
    return {
      connections: this.connections,
      connectionsTotal: this.connectionsTotal,
      requests: this.requests,
      open: this.open,
      waiting: this.#queue.length,
      completed: this.completed,
      cancelled: this.cancelled,
      cancelledTokens: this.cancelledTokens,
      lastCancel: this.lastCancel,
      promptTokens,
      generationTokens,
      reusedAfterFault: this.reusedAfterFault,
      faults: { ...this.played },
      healthStatus: this.healthStatus,
      fail: this.#rules.map((rule) => rule.text),
    };
  }
}
