/**
 * Between the queues of a worker and the authority of its node, in another process. What is said in one turn of the event loop travels together,
 * and what can wait for a moment travels with what cannot: a message costs both processes more than what it says.
 */
import { atTurnsEnd, type Clock, type Timer } from '../../kernel/clock.ts';
import type { QueueAuthority } from './authority.ts';
import { AnswerWriter, AskReader, AskWriter, type Letter, readAnswers } from './letter.ts';
import type { NextNote, QueueAnswer, QueueAsk } from './message.ts';

/** How long that may wait which is not urgent, in milliseconds. */
const LAZY_MS = 5;
/** How often it is looked for answers that will not come, in milliseconds. */
const LOOK_MS = 5000;
/** Requests that may wait for an answer at once: an authority that hangs must not fill this process. */
const MOST_WAITING = 100_000;

interface Waiting {
  done(answer: QueueAnswer): void;
  failed(error: Error): void;
  /** When it is given up, in monotonic milliseconds. */
  until: number;
}

const SAID: Promise<undefined> = Promise.resolve(undefined);

/** A worker's end. */
export class QueueLine {
  readonly #clock: Clock;
  readonly #send: (letter: Letter) => void;
  readonly #called: (note: NextNote) => void;
  readonly #writer = new AskWriter();
  /** Upstream → what waits for an answer, by its id. */
  readonly #waiting = new Map<string, Map<number, Waiting>>();
  #count = 0;
  #urgent = false;
  #lazy: Timer | undefined;
  #looking: Timer | undefined;

  /** `send` takes letters to the authority; `called` is told who is next. */
  constructor(clock: Clock, send: (letter: Letter) => void, called: (note: NextNote) => void) {
    this.#clock = clock;
    this.#send = send;
    this.#called = called;
  }

  /** As `AskQueue`. `lazy`: it may wait for what is urgent, or a few milliseconds. */
  ask(said: QueueAsk, timeoutMs: number, lazy = false): Promise<QueueAnswer | undefined> {
    if (said.type === 'wait' && this.#count >= MOST_WAITING)
      return Promise.reject(new Error(`too many requests wait for a place at ${said.upstream}`));
    this.#writer.add(said);
    if (!lazy && !this.#urgent) {
      this.#urgent = true;
      atTurnsEnd(() => this.#flush());
    } else if (lazy && !this.#urgent) this.#lazy ??= this.#clock.after(LAZY_MS, () => this.#flush());
    if (said.type !== 'wait') return SAID;
    return new Promise((done, failed) =>
      this.#expect(said.upstream, said.id, { done, failed, until: this.#clock.now() + timeoutMs }),
    );
  }

  /** A letter has come. */
  heard(letter: Letter): void {
    readAnswers(letter, (upstream, id, answer) => this.#answered(upstream, id, answer), this.#called);
  }

  #answered(upstream: string, id: number, answer: QueueAnswer): void {
    const waiting = this.#waiting.get(upstream);
    const one = waiting?.get(id);
    if (one === undefined) return;
    waiting?.delete(id);
    this.#count--;
    one.done(answer);
  }

  #expect(upstream: string, id: number, one: Waiting): void {
    let waiting = this.#waiting.get(upstream);
    if (waiting === undefined) {
      waiting = new Map();
      this.#waiting.set(upstream, waiting);
    }
    waiting.set(id, one);
    this.#count++;
    this.#looking ??= this.#clock.every(LOOK_MS, () => this.#look());
  }

  #flush(): void {
    this.#urgent = false;
    this.#lazy?.cancel();
    this.#lazy = undefined;
    const letter = this.#writer.take();
    if (letter.length > 0) this.#send(letter);
  }

  /** One timer for all of them: an answer that does not come is a rare thing. */
  #look(): void {
    const now = this.#clock.now();
    for (const [upstream, waiting] of this.#waiting) {
      for (const [id, { until, failed }] of waiting) {
        if (until > now) continue;
        waiting.delete(id);
        this.#count--;
        failed(new Error(`nobody has answered for a request that waits for ${upstream}`));
      }
      if (waiting.size === 0) this.#waiting.delete(upstream);
    }
    if (this.#count > 0) return;
    this.#looking?.cancel();
    this.#looking = undefined;
  }
}

/** The authority's ends of the lines to all workers. */
export class WorkerLines {
  readonly #authority: QueueAuthority;
  readonly #lines = new Map<number, WorkerLine>();

  constructor(authority: QueueAuthority) {
    this.#authority = authority;
  }

  /** A letter of a worker has come; `send` takes letters to it. @throws Error when it says what nobody knows. */
  heard(worker: number, letter: Letter, send: (letter: Letter) => void): void {
    let line = this.#lines.get(worker);
    if (line === undefined) {
      line = new WorkerLine(this.#authority, worker, send);
      this.#lines.set(worker, line);
    }
    const upstreams = line.heard(letter);
    for (const upstream of upstreams)
      this.#authority.settle(worker, upstream, (whom, note) => this.#lines.get(whom)?.call(note));
  }

  /** A worker has gone for good. */
  gone(worker: number): void {
    this.#lines.delete(worker);
  }
}

/** The authority's end of one. */
class WorkerLine {
  readonly #authority: QueueAuthority;
  readonly #worker: number;
  readonly #send: (letter: Letter) => void;
  readonly #reader = new AskReader();
  readonly #writer = new AnswerWriter();
  #writing = false;

  constructor(authority: QueueAuthority, worker: number, send: (letter: Letter) => void) {
    this.#authority = authority;
    this.#worker = worker;
    this.#send = send;
  }

  /** Names of the upstreams that the letter was about. */
  heard(letter: Letter): Iterable<string> {
    const upstreams = new Set<string>();
    this.#reader.read(letter, (ask) => {
      upstreams.add(ask.upstream);
      if (ask.type !== 'wait') this.#authority.note(this.#worker, ask);
      else this.#authority.wait(this.#worker, ask, (answer) => this.#answer(ask.upstream, ask.id, answer));
    });
    return upstreams;
  }

  /** Tells the worker who is next. */
  call(note: NextNote): void {
    this.#writer.next(note);
    this.#write();
  }

  #answer(upstream: string, id: number, answer: QueueAnswer): void {
    this.#writer.add(upstream, id, answer);
    this.#write();
  }

  #write(): void {
    if (this.#writing) return;
    this.#writing = true;
    atTurnsEnd(() => {
      this.#writing = false;
      this.#send(this.#writer.take());
    });
  }
}
