/** Questions to the tokenizer of this node: how many wait, how much memory they hold, and what happens when none comes. */

import type { TextRoom } from '../ai/ai.ts';
import type { Counted, CountOrder } from '../ai/count.ts';

/** Asks for a count by the tokenizer of this name; rejects when there is none. */
export type AskCount = (tokenizer: string, order: CountOrder) => Promise<Counted>;

/** Memory for the text of all answers under way, and for what has been asked and not answered. */
const TEXT_BYTES = 64 * 1024 * 1024;
const ASKED_BYTES = 16 * 1024 * 1024;

/** See the file's head. */
export class Counting {
  /** Text of answers that are under way. */
  readonly room: TextRoom = { free: TEXT_BYTES };
  readonly #ask: AskCount | undefined;
  readonly #failed: () => void;
  readonly #waiting = new Set<(counted: Counted | undefined) => void>();
  #bytes = 0;

  /** `failed`: told of each count that did not come. */
  constructor(ask: AskCount | undefined, failed: () => void) {
    this.#ask = ask;
    this.#failed = failed;
  }

  /** There is somebody to ask. */
  get possible(): boolean {
    return this.#ask !== undefined;
  }

  /** Requests that have ended and wait for their count. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Asks; `done` is called once, later, without a count when none came. False: it is not asked, there is too much to do. */
  ask(tokenizer: string, order: CountOrder, done: (counted: Counted | undefined) => void): boolean {
    const bytes = sizeOf(order);
    if (this.#ask === undefined) return false;
    if (this.#bytes + bytes > ASKED_BYTES) {
      this.#failed();
      return false;
    }
    this.#bytes += bytes;
    const once = (counted: Counted | undefined) => {
      if (!this.#waiting.delete(once)) return;
      this.#bytes -= bytes;
      if (counted === undefined) this.#failed();
      done(counted);
    };
    this.#waiting.add(once);
    this.#ask(tokenizer, order).then(once, () => once(undefined));
    return true;
  }

  /** Waits no longer: the process ends. */
  giveUp(): void {
    for (const once of [...this.#waiting]) once(undefined);
  }
}

function sizeOf({ prompt, produced }: CountOrder): number {
  let bytes = 512 + (prompt?.length ?? 0) + (produced?.answer?.length ?? 0);
  for (const text of produced?.texts ?? []) bytes += text.length;
  for (const text of produced?.reasoning ?? []) bytes += text.length;
  return bytes;
}
