/** Tells one worker all topics (services.ts): whole at its start, then change by change, and whole again when it fell behind. */
import type { Channel } from './channel.ts';
import type { ToSupervisor, ToWorker } from './messages.ts';
import type { Services } from './services.ts';

/** Messages that may lie unsent while topics are loaded: more only fill memory. */
const AHEAD = 4;

/** See the file's head. */
export class Seeder {
  readonly #channel: Channel<ToWorker, ToSupervisor>;
  #services: Services | undefined;
  /** It has been told everything at least once. */
  seeded = false;
  /** Topics of which a change could not be sent. */
  readonly #behind = new Set<string>();
  /** Called when those have been told again. */
  #late: (() => void)[] = [];
  #loading: Promise<void> | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(channel: Channel<ToWorker, ToSupervisor>) {
    this.#channel = channel;
  }

  /** Sends everything; resolves when the last page has been handed over. */
  seed(services: Services): Promise<void> {
    this.#services = services;
    this.#loading ??= this.#load(services.topics).then(() => {
      this.seeded = true;
    });
    return this.#loading;
  }

  /** Sends a change; when the worker is too far behind, `caughtUp` sends the whole topic instead. */
  push(topic: string, payload: unknown): void {
    if (this.#services === undefined || this.#behind.has(topic)) return;
    if (!this.#channel.offer({ type: 'topic', topic, payload })) this.#behind.add(topic);
  }

  /** Sends the whole topic again: what was told before may be wrong. */
  reload(topic: string): void {
    if (this.#services !== undefined) void this.#load([topic]);
  }

  /** The worker takes messages again. */
  caughtUp(): void {
    const again = [...this.#behind];
    this.#behind.clear();
    if (again.length > 0) void this.#load(again);
    for (const done of this.#late.splice(0)) done();
  }

  /** Resolves when what there was to tell of a topic up to now has been handed over, a load under way included. */
  async handedOver(topic: string): Promise<void> {
    if (this.#behind.has(topic)) await new Promise<void>((done) => this.#late.push(done));
    await this.#turn;
  }

  /** One after the other: the pages of two loads of a topic must not mix. */
  #load(topics: Iterable<string>): Promise<void> {
    this.#turn = this.#turn.then(() => this.#send(topics));
    return this.#turn;
  }

  async #send(topics: Iterable<string>): Promise<void> {
    for (const topic of topics) {
      const pages = this.#services?.load(topic);
      for (;;) {
        // Room first, then the page: see `Services.load`.
        if (this.#channel.waiting >= AHEAD) await this.#channel.flush();
        const next = pages?.next();
        if (next === undefined || next.done === true) break;
        this.#channel.send({ type: 'topic', ...next.value });
      }
    }
  }
}
