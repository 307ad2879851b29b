/**
 * Watches one stream where the settings ask for it: deadlines for its tokens, and comments while it is silent. A comment is
 * written only where no event is open (WHATWG HTML §9.2.6: a line that starts with a colon is ignored), and only after the
 * head has come from the server: an answer begun before could not become an error any more.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Deadlines, Timed } from '../socket/deadlines.ts';

const NEVER = Number.POSITIVE_INFINITY;
const LF = 10;
const CR = 13;

/** Milliseconds; 0 is off. */
export interface WatchLimits {
  readonly firstToken: number;
  readonly betweenTokens: number;
  readonly comments: number;
}

/** Who is told. */
export interface WatchOwner {
  /** No token came in time. */
  tokenOverdue(wait: 'firstToken' | 'betweenTokens'): void;
  /** The stream has been silent, at the end of an event. */
  silent(): void;
}

/** See the file's head. */
export class StreamWatch implements Timed {
  deadline = NEVER;
  slot = -1;
  readonly #limits: WatchLimits;
  readonly #owner: WatchOwner;
  readonly #deadlines: Deadlines;
  readonly #clock: Clock;
  #tokens = 0;
  #tokenAt = NEVER;
  #commentAt = NEVER;
  #commenting = false;
  /** The last bytes written, newest lowest: where an event ends. */
  #last = (LF << 8) | LF;

  constructor(limits: WatchLimits, owner: WatchOwner, deadlines: Deadlines, clock: Clock) {
    this.#limits = limits;
    this.#owner = owner;
    this.#deadlines = deadlines;
    this.#clock = clock;
  }

  /** A try at a stream has begun. */
  began(): void {
    const { firstToken } = this.#limits;
    this.#tokenAt = firstToken > 0 ? this.#clock.now() + firstToken : NEVER;
    this.#arm();
  }

  /** The head has come; `tokens`: its tokens are counted, `open`: comments may be written into it. */
  headed(tokens: boolean, open: boolean): void {
    if (!tokens) this.#tokenAt = NEVER;
    this.#commenting = open && this.#limits.comments > 0;
    this.#hush();
    this.#arm();
  }

  /** Bytes went to the client; `tokens`: how many have been seen. */
  wrote(buffer: Buffer, start: number, end: number, tokens: number): void {
    for (let i = Math.max(start, end - 3); i < end; i++)
      this.#last = ((this.#last << 8) | (buffer[i] as number)) & 0xffffff;
    if (tokens !== this.#tokens) {
      this.#tokens = tokens;
      const { betweenTokens } = this.#limits;
      this.#tokenAt = betweenTokens > 0 ? this.#clock.now() + betweenTokens : NEVER;
    }
    this.#hush();
    this.#arm();
  }

  /** The client takes no more at the moment: silence is not the server's. */
  blocked(): void {
    this.#commentAt = NEVER;
    this.#tokenAt = NEVER;
    this.#arm();
  }

  /** The client takes more again. */
  drained(): void {
    const { firstToken, betweenTokens } = this.#limits;
    const wait = this.#tokens > 0 ? betweenTokens : firstToken;
    if (wait > 0) this.#tokenAt = this.#clock.now() + wait;
    this.#hush();
    this.#arm();
  }

  /** Whether what was written so far ends with an event, or is nothing. */
  get atBoundary(): boolean {
    const last = this.#last & 0xff;
    const before = (this.#last >> 8) & 0xff;
    if (last === LF) return before === LF || (before === CR && ((this.#last >> 16) & 0xff) === LF);
    return last === CR && before === CR;
  }

  onDeadline(now: number): void {
    if (now >= this.#tokenAt) {
      this.#tokenAt = NEVER;
      this.#arm();
      this.#owner.tokenOverdue(this.#tokens > 0 ? 'betweenTokens' : 'firstToken');
      return;
    }
    this.#hush();
    this.#arm();
    if (this.#commenting && this.atBoundary) this.#owner.silent();
  }

  /** Watches no more. */
  stop(): void {
    this.#deadlines.remove(this);
  }

  #hush(): void {
    this.#commentAt = this.#commenting ? this.#clock.now() + this.#limits.comments : NEVER;
  }

  #arm(): void {
    this.deadline = Math.min(this.#tokenAt, this.#commentAt);
    if (this.deadline !== NEVER) this.#deadlines.add(this);
  }
}
