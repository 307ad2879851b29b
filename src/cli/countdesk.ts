/**
 * Counts tokens for all workers of this node, in a thread of its own: a vocabulary takes tens of megabytes and a third of a
 * second to load, and a long text takes longer than any event loop may be held up. The thread starts when it is first needed. While there is
 * none, or too much to do, who asks is told so at once and goes by an estimate.
 */
import { Worker } from 'node:worker_threads';
import { isTokenizerFile } from '../ai/config.ts';
import type { Counted, CountOrder } from '../ai/count.ts';
import { NO_TOKENIZER } from '../ai/encoding.ts';
import type { Config } from '../config/config.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { Services } from '../supervisor/supervisor.ts';

/** Name of the service that counts. */
export const COUNT_SERVICE = 'count';
/** How long a worker waits for a count, in milliseconds. */
export const COUNT_MS = 10_000;

/** What a worker asks. */
export interface CountAsk {
  readonly tokenizer: string;
  readonly order: CountOrder;
}

/** What the thread is told: to count, to load (no order), or to forget all but these. */
export interface CountTask {
  readonly id: number;
  readonly tokenizer: string;
  readonly order: CountOrder | undefined;
  readonly keep?: readonly string[];
}

/** What it answers. */
export interface CountTold {
  readonly id: number;
  readonly counted: Counted | undefined;
  readonly failed: string | undefined;
}

/** What a desk is made of. */
export interface CountDeskParts {
  clock: Clock;
  services: Services;
  notice(notice: NoticeEvent): void;
  /** The thread's program; another in tests. */
  program?: URL;
}

interface Waiting {
  /** For a request; else a vocabulary is loaded, and who wants that tells of it. */
  readonly counts: boolean;
  done(counted: Counted | undefined): void;
  failed(error: Error): void;
}

/** Orders that may wait for the thread. */
const WAITING_MAX = 1000;
/** Silence of a thread that has something to do, after which it is given up. */
const STUCK_MS = 15_000;
/** A thread that has died is not started anew before this; twice as long each time, up to the most. */
const REST_MS = 1000;
const REST_MAX_MS = 60_000;
/** Reasons that are told. */
const SAID_MAX = 100;
/** Memory of the thread's heap: room for a few large vocabularies. */
const HEAP_MB = 1024;

/** See the file's head. */
export class CountDesk {
  readonly #parts: CountDeskParts;
  readonly #waiting = new Map<number, Waiting>();
  #thread: Worker | undefined;
  #ids = 0;
  #heardAt = 0;
  #watch: Timer | undefined;
  #restMs = REST_MS;
  #restUntil = 0;
  readonly #said = new Set<string>();
  #named: readonly string[] = [];
  #next: readonly string[] = [];

  constructor(parts: CountDeskParts) {
    this.#parts = parts;
    parts.services.provide(COUNT_SERVICE, (ask) => {
      const { tokenizer, order } = ask as CountAsk;
      return this.#give(tokenizer, order);
    });
  }

  /** A configuration is about to be tried: what it names is loaded. Rejects with an `Error` when a file cannot be used. */
  async prepare(config: Config): Promise<void> {
    this.#next = namedBy(config);
    for (const name of this.#next) {
      const loading = this.#give(name, undefined).catch((error: Error) => {
        const message = `cannot use the tokenizer ${name}: ${error.message}`;
        if (isTokenizerFile(name)) throw new Error(message);
        this.#parts.notice({ level: 'error', message });
      });
      // Encodings are sound; that they are there before the first request is enough.
      if (isTokenizerFile(name)) await loading;
    }
  }

  /** It is in force, or was refused. */
  settle(accepted: boolean): void {
    const before = this.#named;
    if (accepted) this.#named = this.#next;
    if (this.#thread === undefined || before.every((name) => this.#named.includes(name))) return;
    this.#thread.postMessage({ id: 0, tokenizer: '', order: undefined, keep: this.#named } satisfies CountTask);
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    const thread = this.#thread;
    this.#lose('the gateway ends');
    await thread?.terminate();
  }

  #give(tokenizer: string, order: CountOrder | undefined): Promise<Counted | undefined> {
    const { clock } = this.#parts;
    if (this.#waiting.size >= WAITING_MAX) return Promise.reject(new Error('too much is being counted'));
    if (this.#thread === undefined && clock.now() < this.#restUntil)
      return Promise.reject(new Error('the thread that counts has died'));
    const thread = this.#started();
    if (this.#waiting.size === 0) this.#heardAt = clock.now();
    // It holds the process up only while somebody waits for it.
    thread.ref();
    const id = ++this.#ids;
    return new Promise((done, failed) => {
      this.#waiting.set(id, { counts: order !== undefined, done, failed });
      thread.postMessage({ id, tokenizer, order } satisfies CountTask);
    });
  }

  #started(): Worker {
    if (this.#thread !== undefined) return this.#thread;
    const { program = new URL('./countthread.js', import.meta.url), clock } = this.#parts;
    const thread = new Worker(program, { resourceLimits: { maxOldGenerationSizeMb: HEAP_MB }, execArgv: [] });
    this.#thread = thread;
    thread.on('message', (told: CountTold) => this.#told(told));
    thread.on('error', (error) => this.#died(thread, error.message));
    thread.on('exit', () => this.#died(thread, 'it has ended'));
    this.#watch = clock.every(STUCK_MS / 5, () => {
      if (this.#waiting.size > 0 && clock.now() - this.#heardAt > STUCK_MS) {
        void thread.terminate();
        this.#died(thread, `it has said nothing for ${STUCK_MS / 1000} s`);
      }
    });
    return thread;
  }

  #told({ id, counted, failed }: CountTold): void {
    this.#heardAt = this.#parts.clock.now();
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#thread?.unref();
    if (failed !== undefined) {
      if (waiting?.counts) this.#say(failed);
      waiting?.failed(new Error(failed));
    } else {
      this.#restMs = REST_MS;
      waiting?.done(counted);
    }
  }

  /** Each reason once: it may hold for every request. */
  #say(reason: string): void {
    if (this.#said.size >= SAID_MAX || this.#said.has(reason)) return;
    this.#said.add(reason);
    this.#parts.notice({ level: 'warn', message: `tokens are estimated, a tokenizer cannot count them: ${reason}` });
  }

  #died(thread: Worker, reason: string): void {
    if (thread !== this.#thread) return;
    const { clock, notice } = this.#parts;
    this.#restUntil = clock.now() + this.#restMs;
    const message = `the thread that counts tokens has died: ${reason}; they are estimated, and it is started again in ${this.#restMs / 1000} s or when it is needed`;
    notice({ level: 'error', message });
    this.#restMs = Math.min(REST_MAX_MS, this.#restMs * 2);
    this.#lose('the thread that counts has died');
  }

  #lose(reason: string): void {
    this.#watch?.cancel();
    this.#thread = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { failed } of waiting) failed(new Error(reason));
  }
}

/** The tokenizers that a configuration names, each once. */
export function namedBy({ models, upstreams }: Pick<Config, 'models' | 'upstreams'>): string[] {
  const named = [
    ...Object.values(upstreams).map(({ tokenizer }) => tokenizer),
    ...Object.values(models).flatMap(({ tokenizer, versions }) => [tokenizer, ...versions.map((one) => one.tokenizer)]),
  ];
  return [...new Set(named)].filter((name) => name !== undefined && name !== NO_TOKENIZER) as string[];
}
