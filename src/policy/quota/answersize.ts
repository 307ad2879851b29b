/**
 * How large the next answer may be, as the latest of its key have been: what is reserved for bytes that nobody knows yet. Each key learns by
 * itself, or who fetches something large would raise the reservations of all others. A new key gets what several keys have in common.
 */

/** As much is expected as long as nothing is known: this part of the limit, and so many bytes at most. */
const BEGIN_PART = 32;
const BEGIN_MOST = 4096;
/** A larger answer raises it by this part of the difference, a smaller one lowers it by the other. */
const RISE = 1 / 2;
const FALL = 1 / 16;
/** Keys that are asked what they see: the median counts, with two more that say what is expected at first. */
const ASKED = 16;
/** A change that is not worth asking the others again. */
const SAME = 0.02;

/** Of one key what its answers have been. */
export interface Answers {
  readonly key: string;
  /** What is expected of the next one, in bytes; -1: nothing is known. */
  answerBytes: number;
}

interface Asked {
  readonly key: string;
  bytes: number;
  /** Which answer was the last that it has spoken of. */
  at: number;
}

/** See the file's head. It leans to the high side. */
export class AnswerSizes {
  readonly #begin: number;
  readonly #asked: Asked[] = [];
  #answers = 0;
  /** What is expected where nothing is known of a key. */
  usual: number;

  constructor(limit: number) {
    this.#begin = Math.min(BEGIN_MOST, limit / BEGIN_PART);
    this.usual = this.#begin;
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
    this.#share(of.key, of.answerBytes);
  }

  #share(key: string, bytes: number): void {
    const at = ++this.#answers;
    const asked = this.#asked;
    const known = asked.find((one) => one.key === key);
    if (known !== undefined) {
      known.at = at;
      if (Math.abs(known.bytes - bytes) <= known.bytes * SAME) return;
      known.bytes = bytes;
    } else {
      let slot = asked.length < ASKED ? asked.length : 0;
      // The one that was not heard of for longest makes room.
      if (asked.length === ASKED)
        for (let i = 1; i < ASKED; i++) if ((asked[i] as Asked).at < (asked[slot] as Asked).at) slot = i;
      asked[slot] = { key, bytes, at };
    }
    const said = [this.#begin, this.#begin];
    for (const one of asked) said.push(one.bytes);
    said.sort((a, b) => a - b);
    this.usual = said[(said.length - 1) >> 1] as number;
  }
}
