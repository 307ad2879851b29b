/** The worker's side of services and topics (services.ts): questions go out in batches, topics come in by name. */
import { atTurnsEnd, type Clock, type Timer } from '../kernel/clock.ts';
import type { Answer, Ask, TopicPage } from './messages.ts';

/** Keeps this worker's copy of a topic. */
export interface TopicHandler {
  /**
   * A part of the whole state. With `first`, what is known is to be replaced, which is complete after `last` (both may be
   * true). Changes may come between the parts. `page` is undefined when there is nothing.
   */
  load(page: unknown, first: boolean, last: boolean): void;
  /** A change. */
  change(payload: unknown): void;
}

interface Waiting {
  done(value: unknown): void;
  failed(error: Error): void;
  timer: Timer;
}

/** Questions that may wait for an answer at once: a supervisor that hangs must not fill this process. */
const MAX_WAITING = 100_000;

/** See the file's head. */
export class Asker {
  readonly #clock: Clock;
  readonly #send: (asks: Ask[]) => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #topics = new Map<string, TopicHandler>();
  #ids = 0;
  #batch: Ask[] = [];

  /** `send` passes questions on to the supervisor. */
  constructor(clock: Clock, send: (asks: Ask[]) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /**
   * Asks a service. Rejects with an `Error` when it refuses, or says nothing for `timeoutMs`. What is asked in one turn of the
   * event loop travels as one message.
   */
  ask(service: string, payload: unknown, timeoutMs: number): Promise<unknown> {
    if (this.#waiting.size >= MAX_WAITING) return Promise.reject(new Error(`too many questions wait for ${service}`));
    const id = ++this.#ids;
    if (this.#batch.push({ id, service, payload }) === 1) atTurnsEnd(() => this.#flush());
    return new Promise((done, failed) => {
      const timer = this.#clock.after(timeoutMs, () => {
        this.#waiting.delete(id);
        failed(new Error(`${service} has not answered for ${timeoutMs} ms`));
      });
      this.#waiting.set(id, { done, failed, timer });
    });
  }

  /** Keeps a copy of `topic` from now on; register before the first snapshot. */
  follow(topic: string, handler: TopicHandler): void {
    this.#topics.set(topic, handler);
  }

  /** Answers have come. */
  answered(answers: readonly Answer[]): void {
    for (const { id, value, failed } of answers) {
      const waiting = this.#waiting.get(id);
      if (waiting === undefined) continue;
      this.#waiting.delete(id);
      waiting.timer.cancel();
      if (failed === undefined) waiting.done(value);
      else waiting.failed(new Error(failed));
    }
  }

  /** A page or a change of a topic has come. */
  told({ topic, payload, load }: TopicPage): void {
    const handler = this.#topics.get(topic);
    if (handler === undefined) return;
    if (load === undefined) handler.change(payload);
    else handler.load(payload, load === 'first' || load === 'only', load === 'last' || load === 'only');
  }

  #flush(): void {
    const batch = this.#batch;
    this.#batch = [];
    this.#send(batch);
  }
}
