/**
 * The streams of a connection by their number: open addressing with linear probing (Knuth 6.4, algorithm L and deletion R).
 * A `Map` that is filled and emptied all the time leaves one abandoned table after the other, each of which knows the next
 * and the streams that were in it. As soon as one of them has become old, all of that lives until the next full collection.
 */
import { randomBytes } from 'node:crypto';

/** Odd, and unknown to peers, who choose the numbers. */
const FACTOR = randomBytes(4).readUInt32LE() | 1;
const FIRST_BITS = 4;

/** See the file's head. */
export class StreamTable<S extends { readonly id: number }> {
  size = 0;
  #bits = FIRST_BITS;
  #slots: (S | undefined)[] = new Array(1 << FIRST_BITS).fill(undefined);

  get(id: number): S | undefined {
    return this.#slots[this.#find(id)];
  }

  /** Adds one whose number is not there. */
  add(stream: S): void {
    if (2 * ++this.size > this.#slots.length) this.#grow();
    this.#slots[this.#find(stream.id)] = stream;
  }

  delete(id: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = this.#find(id);
    if (slots[hole] === undefined) return;
    this.size--;
    // What was pushed on by the one that leaves moves back.
    for (let at = (hole + 1) & mask; slots[at] !== undefined; at = (at + 1) & mask) {
      const home = this.#home((slots[at] as S).id);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = slots[at];
      hole = at;
    }
    slots[hole] = undefined;
  }

  /** All of them, in no order. */
  all(): S[] {
    return this.#slots.filter((stream) => stream !== undefined);
  }

  #home(id: number): number {
    return Math.imul(id, FACTOR) >>> (32 - this.#bits);
  }

  /** Where it is, or would be. */
  #find(id: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = this.#home(id);
    for (let found = slots[at]; found !== undefined && found.id !== id; found = slots[at]) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const all = this.all();
    this.#bits++;
    this.#slots = new Array(1 << this.#bits).fill(undefined);
    for (const stream of all) this.#slots[this.#find(stream.id)] = stream;
  }
}
