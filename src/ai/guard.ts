/**
 * Lets a stream pass as long as its tokens are allowed, event by event and in place. When they are not, it ends as the
 * protocol ends an answer that has reached its length, and the rest is not wanted any more.
 */
import { type SseSink, SseSplitter } from '../http/sse.ts';
import type { Rewrite } from '../kernel/exchange.ts';
import { ContentWatch } from './content.ts';
import type { ProducedStream } from './produced.ts';
import { weighEvent } from './weigh.ts';

type Pass = (buffer: Buffer, start: number, end: number) => void;

/** An event larger than this is not held but passes as it comes. */
const HELD_BYTES_MAX = 1024 * 1024;

/** Knows how one stream ends early in its protocol. */
export interface StreamEnding {
  /** Sees each complete event that passes, before it does. */
  saw(buffer: Buffer, start: number, end: number): void;
  /** The events that end the stream now; '' when it has not begun or has ended by itself. `tokens`: about the output so far. */
  close(tokens: number): string;
}

/** What a guard asks. */
export interface TokenAllowance {
  /** About the prompt's tokens, for a usage that is reported early. */
  readonly promptTokens: number;
  /** Answers that were asked for. */
  readonly answers: number;
  /**
   * With what comes now the stream has `pieces` of content, which is the least its tokens can be, and about `tokens` by their
   * weight. False: it must end before that. 'wait': more was asked for, and `decided` is called when the answer is there.
   */
  allows(pieces: number, tokens: number): boolean | 'wait';
  /** Set by whoever waits. */
  decided?: (() => void) | undefined;
}

/** An event, or a part of one, that waits. */
interface Held {
  readonly bytes: Buffer;
  readonly kind: 'event' | 'piece' | 'last';
}

/** See the file's head. */
export class StreamGuard implements Rewrite, SseSink {
  readonly #allowance: TokenAllowance;
  readonly #ending: StreamEnding;
  readonly #content: ContentWatch;
  readonly #next: Rewrite | undefined;
  readonly #splitter: SseSplitter;
  readonly #passOn: Pass;
  #pass: Pass | undefined = undefined;
  /** Part of the slice being worked on that passes as it is. */
  #chunk: Buffer | undefined = undefined;
  #runStart = 0;
  #runEnd = 0;
  #pieces = 0;
  #weight = 0;
  /** Complete events and parts that have come since it was not known whether more is allowed. */
  #held: Held[] = [];
  /** There is nothing to wait for any more. */
  #ended = false;
  /** Told when what it waited for is decided. */
  decided: (() => void) | undefined = undefined;
  /** The answer has been ended here. */
  done = false;
  /** False while the bytes passed on end inside an event. */
  atBoundary = true;

  readonly #produced: ProducedStream | undefined;

  /** `keys`: keys whose value is generated content. `next`: takes what passes. `produced`: keeps the content that passes. */
  constructor(
    allowance: TokenAllowance,
    ending: StreamEnding,
    keys: readonly Buffer[],
    next: Rewrite | undefined,
    produced?: ProducedStream,
  ) {
    this.#produced = produced;
    this.#allowance = allowance;
    this.#ending = ending;
    this.#content = new ContentWatch(keys);
    this.#next = next;
    this.#splitter = new SseSplitter(this, HELD_BYTES_MAX);
    this.#passOn = (buffer, start, end) => {
      const pass = this.#pass as Pass;
      if (this.#next === undefined) pass(buffer, start, end);
      else this.#next.data(buffer, start, end, pass);
    };
  }

  /** It is not known yet whether more is allowed. */
  get waits(): boolean {
    return this.#held.length > 0;
  }

  /** About the tokens that have passed. */
  get tokens(): number {
    return Math.max(this.#pieces, Math.ceil(this.#weight));
  }

  data(buffer: Buffer, start: number, end: number, pass: Pass): void {
    if (this.done) return;
    this.#pass = pass;
    if (this.#held.length > 0) this.#release();
    this.#chunk = buffer;
    this.#runStart = start;
    this.#runEnd = start;
    this.#splitter.push(buffer, start, end);
    this.#flush();
    this.#chunk = undefined;
    this.#pass = undefined;
  }

  end(pass: Pass): void {
    this.#pass = pass;
    this.#ended = true;
    if (!this.done) {
      this.#splitter.end();
      this.#flush();
    }
    this.#next?.end(pass);
    this.#pass = undefined;
  }

  /** What has not come whole by now is not passed on. */
  close(pass: Pass): boolean {
    if (this.done || !this.atBoundary) return false;
    this.#pass = pass;
    const closed = this.#close();
    this.#pass = undefined;
    return closed;
  }

  event(buffer: Buffer, start: number, end: number): void {
    if (this.done) return;
    if (this.#held.length > 0) {
      this.#hold(buffer, start, end, 'event');
      return;
    }
    const weight = weighEvent(buffer, start, end, this.#content);
    if (weight > 0) {
      const verdict = this.#allowance.allows(this.#pieces + 1, this.#weight + weight);
      if (verdict === 'wait' && !this.#ended) {
        this.#hold(buffer, start, end, 'event');
        return;
      }
      if (verdict !== true && this.#close()) return;
      this.#pieces++;
      this.#weight += weight;
    }
    this.#produced?.event(buffer, start, end);
    this.#ending.saw(buffer, start, end);
    this.#keep(buffer, start, end);
  }

  piece(buffer: Buffer, start: number, end: number, last: boolean): void {
    if (this.done) return;
    if (this.#held.length > 0) {
      this.#hold(buffer, start, end, last ? 'last' : 'piece');
      return;
    }
    // Once it has begun to pass it cannot be ended inside; what it holds counts for what follows.
    this.#weight += (end - start) / 4;
    this.#produced?.piece(buffer, start, end);
    this.#keep(buffer, start, end);
    this.atBoundary = last;
    if (last && this.#allowance.allows(this.#pieces, this.#weight) === false) this.#close();
  }

  tail(buffer: Buffer, start: number, end: number): void {
    this.event(buffer, start, end);
  }

  #hold(buffer: Buffer, start: number, end: number, kind: Held['kind']): void {
    if (this.#held.length === 0) this.#allowance.decided = () => this.decided?.();
    this.#held.push({ bytes: Buffer.from(buffer.subarray(start, end)), kind });
  }

  /** Goes on with what was held, as far as it is known. */
  #release(): void {
    const held = this.#held;
    this.#held = [];
    for (const { bytes, kind } of held) {
      if (kind === 'event') this.event(bytes, 0, bytes.length);
      else this.piece(bytes, 0, bytes.length, kind === 'last');
    }
  }

  /** False when there is nothing left to end. */
  #close(): boolean {
    const closing = this.#ending.close(this.tokens);
    if (closing === '') return false;
    this.#flush();
    const bytes = Buffer.from(closing);
    this.#passOn(bytes, 0, bytes.length);
    this.#held = [];
    this.done = true;
    return true;
  }

  #keep(buffer: Buffer, start: number, end: number): void {
    if (buffer === this.#chunk && this.#runEnd === start) {
      this.#runEnd = end;
      return;
    }
    this.#flush();
    if (buffer === this.#chunk) {
      this.#runStart = start;
      this.#runEnd = end;
    } else this.#passOn(buffer, start, end);
  }

  #flush(): void {
    if (this.#runEnd > this.#runStart) this.#passOn(this.#chunk as Buffer, this.#runStart, this.#runEnd);
    this.#runStart = this.#runEnd;
  }
}
