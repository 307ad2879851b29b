/**
 * What the supervisor does for workers beside their configuration. A **service** answers what a worker asks; a **topic** is
 * state that every worker holds a copy of: a new worker gets it whole before its first listener opens, and then each change.
 */
import { atTurnsEnd, type Clock } from '../kernel/clock.ts';
import type { Answer, Ask, TopicPage } from './messages.ts';

/** Answers one question; a rejected promise reaches who asked as an `Error` with its message. `worker`: who asks. */
export type Service = (payload: unknown, worker: number) => unknown;

/** Takes what a worker tells; `say` reaches that worker as long as it lives. */
export type Hearer = (payload: unknown, worker: number, say: (payload: unknown) => void) => void;

/** All of a topic's state, in pages that are made when they are asked for: what is sent later is as fresh as a change. */
export type Pages = () => Iterable<unknown>;

/** A worker as far as topics go. */
export interface Told {
  push(topic: string, payload: unknown): void;
  /** The whole topic anew. */
  reload(topic: string): void;
  /** Resolves when it has taken what it was told of a topic up to now, or has ended. */
  confirm(topic: string): Promise<void>;
}

/** The services and topics of one supervisor. Register everything before it starts. */
export class Services {
  readonly #services = new Map<string, Service>();
  readonly #hearers = new Map<string, Hearer>();
  readonly #topics = new Map<string, Pages>();
  #workers: () => Iterable<Told> = () => [];
  #clock: Clock | undefined;

  /** The workers that there are at any time; the supervisor tells. */
  attach(workers: () => Iterable<Told>, clock: Clock): void {
    this.#workers = workers;
    this.#clock = clock;
  }

  /** Answers what workers ask `name`. */
  provide(name: string, service: Service): void {
    this.#services.set(name, service);
  }

  /** Takes what workers tell `name`, where both say much and not each thing has an answer. */
  hear(name: string, hearer: Hearer): void {
    this.#hearers.set(name, hearer);
  }

  /** A worker tells something; what nobody hears is lost. */
  told(service: string, payload: unknown, worker: number, say: (payload: unknown) => void): void {
    this.#hearers.get(service)?.(payload, worker, say);
  }

  /** Keeps the workers told of `name`. */
  publish(name: string, pages: Pages): void {
    this.#topics.set(name, pages);
  }

  /** Tells all workers of a change; one that is too far behind gets the whole topic again, when it has caught up. */
  push(topic: string, payload: unknown): void {
    for (const worker of this.#workers()) worker.push(topic, payload);
  }

  /**
   * Waits until every worker has taken what was told of a topic up to now; one that starts meanwhile has it before its first
   * listener opens. Resolves with how many have not within `deadlineMs`: 0 is all well.
   */
  confirm(topic: string, deadlineMs: number): Promise<number> {
    const all = [...this.#workers()];
    let missing = all.length;
    if (missing === 0) return Promise.resolve(0);
    return new Promise((done) => {
      const late = this.#clock?.after(deadlineMs, () => done(missing));
      for (const worker of all) {
        void worker.confirm(topic).then(() => {
          if (--missing > 0) return;
          late?.cancel();
          done(0);
        });
      }
    });
  }

  /** Tells all workers the whole of a topic again. */
  reload(topic: string): void {
    for (const worker of this.#workers()) worker.reload(topic);
  }

  get topics(): Iterable<string> {
    return this.#topics.keys();
  }

  /**
   * One topic as messages, at least one. Each is made when it is asked for and has to be sent at once: a change that was sent
   * between would be overwritten by what is older.
   */
  *load(topic: string): Generator<TopicPage> {
    let load: TopicPage['load'] = 'first';
    for (const payload of this.#topics.get(topic)?.() ?? []) {
      yield { topic, payload, load };
      load = 'more';
    }
    yield { topic, payload: undefined, load: load === 'first' ? 'only' : 'last' };
  }

  /** Answers a batch of questions, each as soon as it is known; `reply` may be called many times. */
  answer(asks: readonly Ask[], worker: number, reply: (answers: Answer[]) => void): void {
    let ready: Answer[] = [];
    const add = (answer: Answer) => {
      if (ready.push(answer) > 1) return;
      atTurnsEnd(() => {
        const now = ready;
        ready = [];
        reply(now);
      });
    };
    for (const { id, service, payload } of asks) {
      const fail = (error: unknown) => add({ id, failed: error instanceof Error ? error.message : String(error) });
      const serve = this.#services.get(service);
      if (serve === undefined) {
        fail(`there is no service ${service}`);
        continue;
      }
      try {
        const value = serve(payload, worker);
        if (value instanceof Promise) value.then((later) => add({ id, value: later }), fail);
        else add({ id, value });
      } catch (error) {
        fail(error);
      }
    }
  }
}
