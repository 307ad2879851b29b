/** Open addressing over typed arrays: 32-bit hash → row, with linear probing and removal without tombstones. */

/** Share of the slots in use at which the table grows. */
const FULL = 0.7;

/** A multimap from 32-bit hashes to row numbers; four bytes a slot. The caller compares what rows hold. */
export class RowIndex {
  /** Row + 1; 0 is free. */
  #slots = new Uint32Array(64);
  #size = 0;
  readonly #hashOf: (row: number) => number;

  /** `hashOf` tells a row's hash, an unsigned 32-bit number, for as long as the row is in. */
  constructor(hashOf: (row: number) => number) {
    this.#hashOf = hashOf;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#slots.byteLength;
  }

  /** The first row under this hash for which `matches` says yes; -1 when there is none. */
  find(hash: number, matches: (row: number) => boolean): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = slots[at] as number;
      if (slot === 0) return -1;
      if (matches(slot - 1)) return slot - 1;
    }
  }

  /** Puts a row in under its hash. */
  add(row: number): void {
    if (++this.#size > this.#slots.length * FULL) this.#grow();
    this.#place(row);
  }

  /** Takes a row out; its hash must still be told. */
  remove(row: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = this.#hashOf(row) & mask;
    while (slots[at] !== row + 1) {
      if (slots[at] === 0) return;
      at = (at + 1) & mask;
    }
    this.#size--;
    // What stands behind and belongs further in front moves up (Knuth 6.4, algorithm R).
    for (let next = (at + 1) & mask; slots[next] !== 0; next = (next + 1) & mask) {
      const home = this.#hashOf((slots[next] as number) - 1) & mask;
      if (((next - home) & mask) < ((next - at) & mask)) continue;
      slots[at] = slots[next] as number;
      at = next;
    }
    slots[at] = 0;
  }

  #place(row: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = this.#hashOf(row) & mask;
    while (slots[at] !== 0) at = (at + 1) & mask;
    slots[at] = row + 1;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (const slot of old) if (slot !== 0) this.#place(slot - 1);
  }
}
