/**
 * How large the next answer may be, as the latest of its key have been: what is reserved for bytes that nobody knows yet. Each key learns by
 * itself, or who fetches something large would raise the reservations of all others. A new key gets what several keys have in common.
 */
import { Poll } from '../../kernel/poll.ts';

/** As much is expected as long as nothing is known: this part of the limit, and so many bytes at most. */
const BEGIN_PART = 32;
const BEGIN_MOST = 4096;
/** A larger answer raises it by this part of the difference, a smaller one lowers it by the other. */
const RISE = 1 / 2;
const FALL = 1 / 16;

/** Of one key what its answers have been. */
export interface Answers {
  readonly key: string;
  /** What is expected of the next one, in bytes; -1: nothing is known. */
  answerBytes: number;
}

/** See the file's head. It leans to the high side. */
export class AnswerSizes {
  readonly #poll: Poll;
  #answers = 0;

  constructor(limit: number) {
    this.#poll = new Poll(Math.min(BEGIN_MOST, limit / BEGIN_PART));
  }

  /** What is expected where nothing is known of a key. */
  get usual(): number {
    return this.#poll.median;
  }

  /** Bytes that the next answer of a key may have. */
  of({ answerBytes }: Answers): number {
    return answerBytes < 0 ? this.usual : answerBytes;
  }

  /** An answer of a key has had so many bytes; one that was cut could have had more. */
  learn(of: Answers, bytes: number, whole: boolean): void {
    const before = this.of(of);
    if (bytes <= before && !whole) return;
    if (of.answerBytes < 0) of.answerBytes = bytes;
    else of.answerBytes = before + (bytes - before) * (bytes > before ? RISE : FALL);
    this.#poll.say(of.key, of.answerBytes, ++this.#answers);
  }
}
