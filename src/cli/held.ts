/** What a setting opens, and a reload may move: the access log's file, the admin port. */

/** Something that can be closed. */
interface Closable {
  close(): Promise<unknown>;
}

/**
 * What is open for a setting's value. A reload opens the next one first (`prepare`) and then, when it is known how the
 * reload ended, closes either the old one or the new (`settle`), so that a refused reload leaves all as it was.
 */
export class Held<T extends Closable> {
  readonly #open: (value: string) => Promise<T | undefined>;
  #value: string;
  #now: T | undefined;
  #next: { value: string; opened: T | undefined } | undefined;
  #closing: Promise<unknown> = Promise.resolve();

  private constructor(open: (value: string) => Promise<T | undefined>, value: string, now: T | undefined) {
    this.#open = open;
    this.#value = value;
    this.#now = now;
  }

  /** Opens the first one; rejects as `open` does. `open` may give undefined where the value asks for nothing. */
  static async open<T extends Closable>(value: string, open: (value: string) => Promise<T | undefined>) {
    return new Held<T>(open, value, await open(value));
  }

  /** What is in force. */
  get now(): T | undefined {
    return this.#now;
  }

  /** Opens what `value` asks for, beside what is in force; does nothing when it is the same. Rejects as `open` does. */
  async prepare(value: string): Promise<void> {
    if (value === this.#value) return;
    this.#next = { value, opened: await this.#open(value) };
  }

  /**
   * Goes over to what was prepared, or forgets it. Returns whether something else is in force now. Does not wait until the other
   * one is closed: who waits for this may be a client of it.
   */
  settle(accepted: boolean): boolean {
    const next = this.#next;
    if (!next) return false;
    this.#next = undefined;
    const surplus = accepted ? this.#now : next.opened;
    if (accepted) {
      this.#value = next.value;
      this.#now = next.opened;
    }
    this.#closing = Promise.all([this.#closing, surplus?.close()]);
    return accepted;
  }

  /** `how` closes what is in force; its own `close` when left out. */
  async close(how: (held: T) => Promise<unknown> = (held) => held.close()): Promise<void> {
    this.settle(false);
    if (this.#now) await how(this.#now);
    await this.#closing;
  }

  /** Opens what is in force anew, after `close`. `where`: the place of what was open, from the setting's value. */
  async reopen(where: (value: string, was: T | undefined) => string = (value) => value): Promise<void> {
    this.#now = await this.#open(where(this.#value, this.#now));
  }
}
